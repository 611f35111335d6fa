package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/workflows"
)

// grow lets the history have so many events from a virtual time on.
func (b *bench) grow(delay time.Duration, events int) {
	b.at(delay, func() {
		b.SetContinueAsNewSuggested(true)
		b.SetCurrentHistoryLength(events)
	})
}

func TestALongHistoryIsWarnedOf(t *testing.T) {
	b := newBench(t)
	b.grow(time.Minute, 4096)
	jump := b.update(2*time.Minute, workflows.VerbJump, workflows.Message{Step: 2})
	b.at(3*time.Minute, func() {
		s := b.status()
		require.Len(t, s.Warnings, 1)
		require.Contains(t, s.Warnings[0], "the history of this rollout is long (4096 events)")
		require.Equal(t, workflows.PhaseHolding, s.Phase)
	})
	b.signal(time.Hour, workflows.VerbPromote, workflows.Message{Full: true})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.NoError(t, jump.rejected)
}

// TestACrowdedHistoryTakesWhatIsNeeded: what leads to the end is taken, and a
// person may still insist by a signal.
func TestACrowdedHistoryTakesWhatIsNeeded(t *testing.T) {
	b := newBench(t)
	b.grow(time.Minute, 20_000)
	jump := b.update(2*time.Minute, workflows.VerbJump, workflows.Message{Step: 2})
	revise := b.update(3*time.Minute, workflows.VerbRevise, workflows.Message{Change: &workload.Change{Images: map[string]string{"main": "v3"}}})
	promote := b.update(4*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
	b.signal(5*time.Minute, workflows.VerbJump, workflows.Message{Step: 1})
	b.at(6*time.Minute, func() { require.Equal(t, 1, b.status().Step) })
	abort := b.update(time.Hour, workflows.VerbAbort, workflows.Message{})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.ErrorContains(t, jump.rejected, "too long (20000 events) for a jump: promote or abort it")
	require.ErrorContains(t, revise.rejected, "for a revise")
	require.NoError(t, promote.rejected)
	require.NoError(t, abort.rejected)
}

func TestAFullHistoryReturnsToStable(t *testing.T) {
	b := newBench(t)
	b.grow(time.Minute, 40_000)
	b.signal(2*time.Minute, workflows.VerbPause, nil) // anything that happens
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Contains(t, result.Reason, "the history is nearly full")
	require.Equal(t, "release", b.cluster.ops()[len(b.cluster.ops())-1])
}

func TestAFullHistoryDoesNotUndoWhatIsDone(t *testing.T) {
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "unroute" && b.cluster.blocked == nil }
	b.signal(time.Second, workflows.VerbPromote, workflows.Message{Full: true})
	b.grow(time.Minute, 40_000)
	b.at(2*time.Minute, func() { require.NoError(t, b.CompleteActivity(b.cluster.blocked, nil, nil)) })
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
}
