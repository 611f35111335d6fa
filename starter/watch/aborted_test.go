package watch

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// abort lets the rollout of v2 return to stable by a decision, and a loop apply v2
// again. It returns the revision.
func (b *bench) abort() string {
	b.t.Helper()
	b.rolling()
	revision := workload.Revision(b.deployment().Spec.Template)
	last := ended(workflows.PhaseRolledBack, revision)
	b.back()
	b.temporal.last = &last
	b.tellNews(last)
	b.look()
	require.Equal(b.t, []string{revision}, config.AbortedOf(b.object().GetAnnotations()))
	require.Equal(b.t, revision, b.hold("version:v2"))
	return revision
}

// back puts the stable template on the workload, as a rollout does at its end.
func (b *bench) back() {
	b.change(func(d *appsv1.Deployment) {
		delete(d.Annotations, release.AnnotationRelease)
		d.Spec.Paused = false
		d.Spec.Template.Spec.Containers[0].Image = "version:v1"
	})
}

func TestAbortedRevisionIsRememberedOnTheRollout(t *testing.T) {
	cases := map[string]func(b *bench){
		"Temporal has forgotten it": func(b *bench) { b.temporal.last = nil },
		"another one was refused": func(b *bench) {
			last := ended(workflows.PhaseRefused, "")
			b.temporal.last = &last
		},
		"another one is stable": func(b *bench) {
			last := ended(workflows.PhasePromoted, "v3")
			b.temporal.last = &last
		},
	}
	for name, forget := range cases {
		t.Run(name, func(t *testing.T) {
			inBench(t, nil, func(b *bench) {
				revision := b.abort()
				forget(b)
				starts := len(b.temporal.started)
				require.Contains(t, b.look().Message, "revision "+revision+" was aborted and is held", "however often it looks")
				require.Len(t, b.temporal.started, starts)
				require.True(t, b.deployment().Spec.Paused)
			})
		})
	}
}

func TestAbortThatNobodyWatchedIsRemembered(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		revision := b.hold("version:v2")
		last := ended(workflows.PhaseRolledBack, revision)
		b.temporal.last = &last
		require.Contains(t, b.look().Message, "was aborted (how it ended)")
		require.Equal(t, []string{revision}, config.AbortedOf(b.object().GetAnnotations()))
	})
}

func TestPermissionToGoAgainIsUsedUp(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		revision := b.abort()
		starts := len(b.temporal.started)
		b.edit(func(o *unstructured.Unstructured) {
			annotations := o.GetAnnotations()
			annotations[config.AnnotationReleaseAgain] = revision
			o.SetAnnotations(annotations)
		})
		b.look()
		require.Len(t, b.temporal.started, starts+1)
		b.record()
		again := holdingAt(1)
		again.Revision = revision
		b.tellNews(again)
		b.look()
		require.NotContains(t, b.object().GetAnnotations(), config.AnnotationReleaseAgain)
		require.Empty(t, config.AbortedOf(b.object().GetAnnotations()))
	})
}

// TestAbortedRevisionNeverRollsOutByLeaving deletes or disables a Rollout whose
// held revision was aborted: the workload has its stable template again.
func TestAbortedRevisionNeverRollsOutByLeaving(t *testing.T) {
	deleted := func(o *unstructured.Unstructured) error {
		now := metav1.Now()
		o.SetDeletionTimestamp(&now)
		return nil
	}
	disabled := func(o *unstructured.Unstructured) error {
		return unstructured.SetNestedField(o.Object, true, "spec", "disabled")
	}
	cases := map[string]struct {
		leave  func(*unstructured.Unstructured) error
		queued bool
	}{
		"deleted": {leave: deleted}, "disabled": {leave: disabled}, "deleted while it waits": {leave: deleted, queued: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBench(t, nil, func(b *bench) {
				revision := b.abort()
				b.temporal.last = nil
				if c.queued {
					b.change(func(d *appsv1.Deployment) {
						s := &subject{revision: revision, d: d}
						queued, err := s.queueOf(release.Hold{})
						require.NoError(t, err)
						d.Annotations[release.AnnotationQueued] = release.Text(queued)
						delete(d.Annotations, release.AnnotationHold)
						d.Spec.Paused = false
						d.Spec.Template.Spec.Containers[0].Image = "version:v1"
					})
				}
				b.edit(func(o *unstructured.Unstructured) { require.NoError(t, c.leave(o)) })
				b.look()
				d := b.deployment()
				require.Equal(t, "version:v1", d.Spec.Template.Spec.Containers[0].Image)
				require.False(t, d.Spec.Paused)
				require.NotContains(t, d.Annotations, release.AnnotationHold)
				require.NotContains(t, d.Annotations, release.AnnotationQueued)
			})
		})
	}
}

func TestHeldRevisionThatWasNotAbortedRollsOutByLeaving(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		b.hold("version:v2")
		b.edit(func(o *unstructured.Unstructured) {
			require.NoError(t, unstructured.SetNestedField(o.Object, true, "spec", "disabled"))
		})
		b.look()
		require.Equal(t, "version:v2", b.deployment().Spec.Template.Spec.Containers[0].Image)
		require.False(t, b.deployment().Spec.Paused)
	})
}
