package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// toPromotion are the operations before the workload's pods are replaced, of a
// rollout that is promoted in full at its first hold, and retired those after.
var (
	toPromotion = append(toStep1[:5:5], "canary v2 5", "route 100")
	retired     = []string{"route 0", "unroute", "release"}
)

// replacing is a bench whose workload is being replaced from a second on, until
// the given time.
func replacing(t *testing.T, until time.Duration) *bench {
	t.Helper()
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "promote v2" }
	b.signal(time.Second, workflows.VerbPromote, workflows.Message{Full: true})
	b.at(until, func() {
		require.NoError(t, b.CompleteActivity(b.cluster.blocked, workload.Pods{Total: 5, Ready: 5}, nil))
	})
	return b
}

// TestDriftDuringThePromotion changes what covers the workload while its pods
// are replaced.
func TestDriftDuringThePromotion(t *testing.T) {
	lost := []string{"halt", "route 0", "canary v2 5", "route 0", "route 100"}
	cases := map[string]struct {
		policy config.DriftPolicy
		drift  workload.Drift
		atOnce []string // operations before a person is asked
		asks   bool
		after  []string // operations before the promotion goes on
	}{
		"route deleted":             {config.DriftPause, routeGone, []string{"halt", "route 100"}, false, nil},
		"route deleted, adopt":      {config.DriftAdopt, routeGone, []string{"halt", "route 100"}, false, nil},
		"lighter route":             {config.DriftPause, rerouted(30), []string{"halt", "route 100"}, false, nil},
		"other rules":               {config.DriftPause, newRules, []string{"halt", "route 100"}, false, nil},
		"canary scaled down":        {config.DriftPause, scaled(2), []string{"canary v2 5"}, false, nil},
		"canary scaled up":          {config.DriftPause, scaled(7), []string{"canary v2 7"}, false, nil},
		"canary scaled to nothing":  {config.DriftPause, scaled(0), lost, false, nil},
		"canary deleted":            {config.DriftPause, canaryGone, lost[:2], true, lost[2:]},
		"canary deleted, enforce":   {config.DriftEnforce, canaryGone, lost, false, nil},
		"canary Service deleted":    {config.DriftPause, serviceGone, lost[:2], true, lost[2:]},
		"selector of the Service":   {config.DriftPause, selector, nil, true, nil},
		"user's Ingress is deleted": {config.DriftPause, ingressGone, nil, true, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := replacing(t, 4*time.Minute)
			b.drift(time.Minute, c.drift)
			b.at(2*time.Minute, func() {
				require.Equal(t, append(toPromotion[:7:7], c.atOnce...), b.cluster.ops())
				require.Equal(t, c.asks, b.status().Paused, b.status().Message)
			})
			b.signal(3*time.Minute, workflows.VerbResume, nil)
			result, err := b.run(drifting(c.policy))
			require.NoError(t, err)
			require.Equal(t, workflows.Promoted, result.Outcome)
			want := append(append(toPromotion[:7:7], c.atOnce...), c.after...)
			require.Equal(t, append(want, retired...), b.cluster.ops())
		})
	}
}

// TestNoWarOfWritesDuringThePromotion covers once; the same again halts and asks.
func TestNoWarOfWritesDuringThePromotion(t *testing.T) {
	b := replacing(t, 5*time.Minute)
	b.drift(time.Minute, routeGone)
	b.drift(2*time.Minute, routeGone)
	b.at(3*time.Minute, func() {
		require.Equal(t, workflows.PhasePaused, b.status().Phase)
		require.Equal(t, append(toPromotion[:7:7], "halt", "route 100", "halt"), b.cluster.ops())
	})
	b.signal(4*time.Minute, workflows.VerbResume, nil)
	_, err := b.run(drifting(config.DriftAdopt))
	require.NoError(t, err)
	require.Equal(t, append([]string{"route 100"}, retired...), b.cluster.ops()[10:])
}

// TestAbortOfAPromotionThatIsNotCovered covers the workload again before its
// stable template returns.
func TestAbortOfAPromotionThatIsNotCovered(t *testing.T) {
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "promote v2" }
	b.signal(time.Second, workflows.VerbPromote, workflows.Message{Full: true})
	b.drift(time.Minute, canaryGone)
	b.at(2*time.Minute, func() { require.True(t, b.status().Paused) })
	b.signal(3*time.Minute, workflows.VerbAbort, nil)
	result, err := b.run(drifting(config.DriftPause))
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	want := []string{"halt", "route 0", "canary v2 5", "route 0", "route 100", "restore settle=true"}
	require.Equal(t, append(want, retired...), b.cluster.ops()[7:])
}

