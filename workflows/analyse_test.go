package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// returned are the operations of a return from step 1.
var returned = preparedOps([]string{
	"inspect", "hold v2", "canary v2 1", "route 0", "route 10",
	"route 0", "unroute", "restore settle=false", "release",
})

func TestMetricsAlonePromote(t *testing.T) {
	b := newBench(t)
	b.at(30*time.Second, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseHolding, s.Phase)
		require.Equal(t, "step 1 goes on when errors pass; promote to go on now", s.Message)
		require.Equal(t, "metrics", s.Steps[0].Hold)
		require.Equal(t, "errors", s.Steps[0].Metrics)
		require.True(t, s.Analyses[0].Running)
	})
	b.verdict(time.Minute, 1, verdict.Promote)
	b.verdict(2*time.Minute, 2, verdict.Promote)
	result, err := b.run(byMetrics())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.Equal(t, preparedOps(promoted), b.cluster.ops())
	require.Empty(t, result.Decisions, "no person")
	s := b.status()
	require.True(t, told(s, "warning: metrics cannot be read now"))
	require.True(t, told(s, "the metrics of step 2: Pass: errors: 12 of 100"))
	require.Len(t, s.Analyses, 2)
	require.Equal(t, verdict.Pass, s.Analyses[1].State.Decision.Outcome)
	require.Len(t, s.Analyses[1].State.Metrics[0].Samples, 1)
	require.Equal(t, 2, b.cluster.requests[1].Subject.Step)
}

func TestBadMetricsReturnToStable(t *testing.T) {
	b := newBench(t)
	b.verdict(time.Minute, 1, verdict.Rollback)
	result, err := b.run(byMetrics())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Equal(t, "the metrics of step 1: errors: 12 of 100", result.Reason)
	require.Equal(t, returned, b.cluster.ops())
}

func TestPausedByMetricsAndPromotedWithAReason(t *testing.T) {
	b := newBench(t)
	b.verdict(time.Minute, 1, verdict.Pause)
	b.at(90*time.Second, func() { require.Equal(t, workflows.PhaseStuck, b.status().Phase) })
	without := b.update(2*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
	with := b.update(3*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1, By: "ann", Reason: "known"})
	b.verdict(4*time.Minute, 2, verdict.Promote)
	result, err := b.run(byMetrics())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.ErrorContains(t, without.rejected, "promote it with a reason")
	require.Equal(t, "promoting step 1 over the verdict of its metrics", with.text)
	require.Equal(t, "known", result.Decisions[0].Reason)
	require.Equal(t, preparedOps(promoted), b.cluster.ops())
}

func TestPausedByMetricsAndTriedAgain(t *testing.T) {
	b := newBench(t)
	b.verdict(time.Minute, 1, verdict.Pause)
	b.signal(2*time.Minute, workflows.VerbRetry, nil)
	b.verdict(3*time.Minute, 2, verdict.Rollback)
	result, err := b.run(byMetrics())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
}

func TestApprovalWhileMetricsHold(t *testing.T) {
	doc := byMetrics()
	doc.Steps[0].Hold = config.Hold{Mode: config.HoldApproval}
	b := newBench(t)
	b.verdict(time.Minute, 1, verdict.Promote)
	b.at(2*time.Minute, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseHolding, s.Phase, "a person promotes")
		require.Equal(t, 1, s.Step)
		require.True(t, b.cluster.requests[1].Guard, "measured on")
		require.NotNil(t, b.cluster.requests[1].State, "from where it was")
	})
	b.verdict(3*time.Minute, 2, verdict.Rollback)
	result, err := b.run(doc)
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
}

func TestApprovalBeforeMetricsHavePassed(t *testing.T) {
	doc := byMetrics()
	doc.Steps[0].Hold = config.Hold{Mode: config.HoldApproval}
	b := newBench(t)
	b.signal(time.Minute, workflows.VerbPromote, workflows.Message{Step: 1, By: "ann"})
	b.verdict(2*time.Minute, 2, verdict.Promote)
	result, err := b.run(doc)
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
}

func TestTimedHoldWaitsForMetrics(t *testing.T) {
	doc := byMetrics()
	doc.Steps = doc.Steps[:1]
	doc.Steps[0].Hold = config.Hold{Mode: config.HoldTimed, Duration: config.Duration(time.Minute)}
	b := newBench(t)
	b.at(2*time.Minute, func() { require.Equal(t, workflows.PhaseHolding, b.status().Phase) })
	b.verdict(3*time.Minute, 1, verdict.Promote)
	began := b.Now()
	_, err := b.run(doc)
	require.NoError(t, err)
	require.Greater(t, b.Now().Sub(began), 3*time.Minute)
	require.Len(t, b.cluster.requests, 1)
}

