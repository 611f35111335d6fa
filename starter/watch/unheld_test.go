package watch

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config/kruise"
	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/workflows"
)

// image writes an image unheld.
func (b *bench) image(image string) {
	b.change(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = image })
}

func (b *bench) scale(n int32) {
	b.change(func(d *appsv1.Deployment) { d.Spec.Replicas = &n })
}

// events of a reason.
func (b *bench) events(reason string) []string {
	b.t.Helper()
	list, err := b.server.CoreV1().Events("shop").List(b.ctx, metav1.ListOptions{})
	require.NoError(b.t, err)
	var texts []string
	for _, e := range list.Items {
		if e.Reason == reason {
			texts = append(texts, e.Message)
		}
	}
	return texts
}

// slipped is the metric of pods that slipped through.
func (b *bench) slipped() float64 {
	b.t.Helper()
	families, err := b.Metrics.Registry.Gather()
	require.NoError(b.t, err)
	for _, f := range families {
		if strings.HasSuffix(f.GetName(), "slipped_pods_total") {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	require.Fail(b.t, "there is no such metric")
	return 0
}

func TestChangeThatReplacedAllPodsIsToldAndNotTakenBack(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		b.image("version:v2") // while webhook and watcher are away
		revision := workload.Revision(b.deployment().Spec.Template)
		b.server.Freeze()
		b.scale(7) // a scaling that the watcher finds when it is back
		_, err := b.reconcile(b.ctx, webKey)
		require.NoError(t, err)
		d := b.deployment()
		require.Equal(t, "version:v2", d.Spec.Template.Spec.Containers[0].Image)
		require.NotContains(t, d.Annotations, release.AnnotationQueued)
		require.False(t, d.Spec.Paused)

		b.server.Thaw()
		s := b.look()
		require.Equal(t, projection.PhaseHealthy, s.Phase)
		require.Equal(t, revision, s.CanaryStatus.StableRevision)
		told := b.events("Unheld")
		require.Len(t, told, 1)
		require.Contains(t, told[0], "revision "+revision+" rolled out unheld and is stable now (7 pods)")
		require.InDelta(t, 7, b.slipped(), 0)
		require.Empty(t, b.temporal.started)
	})
}

func TestUnheldChangeAfterAnUnheldOneIsTakenBack(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		b.image("version:v2")
		b.server.Freeze()
		b.image("version:v3") // v1, which the status tells to be stable, has no pods
		_, err := b.reconcile(b.ctx, webKey)
		require.NoError(t, err)
		require.Equal(t, "version:v2", b.deployment().Spec.Template.Spec.Containers[0].Image)
		require.Contains(t, b.deployment().Annotations, release.AnnotationQueued)
	})
}

func TestChangeFromTheCommandLineIsNotToldAsUnheld(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		b.image("version:v2")
		last := ended(workflows.PhasePromoted, workload.Revision(b.deployment().Spec.Template))
		b.temporal.last = &last
		require.Equal(t, last.Revision, b.look().CanaryStatus.StableRevision)
		require.Empty(t, b.events("Unheld"))
		require.Zero(t, b.slipped())
	})
}

func TestRolloutIDGatesWhatIsTakenBack(t *testing.T) {
	for id, taken := range map[string]bool{"1": false, "2": true} {
		t.Run(id, func(t *testing.T) {
			inBench(t, nil, func(b *bench) {
				b.change(func(d *appsv1.Deployment) { d.Annotations[kruise.RolloutID] = "1" })
				require.Equal(t, "1", b.look().CanaryStatus.ObservedRolloutID)
				b.server.Freeze()
				b.change(func(d *appsv1.Deployment) {
					d.Annotations[kruise.RolloutID] = id
					d.Spec.Template.Spec.Containers[0].Image = "version:v2"
				})
				_, err := b.reconcile(b.ctx, webKey)
				require.NoError(t, err)
				_, waits := b.deployment().Annotations[release.AnnotationQueued]
				require.Equal(t, taken, waits)
				if !taken {
					b.server.Thaw()
					require.Equal(t, workload.Revision(b.deployment().Spec.Template), b.look().CanaryStatus.StableRevision)
					require.Empty(t, b.events("Unheld"))
				}
			})
		})
	}
}
