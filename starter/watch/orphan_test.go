package watch

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/watch/admission"
	"sluice.dev/sluice/workflows"
)

// settle lets the watcher do all that is queued.
func (b *bench) settle() {
	b.t.Helper()
	synctest.Wait()
	for range 30 {
		if b.queue.Len() == 0 {
			return
		}
		k, _ := b.queue.Get()
		_, err := b.reconcile(b.ctx, k)
		b.queue.Done(k)
		if err != nil && !expected(err) {
			require.NoError(b.t, err)
		}
		synctest.Wait()
	}
	require.Fail(b.t, "it does not come to rest")
}

func pointElsewhere(o *unstructured.Unstructured) {
	_ = unstructured.SetNestedField(o.Object, "other", "spec", "objectRef", "workloadRef", "name")
}

func otherClass(o *unstructured.Unstructured) {
	o.SetLabels(map[string]string{admission.LabelClass: "nobody"})
}

// remove deletes the Rollout as the API server does once somebody has taken our
// finalizer away.
func (b *bench) remove() {
	b.t.Helper()
	require.NoError(b.t, b.client.Resource(betaRollouts).Namespace("shop").Delete(b.ctx, "web", metav1.DeleteOptions{}))
}

// TestWorkloadThatLostItsRolloutIsLetGo with what is held on it, in every way in
// which a Rollout can leave it.
func TestWorkloadThatLostItsRolloutIsLetGo(t *testing.T) {
	for name, lose := range map[string]func(b *bench){
		"another workload is named":       func(b *bench) { b.edit(pointElsewhere) },
		"the finalizer was taken by hand": func(b *bench) { b.remove() },
		"another class":                   func(b *bench) { b.edit(otherClass) },
	} {
		t.Run(name, func(t *testing.T) {
			inBench(t, nil, func(b *bench) {
				b.look()
				b.settle()
				require.Equal(t, []string{finalizer}, b.object().GetFinalizers())
				b.hold("version:v2")
				lose(b)
				b.settle()
				d := b.deployment()
				require.NotContains(t, d.Labels, release.LabelBypass)
				require.NotContains(t, d.Annotations, release.AnnotationHold)
				require.False(t, d.Spec.Paused)
				require.Equal(t, "version:v2", d.Spec.Template.Spec.Containers[0].Image)
				if name == "another class" {
					require.Empty(t, b.object().GetFinalizers())
				}
			})
		})
	}
}

// TestWorkloadThatIsLostDuringAnOutage is found at the start.
func TestWorkloadThatIsLostDuringAnOutage(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		b.hold("version:v2")
		b.remove()
		synctest.Wait()
		for b.queue.Len() > 0 { // nobody leads
			k, _ := b.queue.Get()
			b.queue.Done(k)
		}
		b.enqueueAll()
		b.settle()
		require.NotContains(t, b.deployment().Labels, release.LabelBypass)
		require.False(t, b.deployment().Spec.Paused)
	})
}

// TestOrphanIsNotReleasedAgainstADecision: an aborted revision does not roll out, an
// open rollout goes on, and what a Rollout asks for is done.
func TestOrphanIsNotReleasedAgainstADecision(t *testing.T) {
	t.Run("aborted", func(t *testing.T) {
		inBench(t, nil, func(b *bench) {
			b.look()
			last := ended(workflows.PhaseRolledBack, b.hold("version:v2"))
			b.temporal.last = &last
			b.remove()
			b.settle()
			require.Equal(t, "version:v1", b.deployment().Spec.Template.Spec.Containers[0].Image)
			require.False(t, b.deployment().Spec.Paused)
			require.NotContains(t, b.deployment().Labels, release.LabelBypass)
		})
	})
	t.Run("open", func(t *testing.T) {
		inBench(t, nil, func(b *bench) {
			b.rolling()
			b.edit(pointElsewhere)
			b.settle()
			require.True(t, b.deployment().Spec.Paused)
			require.Contains(t, b.deployment().Labels, release.LabelBypass)
			b.change(func(d *appsv1.Deployment) {
				delete(d.Annotations, release.AnnotationRelease)
				d.Spec.Paused = false
			})
			b.settle()
			require.NotContains(t, b.deployment().Labels, release.LabelBypass)
		})
	})
	t.Run("on-delete: rollback", func(t *testing.T) {
		inBench(t, func(o *unstructured.Unstructured) {
			o.SetAnnotations(map[string]string{config.AnnotationOnDelete: "rollback"})
		}, func(b *bench) {
			b.look()
			b.hold("version:v2")
			b.edit(otherClass)
			b.settle()
			require.Equal(t, "version:v1", b.deployment().Spec.Template.Spec.Containers[0].Image)
			require.NotContains(t, b.deployment().Annotations, release.AnnotationHold)
		})
	})
}

// TestFinalizerIsTakenWhenKruiseComes: Kruise would wait for it for ever.
func TestFinalizerIsTakenWhenKruiseComes(t *testing.T) {
	labelled := func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{admission.LabelClass: "canaries"}) }
	inBench(t, labelled, func(b *bench) {
		b.Class = "canaries"
		b.look()
		require.Equal(t, []string{finalizer}, b.object().GetFinalizers())
		b.kruiseController(true)
		require.NoError(t, b.checkKruise(b.ctx))
		b.settle()
		require.Empty(t, b.object().GetFinalizers())
	})
}
