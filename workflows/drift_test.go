package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// drifting is the seed's document with a drift policy.
func drifting(policy config.DriftPolicy) config.Rollout {
	doc := seed()
	doc.OnDrift = policy
	return doc
}

// drift lets the watch report a drift after a virtual delay.
func (b *bench) drift(delay time.Duration, d workload.Drift) {
	b.change(delay, workload.Changed{Drifts: []workload.Drift{d}})
}

// rerouted is the canary route as somebody else has written it.
func rerouted(weight int) workload.Drift {
	return workload.Drift{
		Kind: workload.DriftRoute, Object: "Ingress shop/demo-canary", By: "kubectl-edit",
		Content: time.Duration(weight).String(), Route: &traffic.Route{Weight: weight},
	}
}

var (
	routeGone   = workload.Drift{Kind: workload.DriftRouteGone, Object: "Ingress shop/demo-canary", What: "it was deleted", Content: "gone"}
	serviceGone = workload.Drift{Kind: workload.DriftService, Object: "Service shop/demo-canary", What: "it was deleted", Content: "gone"}
	canaryGone  = workload.Drift{Kind: workload.DriftCanary, Object: "Deployment shop/demo-canary", What: "it was deleted", Content: "gone"}
	newRules    = workload.Drift{Kind: workload.DriftRules, Object: "Ingress shop/demo", What: "its rules changed", Content: "x"}
	selector    = workload.Drift{Kind: workload.DriftSelector, Object: "Service shop/demo", What: "its selector became a=b", Content: "a=b", Selector: map[string]string{"a": "b"}}
	reaching    = workload.Drift{Kind: workload.DriftSelector, Object: "Service shop/demo", What: "its selector became a=b", Content: "a=b", Selector: map[string]string{"a": "b"}, Reaches: true}
	shadow      = workload.Drift{Kind: workload.DriftShadow, Object: "Ingress shop/demo", What: "a path was added", Content: "x"}
	ingressGone = workload.Drift{Kind: workload.DriftIngressGone, Object: "Ingress shop/demo", What: "it was deleted", Content: "gone"}
)

func scaled(n int) workload.Drift {
	return workload.Drift{Kind: workload.DriftCanarySize, Object: "Deployment shop/demo-canary", What: "it was scaled", Content: time.Duration(n).String(), Replicas: n}
}

// toStep1 are the operations before the first hold.
var toStep1 = []string{"inspect", "hold v2", "canary v2 1", "route 0", "route 10"}

// backward are the operations of an abort at a hold.
var backward = []string{"route 0", "unroute", "restore settle=false", "release"}