// TestScalingDuringThePromotion lets the canary grow with the workload, which it
// has to cover.
func TestScalingDuringThePromotion(t *testing.T) {
	b := replacing(t, 4*time.Minute)
	b.change(time.Minute, workload.Changed{Replicas: 8, Revision: "v2", Version: "9"})
	b.at(2*time.Minute, func() {
		require.Equal(t, append(toPromotion[:7:7], "canary v2 8"), b.cluster.ops())
		require.Contains(t, timeline(b.status()), "the workload was scaled from 5 to 8")
	})
	_, err := b.run(drifting(config.DriftPause))
	require.NoError(t, err)
}

// TestDriftAfterThePromotion finds the route edited while requests are still on
// their way back, and deleted.
func TestDriftAfterThePromotion(t *testing.T) {
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "route 0" && b.cluster.promoted }
	b.signal(time.Second, workflows.VerbPromote, workflows.Message{Full: true})
	b.drift(time.Minute, rerouted(30))
	b.at(90*time.Second, func() { b.cluster.block = nil })
	b.drift(2*time.Minute, routeGone)
	result, err := b.run(drifting(config.DriftPause))
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.Equal(t, retired, b.cluster.ops()[8:])
}

// TestDriftOnTheWayBack takes away what covers the workload while the stable
// template returns to it.
func TestDriftOnTheWayBack(t *testing.T) {
	b := newBench(t)
	blocked := "promote v2"
	b.cluster.block = func(op string) bool { return op == blocked }
	b.signal(time.Second, workflows.VerbPromote, workflows.Message{Full: true})
	b.at(30*time.Second, func() { blocked = "restore settle=true" })
	b.signal(time.Minute, workflows.VerbAbort, nil)
	b.drift(2*time.Minute, routeGone)
	b.at(3*time.Minute, func() {
		require.Equal(t, append(toPromotion[:7:7], "halt", "route 100"), b.cluster.ops())
		require.NoError(t, b.CompleteActivity(b.cluster.blocked, workload.Pods{}, nil))
	})
	result, err := b.run(drifting(config.DriftPause))
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Equal(t, retired, b.cluster.ops()[9:])
}

// widened is the user's Service whose narrowing somebody else has taken away.
var widened = workload.Drift{Kind: workload.DriftNarrowed, Object: "Service shop/demo", What: "pod-template-hash was removed", Content: " instead of h"}

// TestServiceIsNarrowedAgain undoes a reset of the Service once, also while the
// rollout is paused by a person.
func TestServiceIsNarrowedAgain(t *testing.T) {
	doc := seedBySelector()
	doc.OnDrift = config.DriftPause
	b := newBench(t)
	b.signal(30*time.Second, workflows.VerbPause, nil)
	b.drift(time.Minute, widened)
	b.at(2*time.Minute, func() {
		require.Equal(t, "narrow stable", b.cluster.ops()[6])
		require.Nil(t, b.status().Drift)
	})
	b.signal(3*time.Minute, workflows.VerbResume, nil)
	b.drift(4*time.Minute, widened)
	b.at(5*time.Minute, func() {
		require.Len(t, b.cluster.ops(), 7, "no war of writes")
		require.Equal(t, workload.DriftNarrowed, b.status().Drift.Kind)
	})
	b.signal(6*time.Minute, workflows.VerbResume, nil)
	b.at(7*time.Minute, func() {
		require.Equal(t, "narrow stable", b.cluster.ops()[7])
		require.Equal(t, workflows.PhaseHolding, b.status().Phase)
	})
	b.signal(8*time.Minute, workflows.VerbAbort, nil)
	_, err := b.run(doc)
	require.NoError(t, err)
}

// TestServiceIsResetBeforeThereAreCanaryPods: nothing is lost by it, and the Service is
// narrowed before there are any. Rollouts of earlier releases pause for it.
func TestServiceIsResetBeforeThereAreCanaryPods(t *testing.T) {
	for name, version := range map[string]workflow.Version{"now": 1, "earlier": workflow.DefaultVersion} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.OnGetVersion("go-on-after-a-reset-without-canary-pods", workflow.DefaultVersion, workflow.Version(1)).Return(version)
			blocked := true
			b.cluster.block = func(op string) bool { return blocked && op == "narrow stable" }
			b.at(30*time.Second, func() { blocked = false })
			b.drift(31*time.Second, widened)
			b.at(time.Minute, func() {
				if version == 1 {
					require.Equal(t, workflows.PhaseHolding, b.status().Phase, b.status().Message)
					return
				}
				require.Equal(t, workflows.PhasePaused, b.status().Phase)
				b.SignalWorkflow(string(workflows.VerbResume), nil)
			})
			b.at(2*time.Minute, func() {
				require.Equal(t, []string{"inspect", "hold v2", "narrow stable", "canary v2 1", "route 0", "route 10"}, b.cluster.ops())
			})
			b.signal(3*time.Minute, workflows.VerbAbort, nil)
			_, err := b.run(seedBySelector())
			require.NoError(t, err)
		})
	}
}
