package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// guardedBake is a document whose bake only the analysis of the whole rollout judges.
func guardedBake() config.Rollout {
	doc := baked()
	doc.Bake.Analysis = nil
	doc.Analysis = metrics()
	return doc
}

// TestGuardedBakeEndsWhenItsMetricsAnswer, and not by its time alone.
func TestGuardedBakeEndsWhenItsMetricsAnswer(t *testing.T) {
	b := newBench(t)
	b.at(20*time.Minute, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseBaking, s.Phase)
		require.Contains(t, s.Message, "it ends when the metrics beside the rollout can be measured")
		require.Len(t, b.cluster.requests, 2)
		require.True(t, b.cluster.requests[1].Answers)
		require.False(t, b.cluster.requests[1].Guard)
	})
	b.known(30*time.Minute, 2, verdict.Continue, verdict.Measuring)
	began := b.Now()
	result, err := b.run(guardedBake())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.Greater(t, b.Now().Sub(began), 30*time.Minute)
	require.True(t, told(b.status(), "the metrics at the end of the bake can be measured"))
}

// TestGuardedBakeFailsAfterItsTime: what has been seen all along decides.
func TestGuardedBakeFailsAfterItsTime(t *testing.T) {
	b := newBench(t)
	b.verdict(20*time.Minute, 1, verdict.Rollback)
	result, err := b.run(guardedBake())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
}

// TestGuardedBakeEndsByItsTime where nobody is to be asked.
func TestGuardedBakeEndsByItsTime(t *testing.T) {
	dry := guardedBake()
	dry.Analysis.Metrics[0].DryRun = true
	held := guardedBake()
	held.Steps[0].Hold = config.Hold{Mode: config.HoldApproval}
	for name, test := range map[string]struct {
		doc    config.Rollout
		before func(*bench)
	}{
		"only observed": {dry, func(*bench) {}},
		"the analysis was skipped": {held, func(b *bench) {
			b.signal(time.Minute, workflows.VerbPromote, workflows.Message{Step: 1, Reason: "known", SkipAnalysis: true})
		}},
		"begun by an earlier release": {guardedBake(), func(b *bench) {
			b.OnGetVersion("end-a-guarded-bake-only-when-metrics-answer", workflow.DefaultVersion, workflow.Version(1)).Return(workflow.DefaultVersion)
		}},
		"promoted by a person": {guardedBake(), func(b *bench) {
			b.signal(20*time.Minute, workflows.VerbPromote, workflows.Message{Step: 2, By: "ann"})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			test.before(b)
			b.at(40*time.Minute, func() { require.Equal(t, workflows.PhasePromoted, b.status().Phase) })
			b.signal(time.Hour, workflows.VerbAbort, nil)
			result, err := b.run(test.doc)
			require.NoError(t, err)
			require.Equal(t, workflows.Promoted, result.Outcome)
		})
	}
}

// TestEditAtTheEndOfAGuardedBake does not let it bake again.
func TestEditAtTheEndOfAGuardedBake(t *testing.T) {
	doc := guardedBake()
	edited := guardedBake()
	edited.Bake = &config.Bake{Duration: config.Duration(11 * time.Minute)}
	b := newBench(t)
	b.signal(20*time.Minute, workflows.VerbReplan, workflows.Message{Rollout: &edited})
	b.at(21*time.Minute, func() {
		require.Contains(t, b.status().Message, "it ends when the metrics beside the rollout can be measured")
		require.Len(t, b.cluster.requests, 3)
	})
	b.known(22*time.Minute, 3, verdict.Continue, verdict.Measuring)
	result, err := b.run(doc)
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
}
