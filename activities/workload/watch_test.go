package workload_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/workload"
)

// watch holds v2 and watches; it returns what the watch will find.
func (b *bench) watch() chan workload.Changed {
	b.t.Helper()
	held, err := b.HoldRevision(b.t.Context(), b.holdRequest(1, image("v2")))
	require.NoError(b.t, err)
	found := b.watches.start(workload.WatchRequest{
		Ref: kubetest.Ref(1), Replicas: 3, Revision: held.Revision, StableRevision: b.v1, Paused: true, Version: held.Version,
	})
	synctest.Wait()
	b.server.ClearActions()
	return found
}

func TestWatchReportsChanges(t *testing.T) {
	cases := []struct {
		name string
		edit func(d *appsv1.Deployment)
		want func(d *appsv1.Deployment, c workload.Changed) bool
	}{
		{"replicas", func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(10)) },
			func(_ *appsv1.Deployment, c workload.Changed) bool { return c.Replicas == 10 && c.Paused }},
		{"template", func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "version:v3" },
			func(d *appsv1.Deployment, c workload.Changed) bool {
				return c.Revision == workload.Revision(d.Spec.Template) && c.Images["main"] == "version:v3"
			}},
		{"pause", func(d *appsv1.Deployment) { d.Spec.Paused = false },
			func(_ *appsv1.Deployment, c workload.Changed) bool { return !c.Paused }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, 3, func(b *bench) {
				found := b.watch()
				require.Empty(t, found)
				b.change(func(d *appsv1.Deployment) {
					c.edit(d)
					d.ManagedFields = append(d.ManagedFields, metav1.ManagedFieldsEntry{Manager: "argocd", Time: new(metav1.Now())},
						metav1.ManagedFieldsEntry{Manager: "kube-controller-manager", Time: new(metav1.Now())})
				})
				changed := <-found
				require.True(t, c.want(b.live(), changed), "%+v", changed)
				require.Equal(t, "argocd", changed.By)
				require.NotEmpty(t, changed.Version)
			})
		})
	}
}

func TestWatchIsSilentAboutTheRest(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		found := b.watch()
		b.change(func(d *appsv1.Deployment) { d.Labels = map[string]string{"team": "a"} })
		b.change(func(d *appsv1.Deployment) { d.Annotations["note"] = "x" })
		b.change(func(d *appsv1.Deployment) { d.Spec.Template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "x" })
		require.Empty(t, found)
		require.Empty(t, b.server.Reads(), "it reads the cache only")
		b.change(func(d *appsv1.Deployment) { d.Spec.Paused = false })
		<-found
	})
}

func TestWatchNamesTheLastWriter(t *testing.T) {
	at := func(second int64) *metav1.Time { return new(metav1.Unix(second, 0)) }
	cases := []struct {
		name    string
		entries []metav1.ManagedFieldsEntry
		want    string
	}{
		{"the last one", []metav1.ManagedFieldsEntry{{Manager: "helm", Time: at(2)}, {Manager: "kubectl", Time: at(1)}}, "helm"},
		{"us", []metav1.ManagedFieldsEntry{{Manager: "helm", Time: at(1)}, {Manager: "sluice", Time: at(2)}}, "sluice"},
		{"another one rather than us", []metav1.ManagedFieldsEntry{{Manager: "sluice", Time: at(2)}, {Manager: "helm", Time: at(2)}}, "helm"},
		{"another one rather than us, first", []metav1.ManagedFieldsEntry{{Manager: "helm", Time: at(2)}, {Manager: "sluice", Time: at(2)}}, "helm"},
		{"an autoscaler", []metav1.ManagedFieldsEntry{{Manager: "helm", Time: at(1)}, {Manager: "kube-controller-manager", Subresource: "scale", Time: at(2)}}, "kube-controller-manager"},
		{"no status, no bookkeeping", []metav1.ManagedFieldsEntry{{Manager: "helm", Time: at(1)}, {Manager: "x", Subresource: "status", Time: at(2)}, {Manager: "kube-controller-manager", Time: at(3)}}, "helm"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, 3, func(b *bench) {
				found := b.watch()
				b.change(func(d *appsv1.Deployment) {
					d.Spec.Paused = false
					d.ManagedFields = c.entries
				})
				require.Equal(t, c.want, (<-found).By)
			})
		})
	}
}

func TestWatchReportsThatTheWorkloadIsGone(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		found := b.watch()
		b.server.Delete(b.live())
		require.True(t, (<-found).Gone)
	})
}

func TestWatchDoesNotLookAtOlderStates(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		found := b.watches.start(workload.WatchRequest{Ref: kubetest.Ref(1), Replicas: 3, Revision: "later", Paused: true, Version: "999999"})
		synctest.Wait()
		require.Empty(t, found)
	})
}
