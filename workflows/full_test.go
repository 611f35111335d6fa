package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/workflows"
)

// TestStaleFullPromotion: one that was asked for at step 1 must not promote the steps
// that its sender has not seen.
func TestStaleFullPromotion(t *testing.T) {
	b := newBench(t)
	b.signal(time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
	stale := b.update(2*time.Minute, workflows.VerbPromote, workflows.Message{Full: true, Step: 1})
	b.signal(2*time.Minute, workflows.VerbPromote, workflows.Message{Full: true, Step: 1})
	ahead := b.update(2*time.Minute, workflows.VerbPromote, workflows.Message{Full: true, Step: 3})
	b.signal(3*time.Minute, workflows.VerbPause, nil)
	paused := b.update(4*time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
	b.at(5*time.Minute, func() { require.Equal(t, 2, b.status().Step) })
	b.signal(6*time.Minute, workflows.VerbResume, nil)
	good := b.update(7*time.Minute, workflows.VerbPromote, workflows.Message{Full: true, Step: 2})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.ErrorContains(t, stale.rejected, "step 1 is promoted already: the rollout is at step 2")
	require.Equal(t, []string{"step 1 is promoted already: the rollout is at step 2"}, refusals(result.Decisions))
	require.ErrorContains(t, ahead.rejected, "the rollout is at step 2, not yet at step 3")
	require.ErrorContains(t, paused.rejected, "resume it first")
	require.NoError(t, good.rejected)
	require.Equal(t, "promoting through all remaining steps", good.text)
}

// TestSecondFullPromotion finds one that runs already: before the last step, and when
// the pods of the workload are replaced.
func TestSecondFullPromotion(t *testing.T) {
	for op, want := range map[string]string{
		"canary v2 5": "all remaining steps are promoted already",
		"promote v2":  "the new revision is being made stable already",
	} {
		t.Run(op, func(t *testing.T) {
			b := newBench(t)
			b.cluster.block = func(o string) bool { return o == op && b.cluster.blocked == nil }
			b.signal(time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
			second := b.update(2*time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
			b.at(time.Hour, func() {
				require.NoError(t, b.CompleteActivity(b.cluster.blocked, workload.Pods{Total: 5, Ready: 5}, nil))
			})
			_, err := b.run(seed())
			require.NoError(t, err)
			require.ErrorContains(t, second.rejected, want)
		})
	}
}

// TestEarlierReleasesAcceptedAStaleFullPromotion, and their histories go on so.
func TestEarlierReleasesAcceptedAStaleFullPromotion(t *testing.T) {
	b := newBench(t)
	b.OnGetVersion("refuse-a-full-promotion-that-is-stale", workflow.DefaultVersion, workflow.Version(1)).Return(workflow.DefaultVersion)
	b.signal(time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
	b.signal(2*time.Minute, workflows.VerbPromote, workflows.Message{Full: true, Step: 1})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.Empty(t, refusals(result.Decisions))
}
