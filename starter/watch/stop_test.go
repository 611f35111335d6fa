package watch

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	arv1 "k8s.io/api/admissionregistration/v1"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/starter/watch/admission"
)

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// ask asks the webhook something; it says whether it was answered.
func ask(address string) bool {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // its own certificate
	answer, err := client.Post("https://"+address+admission.PathHold, "application/json", strings.NewReader("{}"))
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return true
}

// TestAPIServerIsAnsweredForAMomentAfterAStop, since it does not know at once that
// a replica is on its way out; the probe says so at once.
func TestAPIServerIsAnsweredForAMomentAfterAStop(t *testing.T) {
	for name, c := range map[string]struct {
		cause    error
		answered bool
	}{
		"told to stop":    {context.Canceled, true},
		"ended by itself": {errOver, false},
	} {
		t.Run(name, func(t *testing.T) {
			address := freeAddress(t)
			w := New(Options{
				Kube: kubetest.New(), Home: "sluice-system", Log: slog.New(slog.DiscardHandler),
				Hook: &Hook{Address: address, URL: "https://" + address, FailurePolicy: arv1.Ignore, linger: 3 * time.Second},
			})
			w.caches = &caches{}
			w.synced.Store(true)
			ctx, stop := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- w.Hook.serve(ctx, w) }()
			require.Eventually(t, w.Ready, 10*time.Second, 10*time.Millisecond)
			require.True(t, ask(address))
			stop(c.cause)
			require.Eventually(t, func() bool { return !w.Ready() }, time.Second, time.Millisecond)
			if c.answered {
				require.True(t, ask(address))
				require.Empty(t, ended)
			}
			require.NoError(t, <-ended)
			require.False(t, ask(address))
		})
	}
}

// TestQuestionsInFlightAreAnsweredAtAStop.
func TestQuestionsInFlightAreAnsweredAtAStop(t *testing.T) {
	asked, stopping := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-stopping
		time.Sleep(200 * time.Millisecond)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	answered := make(chan int, 1)
	go func() {
		answer, err := http.Get(server.URL)
		if err != nil {
			answered <- 0
			return
		}
		_ = answer.Body.Close()
		answered <- answer.StatusCode
	}()
	<-asked
	close(stopping)
	drain(server.Config)
	require.Equal(t, http.StatusNoContent, <-answered)
}
