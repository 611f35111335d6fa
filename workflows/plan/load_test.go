package plan_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// before is the world of a workload of five pods.
func before(scaled bool) plan.World {
	return plan.Before(preflight.Observed{Replicas: 5, Load: &preflight.Load{Pods: 5, Scaled: scaled}})
}

// TestCanaryGrowsWithTheWorkload requires that a number of pods that was enough
// stays enough, and that one that was not is obeyed and told.
func TestCanaryGrowsWithTheWorkload(t *testing.T) {
	thirty := 30
	cases := map[string]struct{ pods, begun, now, want, need int }{
		"enough, and the workload grows":   {2, 5, 20, 7, 0},
		"enough, and it shrinks":           {4, 5, 3, 3, 0},
		"too few, and the workload grows":  {1, 5, 20, 1, 7},
		"too few, and it stays":            {1, 5, 5, 1, 2},
		"the size at the start is unknown": {2, 0, 20, 2, 7},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := doc(config.Step{Weight: &thirty, Replicas: config.Amount{Value: c.pods}})
			w := plan.NewWorld(c.now)
			w.Begun = c.begun
			require.Equal(t, c.want, plan.StepReplicas(r, 0, w))
			have, need := plan.Short(r, w, 0)
			require.Equal(t, c.need, need)
			if need > 0 {
				require.Equal(t, c.want, have)
			}
		})
	}
}

// TestHeadroomOfTheDocument is in the pods of a step, and in the guard of a route
// that gives requests back.
func TestHeadroomOfTheDocument(t *testing.T) {
	for headroom, want := range map[int][2]int{0: {3, 7}, 10: {4, 8}, 50: {5, 10}} {
		r := doc(implied(30), implied(60))
		r.Headroom = &headroom
		w := plan.NewWorld(10)
		require.Equal(t, want[0], plan.StepReplicas(r, 0, w))
		w.Held, w.RouteExists, w.Canary, w.CanaryAsked = true, true, 10, 10
		w.Asked, w.Confirmed = traffic.Route{Weight: 60}, traffic.Route{Weight: 60}
		back := plan.Step(r, w, 0)
		require.Equal(t, plan.SetRoute, back[len(back)-1].Kind)
		require.Equal(t, want[1], back[len(back)-1].NeedStable)
	}
}

// TestRequestsReturnToAllTheirPods lets the workload shrink while its requests
// are with canary. What an autoscaler takes away is missed when they return; what
// a person takes away is meant so.
func TestRequestsReturnToAllTheirPods(t *testing.T) {
	thirty := 30
	r := doc(config.Step{Weight: &thirty, Replicas: config.Amount{Value: 2}})
	for name, c := range map[string]struct {
		scaled      bool
		full, least int
	}{"autoscaler": {true, 5, 5}, "person": {false, 2, 2}} {
		t.Run(name, func(t *testing.T) {
			w := before(c.scaled).Scaled(2)
			require.Equal(t, c.full, plan.StepReplicas(r, len(r.Steps), w), "canary at full size")
			w.Held, w.Promoted, w.MaybeCanary, w.MaybeRoute, w.RouteExists, w.MaybeCarries = true, true, true, true, true, true
			w.Asked, w.Confirmed = traffic.Route{Weight: 100}, traffic.Route{Weight: 100}
			back := plan.Finish(r, w)[0]
			require.Equal(t, plan.SetRoute, back.Kind)
			require.Zero(t, back.Route.Weight)
			require.Equal(t, c.least, back.NeedStable)
		})
	}
	grown := before(true).Scaled(9).Scaled(4)
	require.Equal(t, 9, plan.StepReplicas(r, len(r.Steps), grown), "the most that it had")
	require.Zero(t, plan.StepReplicas(r, len(r.Steps), before(true).Scaled(0)), "a workload that is gone needs nothing")
}

// TestAbortDoesNotWaitForPods requires that the way back needs one ready pod
// only: a version that answers wrongly is worse than one that answers slowly.
func TestAbortDoesNotWaitForPods(t *testing.T) {
	thirty := 30
	w := before(true).Scaled(2)
	w.Held, w.MaybeHeld, w.MaybeCanary, w.MaybeRoute, w.RouteExists, w.MaybeCarries, w.CanaryDrained = true, true, true, true, true, true, false
	back := plan.Abort(doc(config.Step{Weight: &thirty, Replicas: config.Amount{Value: 2}}), w)[0]
	require.Equal(t, plan.SetRoute, back.Kind)
	require.Equal(t, 1, back.NeedStable)
}
