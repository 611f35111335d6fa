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

// guardedSteps is a document whose steps are measured, and the whole rollout, too.
func guardedSteps() config.Rollout {
	doc := byMetrics()
	doc.Analysis = metrics()
	return doc
}

// unmindful lets the rollout be one that an earlier release has begun.
func (b *bench) unmindful() {
	b.OnGetVersion("guard-a-rollout-that-metrics-have-stopped", workflow.DefaultVersion, workflow.Version(1)).Return(workflow.DefaultVersion)
}

// places are those of the analysis of the step and of that of the whole rollout, which
// begin together, from 1.
func (b *bench) places() (step, whole int) {
	for i, r := range b.cluster.requests[:2] {
		if r.Guard {
			whole = i + 1
		} else {
			step = i + 1
		}
	}
	return step, whole
}

// TestStoppedByAStepItIsGuardedOn: while a person is waited for, what was measured
// beside the step goes on, and may return the rollout.
func TestStoppedByAStepItIsGuardedOn(t *testing.T) {
	b := newBench(t)
	b.at(time.Minute, func() {
		step, whole := b.places()
		b.verdict(0, step, verdict.Pause)
		b.verdict(time.Hour, whole, verdict.Rollback)
	})
	b.at(30*time.Minute, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseStuck, s.Phase)
		require.Len(t, b.cluster.requests, 2, "it was not begun anew")
	})
	result, err := b.run(guardedSteps())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Equal(t, "the rollout's metrics: errors: 12 of 100", result.Reason)
}

// TestStoppedByAStepAPauseChangesNothingMore, and what may return goes on from there.
func TestStoppedByAStepAPauseChangesNothingMore(t *testing.T) {
	b := newBench(t)
	b.at(time.Minute, func() {
		step, whole := b.places()
		b.verdict(0, step, verdict.Pause)
		b.verdict(time.Minute, whole, verdict.Pause)
	})
	b.at(10*time.Minute, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseStuck, s.Phase)
		require.Equal(t, "the metrics of step 1: errors: 12 of 100", s.Failure)
		require.Len(t, b.cluster.requests, 3)
		require.True(t, b.cluster.requests[2].Stopped)
		require.NotNil(t, b.cluster.requests[2].State, "it goes on from where it was")
	})
	b.verdict(20*time.Minute, 3, verdict.Rollback)
	result, err := b.run(guardedSteps())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
}

// TestStoppedByItsOwnMetricsItIsGuardedOn, where any of them may return.
func TestStoppedByItsOwnMetricsItIsGuardedOn(t *testing.T) {
	b := newBench(t)
	b.verdict(time.Minute, 1, verdict.Pause)
	b.at(2*time.Minute, func() {
		require.Equal(t, workflows.PhaseStuck, b.status().Phase)
		require.Len(t, b.cluster.requests, 2)
		require.True(t, b.cluster.requests[1].Guard)
		require.True(t, b.cluster.requests[1].Stopped)
		require.NotNil(t, b.cluster.requests[1].State, "it goes on from where it was")
	})
	b.verdict(time.Hour, 2, verdict.Rollback)
	result, err := b.run(guardedSeed(1))
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
}

// TestStoppedWhereNothingReturns measures no more until a person has decided.
func TestStoppedWhereNothingReturns(t *testing.T) {
	doc := guardedSeed(1)
	doc.Analysis.Metrics[0].OnFail = config.FailurePause
	b := newBench(t)
	b.verdict(time.Minute, 1, verdict.Pause)
	b.at(time.Hour, func() { require.Len(t, b.cluster.requests, 1) })
	b.signal(2*time.Hour, workflows.VerbRetry, nil)
	b.at(3*time.Hour, func() {
		require.Len(t, b.cluster.requests, 2)
		require.False(t, b.cluster.requests[1].Stopped)
	})
	b.signal(4*time.Hour, workflows.VerbAbort, nil)
	_, err := b.run(doc)
	require.NoError(t, err)
}

// TestStoppedByAWorkerThatKnowsNoStops begins no measurement again and again: one of an
// earlier release ends with each pause.
func TestStoppedByAWorkerThatKnowsNoStops(t *testing.T) {
	b := newBench(t)
	b.verdict(time.Minute, 1, verdict.Pause)
	b.verdict(2*time.Minute, 2, verdict.Pause)
	b.at(time.Hour, func() { require.Len(t, b.cluster.requests, 2) })
	b.signal(2*time.Hour, workflows.VerbAbort, nil)
	_, err := b.run(guardedSeed(1))
	require.NoError(t, err)
}

// TestStoppedRolloutsOfEarlierReleases are not measured until a person has decided.
func TestStoppedRolloutsOfEarlierReleases(t *testing.T) {
	b := newBench(t)
	b.unmindful()
	b.at(time.Minute, func() {
		step, whole := b.places()
		b.verdict(0, step, verdict.Pause)
		b.verdict(time.Minute, whole, verdict.Rollback)
	})
	b.at(time.Hour, func() {
		require.Equal(t, workflows.PhaseStuck, b.status().Phase, "nobody asks for the verdict any more")
		require.Len(t, b.cluster.requests, 2)
	})
	b.signal(2*time.Hour, workflows.VerbAbort, nil)
	result, err := b.run(guardedSteps())
	require.NoError(t, err)
	require.Contains(t, result.Reason, "aborted")
}

func TestStoppedByItsOwnMetricsInAnEarlierRelease(t *testing.T) {
	b := newBench(t)
	b.unmindful()
	b.verdict(time.Minute, 1, verdict.Pause)
	b.at(time.Hour, func() { require.Len(t, b.cluster.requests, 1) })
	b.signal(2*time.Hour, workflows.VerbAbort, nil)
	_, err := b.run(guardedSeed(1))
	require.NoError(t, err)
}