// TestDriftAtAHold lets somebody else change something at the first hold, and
// looks at what is done at once, what the status says, what resume does.
func TestDriftAtAHold(t *testing.T) {
	cases := []struct {
		name   string
		policy config.DriftPolicy
		drift  workload.Drift
		resume any
		paused string   // part of the message, empty if it goes on holding
		atOnce []string // operations before the resume
		after  []string // operations after the resume
		weight int      // of step 1 in the end
	}{
		{"lighter route, pause", config.DriftPause, rerouted(5), nil, "weight 5 instead of weight 10", nil, []string{"route 10"}, 10},
		{"lighter route, pause, adopted", config.DriftPause, rerouted(5), workflows.Message{Adopt: true}, "resume with adopt", nil, []string{"route 5"}, 5},
		{"lighter route, adopt", config.DriftAdopt, rerouted(5), nil, "", []string{"route 5"}, nil, 5},
		{"lighter route, enforce", config.DriftEnforce, rerouted(5), nil, "", []string{"route 10"}, nil, 10},
		{"too heavy a route, pause", config.DriftPause, rerouted(60), nil, "", []string{"route 10"}, nil, 10},
		{"too heavy a route, adopt", config.DriftAdopt, rerouted(60), nil, "", []string{"route 10"}, nil, 10},
		{"unreadable route", config.DriftAdopt, workload.Drift{Kind: workload.DriftRoute, Object: "Ingress shop/demo-canary", Content: "?"}, nil, "", []string{"route 10"}, nil, 10},
		{"rules of the canary", config.DriftPause, rerouted(10), nil, "", []string{"route 10"}, nil, 10},
		{"route deleted, pause", config.DriftPause, routeGone, nil, "it was deleted", nil, []string{"route 0", "route 10"}, 10},
		{"route deleted, adopted", config.DriftPause, routeGone, workflows.Message{Adopt: true}, "it was deleted", nil, []string{"route 0"}, 0},
		{"route deleted, adopt", config.DriftAdopt, routeGone, nil, "", []string{"route 0"}, nil, 0},
		{"route deleted, enforce", config.DriftEnforce, routeGone, nil, "", []string{"route 0", "route 10"}, nil, 10},
		{"canary Service deleted, pause", config.DriftPause, serviceGone, nil, "no requests go to canary", []string{"route 0"}, []string{"canary v2 1", "route 0", "route 10"}, 10},
		{"canary Service deleted, enforce", config.DriftEnforce, serviceGone, nil, "", []string{"route 0", "canary v2 1", "route 0", "route 10"}, nil, 10},
		{"canary deleted, pause", config.DriftPause, canaryGone, nil, "no requests go to canary", []string{"route 0"}, []string{"canary v2 1", "route 0", "route 10"}, 10},
		{"canary deleted, enforce", config.DriftEnforce, canaryGone, nil, "", []string{"route 0", "canary v2 1", "route 0", "route 10"}, nil, 10},
		{"canary scaled down", config.DriftPause, scaled(0), nil, "", []string{"canary v2 1", "route 0", "route 10"}, nil, 10},
		{"canary scaled up", config.DriftPause, scaled(4), nil, "", []string{"canary v2 4"}, nil, 10},
		{"other rules", config.DriftPause, newRules, nil, "", []string{"route 10"}, nil, 10},
		{"selector, pause", config.DriftPause, selector, nil, "resume goes on with it", nil, nil, 10},
		{"selector, adopt", config.DriftAdopt, selector, nil, "", nil, nil, 10},
		{"selector that finds canary pods, pause", config.DriftPause, reaching, nil, "put the selector back", []string{"route 0"}, []string{"route 10"}, 10},
		{"selector that finds canary pods, adopt", config.DriftAdopt, reaching, nil, "put the selector back", []string{"route 0"}, []string{"route 10"}, 10},
		{"path that the canary takes requests of", config.DriftAdopt, shadow, nil, "no requests go to canary", []string{"route 0"}, []string{"route 10"}, 10},
		{"user's Ingress deleted", config.DriftEnforce, ingressGone, nil, "put it back", nil, nil, 10},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.drift(time.Minute, c.drift)
			b.at(2*time.Minute, func() {
				s := b.status()
				require.Equal(t, append(append([]string{}, toStep1...), c.atOnce...), b.cluster.ops())
				if c.paused == "" {
					require.Equal(t, workflows.PhaseHolding, s.Phase, s.Message)
					require.False(t, s.Paused)
					return
				}
				require.Equal(t, workflows.PhasePaused, s.Phase)
				require.Contains(t, s.Message, c.paused)
				require.Equal(t, c.drift.Kind, s.Drift.Kind)
				require.Equal(t, "drift", s.Decisions[0].Via)
			})
			b.signal(3*time.Minute, workflows.VerbResume, c.resume)
			b.at(4*time.Minute, func() {
				s := b.status()
				require.Equal(t, workflows.PhaseHolding, s.Phase, s.Message)
				require.Equal(t, 1, s.Step)
				require.Nil(t, s.Drift)
				require.Equal(t, c.weight, s.Steps[0].Weight)
				require.Equal(t, c.weight, s.Confirmed.Weight)
			})
			b.signal(5*time.Minute, workflows.VerbAbort, nil)
			result, err := b.run(drifting(c.policy))
			require.NoError(t, err)
			require.Equal(t, workflows.RolledBack, result.Outcome)
			want := append(append(append([]string{}, toStep1...), c.atOnce...), c.after...)
			if c.weight == 0 {
				require.Equal(t, append(want, backward[1:]...), b.cluster.ops())
				return
			}
			require.Equal(t, append(want, backward...), b.cluster.ops())
		})
	}
}

// TestNoWarOfWrites undoes a change once; the same again pauses.
func TestNoWarOfWrites(t *testing.T) {
	for name, c := range map[string]struct {
		policy config.DriftPolicy
		drift  func(int) workload.Drift
	}{
		"enforced":        {config.DriftEnforce, func(n int) workload.Drift { return rerouted(3 + n) }},
		"too heavy":       {config.DriftPause, func(n int) workload.Drift { return rerouted(60 + n) }},
		"canary too few":  {config.DriftPause, func(int) workload.Drift { return scaled(0) }},
		"canary deleted":  {config.DriftEnforce, func(int) workload.Drift { return canaryGone }},
		"route deleted":   {config.DriftEnforce, func(int) workload.Drift { return routeGone }},
		"Service deleted": {config.DriftEnforce, func(int) workload.Drift { return serviceGone }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.drift(time.Minute, c.drift(0))
			b.drift(2*time.Minute, c.drift(1))
			b.at(3*time.Minute, func() {
				s := b.status()
				require.Equal(t, workflows.PhasePaused, s.Phase, s.Message)
				require.True(t, s.Paused)
			})
			b.signal(4*time.Minute, workflows.VerbResume, nil)
			b.at(5*time.Minute, func() { require.Equal(t, workflows.PhaseHolding, b.status().Phase) })
			// After a calm it is no war any more.
			b.drift(30*time.Minute, c.drift(2))
			b.at(31*time.Minute, func() { require.Equal(t, workflows.PhaseHolding, b.status().Phase) })
			b.signal(40*time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
			result, err := b.run(drifting(c.policy))
			require.NoError(t, err)
			require.Equal(t, workflows.Promoted, result.Outcome)
		})
	}
}