func TestMetricsThatCannotBeMeasuredAreAFailure(t *testing.T) {
	b := newBench(t)
	b.at(time.Minute, func() {
		err := temporal.NewNonRetryableApplicationError("no server", "Refused", nil)
		require.NoError(t, b.CompleteActivity(b.cluster.tokens[0], nil, err))
	})
	b.at(2*time.Minute, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseStuck, s.Phase)
		require.Equal(t, "the metrics of step 1 cannot be measured: no server", s.Failure)
	})
	b.signal(3*time.Minute, workflows.VerbAbort, nil)
	_, err := b.run(byMetrics())
	require.NoError(t, err)
}

func TestMetricsOfTheDocumentAreRefused(t *testing.T) {
	b := newBench(t)
	b.cluster.fail = func(op string) error {
		if op == "prepare metrics" {
			return temporal.NewNonRetryableApplicationError("no such ConfigMap", "Refused", nil)
		}
		return nil
	}
	_, err := b.run(byMetrics())
	require.ErrorContains(t, err, "no such ConfigMap")
	require.Equal(t, []string{"inspect"}, b.cluster.ops())
}

// guardedSeed is the seed's document with an analysis of the whole rollout.
func guardedSeed(step int) config.Rollout {
	doc := seed()
	doc.Analysis = metrics()
	doc.Analysis.StartingStep = step
	return doc
}

func TestWholeRolloutIsGuarded(t *testing.T) {
	b := newBench(t)
	b.verdict(time.Minute, 1, verdict.Rollback)
	result, err := b.run(guardedSeed(1))
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Equal(t, "the rollout's metrics: errors: 12 of 100", result.Reason)
	require.Equal(t, returned, b.cluster.ops())
	require.True(t, b.cluster.requests[0].Guard)
}

func TestGuardBeginsAtItsStep(t *testing.T) {
	b := newBench(t)
	b.at(time.Minute, func() { require.Empty(t, b.cluster.requests) })
	b.signal(2*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
	b.verdict(3*time.Minute, 1, verdict.Rollback)
	result, err := b.run(guardedSeed(2))
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
}

// TestGuardFollowsTheStep in the status, and in queries that name it.
func TestGuardFollowsTheStep(t *testing.T) {
	for query, asked := range map[string][]int{`up`: {1}, `up{step="{{step}}"}`: {1, 2}} {
		t.Run(query, func(t *testing.T) {
			doc := guardedSeed(1)
			doc.Analysis.Metrics[0].Query = query
			b := newBench(t)
			b.answering()
			b.at(time.Minute, func() { require.Equal(t, 1, b.status().Analyses[0].Step) })
			b.signal(2*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
			if len(asked) > 1 {
				b.known(3*time.Minute, 1, verdict.Promote, verdict.Pass)
			}
			b.at(4*time.Minute, func() {
				analyses := b.status().Analyses
				require.Len(t, analyses, len(asked))
				for i, a := range analyses {
					require.Equal(t, i == len(asked)-1, a.Running)
					require.Equal(t, i+3-len(asked), a.Step)
					require.Equal(t, asked[i], b.cluster.requests[i].Subject.Step)
					require.True(t, b.cluster.requests[i].Guard)
				}
				if len(asked) > 1 {
					require.Equal(t, 7, b.cluster.requests[1].State.Metrics[0].Passed, "it goes on from where it was")
				}
			})
			b.verdict(5*time.Minute, len(asked), verdict.Rollback)
			result, err := b.run(doc)
			require.NoError(t, err)
			require.Equal(t, workflows.RolledBack, result.Outcome)
		})
	}
}

func TestOverrideKeepsTheGuard(t *testing.T) {
	b := newBench(t)
	b.verdict(time.Minute, 1, verdict.Pause)
	override := b.update(2*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1, Reason: "known"})
	b.at(3*time.Minute, func() {
		s := b.status()
		require.Equal(t, 2, s.Step, "the step is promoted")
		require.Len(t, b.cluster.requests, 3, "the guard began anew")
		require.False(t, b.cluster.requests[2].Stopped)
		require.Nil(t, b.cluster.requests[2].State)
		require.NotNil(t, b.cluster.requests[2].Earlier, "what was seen of stable stays known")
	})
	b.verdict(4*time.Minute, 3, verdict.Rollback)
	result, err := b.run(guardedSeed(1))
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Equal(t, "promoting step 1 over the verdict of its metrics; the analysis of the whole rollout goes on", override.text)
}

func TestOverrideEndsTheGuardWhereItSaysSo(t *testing.T) {
	b := newBench(t)
	b.verdict(time.Minute, 1, verdict.Pause)
	b.update(2*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1, Reason: "known", SkipAnalysis: true})
	b.signal(3*time.Minute, workflows.VerbPromote, workflows.Message{Step: 2})
	result, err := b.run(guardedSeed(1))
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.Len(t, b.cluster.requests, 2, "the second while a person was waited for")
	require.True(t, b.cluster.requests[1].Stopped)
}

// TestNewRevisionIsGuardedAgain: who lets a revision go on without the analysis has
// not said so of the next one.
func TestNewRevisionIsGuardedAgain(t *testing.T) {
	b := newBench(t)
	b.verdict(time.Minute, 1, verdict.Pause)
	b.update(2*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1, Reason: "known, fixed in v3", SkipAnalysis: true})
	b.signal(3*time.Minute, workflows.VerbRevise, workflows.Message{Change: &workload.Change{Images: map[string]string{"main": "v3"}}})
	b.verdict(4*time.Minute, 3, verdict.Rollback)
	result, err := b.run(guardedSeed(1))
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Len(t, b.cluster.requests, 3)
	require.False(t, b.cluster.requests[2].Stopped)
}

