package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// TestEndOfATimedHold is reached with metrics that have passed early: what counts
// is whether they pass then.
func TestEndOfATimedHold(t *testing.T) {
	step := byMetrics()
	step.Steps = step.Steps[:1]
	step.Steps[0].Hold = config.Hold{Mode: config.HoldTimed, Duration: config.Duration(10 * time.Minute)}
	tests := map[string]struct {
		action  verdict.Action
		outcome verdict.Outcome
		// then is the verdict of what is measured on; none where empty.
		then  verdict.Action
		phase workflows.Phase
	}{
		"they pass":                   {verdict.Promote, verdict.Pass, "", workflows.PhasePromoted},
		"no data, then a pass":        {verdict.Continue, verdict.NoData, verdict.Promote, workflows.PhasePromoted},
		"an error, then a pause":      {verdict.Continue, verdict.Error, verdict.Pause, workflows.PhaseStuck},
		"a failure, then a return":    {verdict.Continue, verdict.Measuring, verdict.Rollback, workflows.PhaseRolledBack},
		"a return just before it":     {verdict.Rollback, verdict.Fail, "", workflows.PhaseRolledBack},
		"no data that ends the hold":  {verdict.Pause, verdict.NoData, "", workflows.PhaseStuck},
		"an error, and nothing comes": {verdict.Continue, verdict.Error, "", ""},
	}
	for place, doc := range map[string]config.Rollout{"hold": step, "bake": baked()} {
		for name, test := range tests {
			t.Run(place+", "+name, func(t *testing.T) {
				b := newBench(t)
				b.verdict(2*time.Minute, 1, verdict.Promote)
				b.at(3*time.Minute, func() {
					s := b.status()
					require.Contains(t, s.Message, "until errors pass")
					require.True(t, b.cluster.requests[1].Guard)
					require.Equal(t, s.Until.UTC(), b.cluster.requests[1].Until.UTC())
				})
				b.known(10*time.Minute+10*time.Second, 2, test.action, test.outcome)
				b.at(20*time.Minute, func() {
					if test.action != verdict.Continue {
						return
					}
					s := b.status()
					require.Contains(t, []workflows.Phase{workflows.PhaseHolding, workflows.PhaseBaking}, s.Phase, "nothing is promoted by what is not known")
					require.True(t, told(s, "the time is over, measured on until they pass: errors: as it stands"))
					require.Len(t, b.cluster.requests, 3)
					require.False(t, b.cluster.requests[2].Guard)
					require.Zero(t, b.cluster.requests[2].Until)
					require.Equal(t, 7, b.cluster.requests[2].State.Metrics[0].Passed)
				})
				if test.then != "" {
					b.verdict(30*time.Minute, 3, test.then)
				}
				b.at(40*time.Minute, func() {
					if test.phase != "" {
						require.Equal(t, test.phase, b.status().Phase)
					}
				})
				b.signal(50*time.Minute, workflows.VerbAbort, nil)
				_, err := b.run(doc)
				require.NoError(t, err)
			})
		}
	}
}

// TestWorkerWhoseClockIsAhead ends no hold before its time.
func TestWorkerWhoseClockIsAhead(t *testing.T) {
	b := newBench(t)
	b.verdict(2*time.Minute, 1, verdict.Promote)
	b.known(9*time.Minute, 2, verdict.Promote, verdict.Pass)
	b.at(9*time.Minute+30*time.Second, func() {
		require.Equal(t, workflows.PhaseBaking, b.status().Phase)
		require.Len(t, b.cluster.requests, 2, "nothing is asked again and again")
	})
	b.at(10*time.Minute+20*time.Second, func() { require.Equal(t, workflows.PhasePromoted, b.status().Phase) })
	_, err := b.run(baked())
	require.NoError(t, err)
}

// TestHoldThatIsPromotedDoesNotWaitForItsMetrics at the end of its time.
func TestHoldThatIsPromotedDoesNotWaitForItsMetrics(t *testing.T) {
	b := newBench(t)
	b.verdict(2*time.Minute, 1, verdict.Promote)
	b.signal(15*time.Minute, workflows.VerbPromote, workflows.Message{Step: 2, By: "ann"})
	began := b.Now()
	result, err := b.run(baked())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.Greater(t, b.Now().Sub(began), 15*time.Minute, "the metrics were not known before")
}