// TestDriftInterruptsAnOperation lets somebody else undo what an operation waits
// to see confirmed: waiting for it would end in its deadline.
func TestDriftInterruptsAnOperation(t *testing.T) {
	b := newBench(t)
	blocked := true
	b.cluster.block = func(op string) bool { return blocked && op == "route 10" }
	b.at(30*time.Second, func() { blocked = false })
	b.drift(31*time.Second, rerouted(5))
	b.at(time.Minute, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseHolding, s.Phase, s.Message)
		require.Equal(t, 10, s.Confirmed.Weight)
	})
	b.signal(2*time.Minute, workflows.VerbAbort, nil)
	_, err := b.run(drifting(config.DriftEnforce))
	require.NoError(t, err)
}

// TestDriftDoesNotRestartATimedHold counts the time from the beginning.
func TestDriftDoesNotRestartATimedHold(t *testing.T) {
	doc := drifting(config.DriftEnforce)
	for i := range doc.Steps {
		doc.Steps[i].Hold = config.Hold{Mode: config.HoldTimed, Duration: config.Duration(time.Hour)}
	}
	b := newBench(t)
	b.drift(50*time.Minute, rerouted(5))
	began := b.Now()
	_, err := b.run(doc)
	require.NoError(t, err)
	require.InDelta(t, 2*time.Hour, b.Now().Sub(began), float64(time.Minute))
}

// TestDriftWhileStuck takes requests away from a canary that is gone, and waits
// for a decision as before.
func TestDriftWhileStuck(t *testing.T) {
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "canary v2 2" }
	b.signal(time.Second, workflows.VerbPromote, workflows.Message{Step: 1})
	b.expire(10*time.Minute, "1 of 2 canary pods ready")
	b.drift(11*time.Minute, canaryGone)
	b.at(12*time.Minute, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseStuck, s.Phase)
		require.Zero(t, s.Confirmed.Weight)
		b.cluster.block = nil
	})
	b.signal(13*time.Minute, workflows.VerbRetry, nil)
	b.signal(14*time.Minute, workflows.VerbResume, nil)
	b.signal(15*time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
	result, err := b.run(drifting(config.DriftPause))
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
}

func TestUnpausedByHandUnderEnforceIsHeldAgain(t *testing.T) {
	b := newBench(t)
	b.change(time.Minute, workload.Changed{Replicas: 5, Revision: "v2", Paused: false})
	b.at(2*time.Minute, func() {
		require.Equal(t, workflows.PhaseHolding, b.status().Phase)
		require.Equal(t, append(append([]string{}, toStep1...), "hold v2"), b.cluster.ops()[:6])
	})
	b.change(3*time.Minute, workload.Changed{Replicas: 5, Revision: "v2", Paused: false})
	b.at(4*time.Minute, func() { require.True(t, b.status().Paused) })
	b.signal(5*time.Minute, workflows.VerbAbort, nil)
	_, err := b.run(drifting(config.DriftEnforce))
	require.NoError(t, err)
}

func TestNothingToAdopt(t *testing.T) {
	b := newBench(t)
	b.drift(time.Minute, serviceGone)
	notAdoptable := b.update(2*time.Minute, workflows.VerbResume, workflows.Message{Adopt: true})
	b.signal(3*time.Minute, workflows.VerbResume, nil)
	b.signal(4*time.Minute, workflows.VerbPause, nil)
	nothing := b.update(5*time.Minute, workflows.VerbResume, workflows.Message{Adopt: true})
	wrongVerb := b.update(6*time.Minute, workflows.VerbPromote, workflows.Message{Adopt: true})
	b.signal(7*time.Minute, workflows.VerbAbort, nil)
	_, err := b.run(drifting(config.DriftPause))
	require.NoError(t, err)
	require.ErrorContains(t, notAdoptable.rejected, "cannot be adopted")
	require.ErrorContains(t, nothing.rejected, "nothing to adopt")
	require.ErrorContains(t, wrongVerb.rejected, "adopt goes with resume")
}

// TestMatchOfOthers is a match that two pods of canary were enough for in rollouts
// of earlier releases, and that nobody knows the share of.
func TestMatchOfOthers(t *testing.T) {
	header := []config.Match{{Headers: []config.ValueMatch{{Name: "user-agent", Type: config.MatchExact, Value: "android"}}}}
	matched := rerouted(0)
	matched.Route = &traffic.Route{Matches: header}
	for name, c := range map[string]struct {
		version workflow.Version
		route   traffic.Route
	}{
		"set back at once":        {1, traffic.Route{Weight: 30}},
		"adopted, as it was done": {workflow.DefaultVersion, *matched.Route},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.OnGetVersion(mock.Anything, workflow.DefaultVersion, workflow.Version(1)).Return(workflow.Version(1))
			b.OnGetVersion("count-a-match-of-others-as-all-requests", workflow.DefaultVersion, workflow.Version(1)).Return(c.version)
			b.signal(time.Minute, workflows.VerbPromote, nil)
			b.drift(2*time.Minute, matched)
			b.at(3*time.Minute, func() {
				s := b.status()
				require.Equal(t, workflows.PhaseHolding, s.Phase, s.Message)
				require.Equal(t, c.route, s.Confirmed)
			})
			b.signal(4*time.Minute, workflows.VerbAbort, nil)
			_, err := b.run(drifting(config.DriftAdopt))
			require.NoError(t, err)
		})
	}
}
