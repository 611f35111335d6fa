package gateway

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPaceFollowsTheNumberOfThoseWhoAsk(t *testing.T) {
	var p pace
	require.Equal(t, pollInterval, p.pause(pollInterval))
	var leave []func()
	for range 200 {
		leave = append(leave, p.enter())
	}
	require.Equal(t, time.Second, p.pause(pollInterval), "200 looks a second in all")
	require.Equal(t, 2*time.Second, p.pause(2*time.Second))
	for _, f := range leave[10:] {
		f()
	}
	require.Equal(t, pollInterval, p.pause(pollInterval), "ten are few")
}