// baked is a document with one step and a bake.
func baked() config.Rollout {
	doc := byMetrics()
	doc.Steps = doc.Steps[:1]
	doc.Steps[0].Analysis = nil
	doc.Bake = &config.Bake{Duration: config.Duration(10 * time.Minute), Analysis: metrics()}
	return doc
}

var bakedOps = preparedOps([]string{
	"inspect", "hold v2", "canary v2 1", "route 0", "route 10",
	"canary v2 5", "route 100", "promote v2", "route 0", "unroute", "release",
})

func TestBake(t *testing.T) {
	b := newBench(t)
	b.at(5*time.Minute, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseBaking, s.Phase)
		require.Equal(t, 100, s.Confirmed.Weight)
		require.NotNil(t, s.Until)
		require.NotContains(t, b.cluster.ops(), "promote v2", "the old revision is kept")
	})
	b.verdict(6*time.Minute, 1, verdict.Promote)
	b.known(10*time.Minute, 2, verdict.Promote, verdict.Pass)
	began := b.Now()
	result, err := b.run(baked())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.Equal(t, bakedOps, b.cluster.ops())
	require.Greater(t, b.Now().Sub(began), 10*time.Minute)
	require.Len(t, b.cluster.requests, 2, "measured on after the verdict")
}

func TestBadBakeReturnsToStable(t *testing.T) {
	b := newBench(t)
	b.verdict(6*time.Minute, 1, verdict.Rollback)
	result, err := b.run(baked())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Equal(t, append(bakedOps[:8:8], "route 0", "unroute", "restore settle=false", "release"), b.cluster.ops())
}

func TestBakeIsPromotedByAPerson(t *testing.T) {
	b := newBench(t)
	b.signal(2*time.Minute, workflows.VerbPromote, workflows.Message{Step: 2, By: "ann"})
	began := b.Now()
	result, err := b.run(baked())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.Less(t, b.Now().Sub(began), 5*time.Minute)
}

func TestFullPromotionIsBakedNevertheless(t *testing.T) {
	doc := baked()
	doc.Steps[0].Hold = config.Hold{Mode: config.HoldApproval}
	b := newBench(t)
	b.signal(time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
	b.verdict(2*time.Minute, 1, verdict.Rollback)
	result, err := b.run(doc)
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
}

// TestDryRunsDecideNothing: where all metrics of a hold are dry runs, its time or a
// person decides.
func TestDryRunsDecideNothing(t *testing.T) {
	dry := func() *config.Analysis {
		a := metrics()
		a.Metrics[0].DryRun = true
		return a
	}
	bake := baked()
	bake.Bake.Analysis = dry()
	step := byMetrics()
	step.Steps = step.Steps[:1]
	step.Steps[0].Analysis = dry()
	timed, asked := step, step
	timed.Steps = slices.Clone(step.Steps)
	timed.Steps[0].Hold = config.Hold{Mode: config.HoldTimed, Duration: config.Duration(10 * time.Minute)}
	asked.Steps = slices.Clone(step.Steps)
	asked.Steps[0].Hold = config.Hold{Mode: config.HoldApproval}
	for name, test := range map[string]struct {
		doc     config.Rollout
		text    string
		promote time.Duration
	}{
		"timed":           {timed, "step 1 holds for 10m0s; promote to go on now (its metrics are dry runs", 0},
		"bake":            {bake, "promote to go on now (its metrics are dry runs", 0},
		"approval":        {asked, "step 1 waits for approval: promote to go on (its metrics are dry runs", 9 * time.Minute},
		"approved before": {asked, "", time.Millisecond},
		"no hold":         {step, "step 1 waits for approval: promote to go on (its metrics are dry runs", 9 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if test.text != "" {
				b.at(5*time.Minute, func() {
					require.Contains(t, b.status().Message, test.text)
					require.Len(t, b.cluster.requests, 1, "they are measured")
				})
			}
			if test.promote > 0 {
				b.signal(test.promote, workflows.VerbPromote, workflows.Message{Step: 1})
			}
			b.at(20*time.Minute, func() { require.Equal(t, workflows.PhasePromoted, b.status().Phase) })
			b.signal(30*time.Minute, workflows.VerbAbort, nil)
			result, err := b.run(test.doc)
			require.NoError(t, err)
			require.Equal(t, workflows.Promoted, result.Outcome)
		})
	}
}

func TestGuardWatchesTheBake(t *testing.T) {
	doc := baked()
	doc.Bake.Analysis = nil
	doc.Analysis = metrics()
	doc.Analysis.StartingStep = 2
	b := newBench(t)
	b.verdict(5*time.Minute, 1, verdict.Rollback)
	result, err := b.run(doc)
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
}
