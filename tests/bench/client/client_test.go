package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLossBeforeTheFirstAnswer(t *testing.T) {
	a := New("")
	early := a.known()
	a.note("v1", nil, early)
	a.note("", errors.New("503"), early)
	require.NoError(t, a.Lost(), "it was sent before the gateway knew the application")
	a.note("", errors.New("503"), a.known())
	require.ErrorContains(t, a.Lost(), "1 of 2 requests were lost: 503")
}

func TestAsker(t *testing.T) {
	var version atomic.Value
	var early atomic.Int64
	version.Store("")
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		text, _ := version.Load().(string)
		if text == "" {
			early.Add(1)
			out.WriteHeader(http.StatusServiceUnavailable)
		}
		out.Header().Set("X-Version", text)
	}))
	defer server.Close()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	a := New(server.URL)
	done := make(chan struct{})
	go func() {
		a.Run(ctx)
		close(done)
	}()
	require.Eventually(t, func() bool { return early.Load() > 0 }, time.Minute, time.Millisecond)
	version.Store("v2")
	require.NoError(t, a.Await(ctx, "v2", 3))
	version.Store("v1")
	require.NoError(t, a.Await(ctx, "v1", 3))
	require.False(t, a.Last("v2").IsZero())
	require.Eventually(t, func() bool { // an answer of v2 may still be under way
		last := a.Last("v2")
		return a.Await(ctx, "v1", 3) == nil && last.Equal(a.Last("v2"))
	}, time.Minute, time.Millisecond, "v2 does not answer any more")
	require.True(t, a.Last("v3").IsZero())
	require.NoError(t, a.Lost())
	version.Store("")
	require.Eventually(t, func() bool { return a.Lost() != nil }, time.Minute, time.Millisecond)
	require.ErrorContains(t, a.Lost(), "503")
	stop()
	<-done
	require.ErrorIs(t, a.Await(ctx, "v1", 1), context.Canceled)
}
