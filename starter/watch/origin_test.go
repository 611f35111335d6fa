package watch

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/workflows"
)

func setDisabled(o *unstructured.Unstructured) {
	_ = unstructured.SetNestedField(o.Object, true, "spec", "disabled")
}

func setDeleted(o *unstructured.Unstructured) {
	now := metav1.Now()
	o.SetDeletionTimestamp(&now)
}

// edited gives step 1 another weight.
func edited(o *unstructured.Unstructured) {
	steps, _, _ := unstructured.NestedSlice(o.Object, "spec", "strategy", "canary", "steps")
	if first, ok := steps[0].(map[string]any); ok {
		first["weight"] = int64(15)
	}
	_ = unstructured.SetNestedSlice(o.Object, steps, "spec", "strategy", "canary", "steps")
	o.SetGeneration(o.GetGeneration() + 1)
}

// byCommandLine begins a rollout of the workload that no Rollout has started.
func (b *bench) byCommandLine() {
	b.t.Helper()
	b.hold("version:v2")
	b.record()
	open := holdingAt(1)
	b.temporal.last = &open
	b.look()
	b.tellNews(open)
	b.look()
	require.Empty(b.t, b.temporal.started)
}

// TestRolloutOfTheCommandLine on a workload that has a Rollout: it is shown, takes
// approvals, and is neither ended nor planned anew by what becomes of the object.
func TestRolloutOfTheCommandLine(t *testing.T) {
	t.Run("disabled before", func(t *testing.T) {
		inBench(t, setDisabled, func(b *bench) {
			b.byCommandLine()
			require.Empty(t, b.temporal.sent)
		})
	})
	t.Run("deleted", func(t *testing.T) {
		inBench(t, nil, func(b *bench) {
			b.look()
			b.byCommandLine()
			b.edit(setDeleted)
			b.look()
			require.Empty(t, b.temporal.sent)
			require.NotContains(t, b.deployment().Labels, release.LabelBypass)
			require.Empty(t, b.object().GetFinalizers())
			require.True(t, b.deployment().Spec.Paused, "its rollout goes on")
		})
	})
	t.Run("edited", func(t *testing.T) {
		inBench(t, nil, func(b *bench) {
			b.look()
			b.byCommandLine()
			b.edit(edited)
			b.look()
			require.Empty(t, b.temporal.sent)
			b.approve()
			b.look()
			require.Equal(t, []workflows.Verb{workflows.VerbPromote}, b.temporal.verbs())
		})
	})
}

// TestOwnRolloutIsEndedWithItsRollout is what the case before leaves out.
func TestOwnRolloutIsEndedWithItsRollout(t *testing.T) {
	for name, change := range map[string]func(*unstructured.Unstructured){"disabled": setDisabled, "deleted": setDeleted} {
		t.Run(name, func(t *testing.T) {
			inBench(t, nil, func(b *bench) {
				b.rolling()
				b.edit(change)
				b.look()
				require.Equal(t, []workflows.Verb{workflows.VerbPromote}, b.temporal.verbs())
				require.True(t, b.temporal.sent[0].m.Full)
			})
		})
	}
}

// TestHoldIsNotDroppedUnderARolloutThatHasJustBegun: it has not marked the workload
// yet, and a new leader does not follow it.
func TestHoldIsNotDroppedUnderARolloutThatHasJustBegun(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		b.hold("version:v2")
		b.look()
		require.Len(t, b.temporal.started, 1)
		checking := holdingAt(1)
		checking.Phase = workflows.PhaseChecking
		b.temporal.last = &checking
		b.unfollow(webKey)
		b.edit(setDisabled)
		b.look()
		require.True(t, b.deployment().Spec.Paused)
		require.Contains(t, b.deployment().Annotations, release.AnnotationHold)
		b.tellNews(checking)
		b.look()
		require.True(t, b.deployment().Spec.Paused)
		b.record()
		b.tellNews(holdingAt(1))
		b.look()
		require.Equal(t, []workflows.Verb{workflows.VerbPromote}, b.temporal.verbs())
	})
}

// TestFollowerThatHearsNothingAnyMore of an open rollout, as with a key that has
// expired: the rollout is looked for again.
func TestFollowerThatHearsNothingAnyMore(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.rolling()
		for b.queue.Len() > 0 {
			k, _ := b.queue.Get()
			b.queue.Done(k)
		}
		b.follower(webKey).set(nil, true)
		_, err := b.reconcile(b.ctx, webKey)
		require.NoError(t, err)
		require.False(t, b.following(webKey))
		time.Sleep(awayPause + time.Millisecond)
		synctest.Wait()
		require.Equal(t, 1, b.queue.Len())
		open := holdingAt(2)
		b.temporal.last = &open
		b.look()
		b.tellNews(open)
		require.EqualValues(t, 2, b.look().CanaryStatus.CurrentStepIndex)
	})
}

// TestPlanThatWasRefusedCanComeAgain when what spoke against it is mended.
func TestPlanThatWasRefusedCanComeAgain(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.rolling()
		b.temporal.refuse = "no such metric"
		b.edit(edited)
		b.look()
		require.Len(t, b.temporal.sent, 1)
		b.temporal.refuse = ""
		b.edit(func(o *unstructured.Unstructured) { o.SetGeneration(o.GetGeneration() + 1) })
		b.look()
		require.Equal(t, []workflows.Verb{workflows.VerbReplan, workflows.VerbReplan}, b.temporal.verbs())
		require.NotEqual(t, b.temporal.sent[0].id, b.temporal.sent[1].id)
	})
}
