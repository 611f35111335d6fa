package watcher

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/tests/chaos/cluster"
	"sluice.dev/sluice/tests/chaos/gateway"
)

// TestNeeds checks what the watcher expects of both sides, against numbers that
// were worked out by hand from the contract.
func TestNeeds(t *testing.T) {
	step := func(weight int, a config.Amount) config.Step { return config.Step{Weight: &weight, Replicas: a} }
	document := config.Rollout{Steps: []config.Step{
		step(10, config.Amount{Value: 1}),
		step(30, config.Amount{Value: 30, Percent: true, Implied: true}),
		step(50, config.Amount{Value: 40, Percent: true}),
	}}
	for _, c := range []struct{ pods, weight, canary, stable int }{
		{5, 0, 0, 5},
		{5, 10, 1, 5},     // one is what the document asks for
		{5, 30, 2, 4},     // 1.65 and 3.85
		{20, 30, 7, 16},   // 6.6 and 15.4
		{20, 50, 8, 11},   // 40 %, and 11
		{5, 100, 5, 2},    // no step: all; a route has two
		{1, 30, 1, 1},     // there is no second one
		{10, 60, 7, 5},    // no step: 6.6; 4.4
		{100, 90, 99, 11}, // 11 exactly
	} {
		w := New(Options{Document: document, Pods: c.pods, Cluster: cluster.New(cluster.Delays{})})
		e := gateway.Exposure{Weight: c.weight, Total: 100}
		require.Equal(t, c.canary, w.needCanary(e), "canary of %+v", c)
		require.Equal(t, c.stable, w.needStable(e), "stable of %+v", c)
	}
}

// TestSizeIsFollowedInTime checks which of two sizes counts.
func TestSizeIsFollowedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(Options{Pods: 4, Cluster: cluster.New(cluster.Delays{})})
		w.Scaled(9)
		require.Equal(t, 4, w.pods(), "there is time to follow")
		time.Sleep(Followed)
		require.Equal(t, 9, w.pods())
		w.Scaled(3)
		require.Equal(t, 3, w.pods(), "fewer are enough at once")
		w.Scaled(8)
		w.Scaled(12)
		require.Equal(t, 3, w.pods())
		time.Sleep(Followed)
		require.Equal(t, 12, w.pods())
	})
}
