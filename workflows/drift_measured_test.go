package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// measuredDrift is a document whose first step metrics alone promote, beside a
// time where it has one.
func measuredDrift(policy config.DriftPolicy, hold config.Hold) config.Rollout {
	doc := byMetrics()
	doc.OnDrift = policy
	doc.Steps[0].Hold = hold
	return doc
}

// TestDriftInAMeasuredHold changes something while metrics are measured: the
// same measurement goes on, and promotes the step only when the change was
// answered.
func TestDriftInAMeasuredHold(t *testing.T) {
	none := config.Hold{Mode: config.HoldNone}
	timed := config.Hold{Mode: config.HoldTimed, Duration: config.Duration(150 * time.Second)}
	cases := map[string]struct {
		policy config.DriftPolicy
		hold   config.Hold
		drift  workload.Drift
		resume any      // nil where nothing is asked
		asks   bool     // pauses until the resume
		done   []string // operations of the answer
		weight int      // of step 1 afterwards
	}{
		"adopt a lighter route":          {config.DriftAdopt, none, rerouted(5), nil, false, []string{"route 5"}, 5},
		"adopt in a timed hold":          {config.DriftAdopt, timed, rerouted(5), nil, false, []string{"route 5"}, 5},
		"adopt a deleted route":          {config.DriftAdopt, none, routeGone, nil, false, []string{"route 0"}, 0},
		"adopt a selector":               {config.DriftAdopt, none, selector, nil, false, nil, 10},
		"enforce":                        {config.DriftEnforce, none, rerouted(5), nil, false, []string{"route 10"}, 10},
		"asked, adopted":                 {config.DriftPause, none, rerouted(5), workflows.Message{Adopt: true}, true, []string{"route 5"}, 5},
		"asked, adopted in a timed hold": {config.DriftPause, timed, rerouted(5), workflows.Message{Adopt: true}, true, []string{"route 5"}, 5},
		"asked, undone":                  {config.DriftPause, none, rerouted(5), workflows.Message{}, true, []string{"route 10"}, 10},
		"asked, deleted route adopted":   {config.DriftPause, none, routeGone, workflows.Message{Adopt: true}, true, []string{"route 0"}, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.drift(time.Minute, c.drift)
			b.at(90*time.Second, func() {
				s := b.status()
				require.Equal(t, c.asks, s.Phase == workflows.PhasePaused, s.Message)
				require.Len(t, b.cluster.requests, 1, "the measurement goes on")
			})
			if c.asks {
				// Metrics pass while a person is asked: the answer is waited for.
				b.verdict(2*time.Minute, 1, verdict.Promote)
				if c.hold.Mode == config.HoldTimed {
					b.known(160*time.Second, 2, verdict.Promote, verdict.Pass)
				}
				b.at(3*time.Minute, func() {
					s := b.status()
					require.Equal(t, 1, s.Step)
					require.Equal(t, workflows.PhasePaused, s.Phase)
				})
				b.signal(4*time.Minute, workflows.VerbResume, c.resume)
			} else {
				b.verdict(4*time.Minute, 1, verdict.Promote)
			}
			b.at(5*time.Minute, func() {
				s := b.status()
				require.Equal(t, 2, s.Step, s.Message)
				require.Equal(t, c.weight, s.Steps[0].Weight)
				want := append(append([]string{}, toStep1...), c.done...)
				require.Equal(t, preparedOps(append(want, "canary v2 2", "route 30")), b.cluster.ops())
			})
			b.signal(6*time.Minute, workflows.VerbAbort, nil)
			result, err := b.run(measuredDrift(c.policy, c.hold))
			require.NoError(t, err)
			require.Equal(t, workflows.RolledBack, result.Outcome)
		})
	}
}

// TestBadMetricsWhileADriftIsAskedAbout return to stable: nobody has to answer
// first.
func TestBadMetricsWhileADriftIsAskedAbout(t *testing.T) {
	b := newBench(t)
	b.drift(time.Minute, rerouted(5))
	b.verdict(2*time.Minute, 1, verdict.Rollback)
	result, err := b.run(measuredDrift(config.DriftPause, config.Hold{Mode: config.HoldNone}))
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Contains(t, result.Reason, "the metrics of step 1")
	require.Equal(t, returned, b.cluster.ops())
}

// TestDriftWhileBaking has no step that could keep the change.
func TestDriftWhileBaking(t *testing.T) {
	for policy, asks := range map[config.DriftPolicy]bool{config.DriftAdopt: true, config.DriftEnforce: false} {
		t.Run(string(policy), func(t *testing.T) {
			doc := baked()
			doc.OnDrift = policy
			b := newBench(t)
			b.signal(time.Second, workflows.VerbPromote, workflows.Message{Step: 1})
			b.drift(time.Minute, rerouted(50))
			b.at(2*time.Minute, func() {
				s := b.status()
				require.Equal(t, asks, s.Phase == workflows.PhasePaused, s.Message)
				if asks {
					require.False(t, s.Drift.Adoptable)
				}
			})
			b.signal(3*time.Minute, workflows.VerbResume, nil)
			b.at(4*time.Minute, func() {
				s := b.status()
				require.Equal(t, workflows.PhaseBaking, s.Phase, s.Message)
				require.Equal(t, 100, s.Confirmed.Weight)
			})
			b.verdict(9*time.Minute, 1, verdict.Promote)
			b.known(10*time.Minute, 2, verdict.Promote, verdict.Pass)
			result, err := b.run(doc)
			require.NoError(t, err)
			require.Equal(t, workflows.Promoted, result.Outcome)
			require.Equal(t, append(append(bakedOps[:8:8], "route 100"), bakedOps[8:]...), b.cluster.ops())
		})
	}
}
