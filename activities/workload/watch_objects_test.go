package workload_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/activities/workload"
)

const weightKey = "nginx.ingress.kubernetes.io/canary-weight"

// objects is a bench with a canary of two behind a route of weight 10.
type objects struct {
	*bench
	revision string
	routes   *traffic.Activities
}

func onObjects(t *testing.T, test func(o *objects)) {
	t.Helper()
	onBench(t, 3, func(b *bench) {
		b.Routes = traffic.Looker{Cluster: b.Cluster}
		gateways, err := gateway.New(map[string]gateway.Config{"nginx": {}}, b.Cluster, nil)
		require.NoError(b.t, err)
		o := &objects{bench: b, routes: &traffic.Activities{Cluster: b.Cluster, Gateways: gateways}}
		o.revision = b.hold(1, "v2")
		b.canary(2, o.revision, 2)
		o.route(3, 10)
		test(o)
	})
}

// route sets the weight.
func (o *objects) route(seq int64, weight int) {
	o.t.Helper()
	_, err := o.routes.SetRoute(o.t.Context(), traffic.RouteRequest{Ref: kubetest.Ref(seq), Route: traffic.Route{Weight: weight}})
	require.NoError(o.t, err)
	synctest.Wait()
}

// watching returns what a watch will find.
func (o *objects) watching(change func(*workload.WatchRequest)) chan workload.Changed {
	o.t.Helper()
	req := workload.WatchRequest{
		Ref: kubetest.Ref(9), Replicas: 3, Revision: o.revision, StableRevision: o.v1, Paused: true,
		Objects: true, Selector: map[string]string{"app": "demo"}, Routed: true, Canary: true,
	}
	if change != nil {
		change(&req)
	}
	found := o.watches.start(req)
	synctest.Wait()
	return found
}

// drifts waits for what a watch finds, beside a workload that has not changed.
func (o *objects) drifts(found chan workload.Changed) []workload.Drift {
	o.t.Helper()
	changed := <-found
	require.Empty(o.t, changed.Revision, "the workload has not changed")
	return changed.Drifts
}

func (o *objects) ingress(name string) *netv1.Ingress {
	o.t.Helper()
	in, err := o.server.NetworkingV1().Ingresses(kubetest.Namespace).Get(o.t.Context(), name, metav1.GetOptions{})
	require.NoError(o.t, err)
	return in.DeepCopy()
}

func (o *objects) service(name string) *corev1.Service {
	o.t.Helper()
	s, err := o.server.CoreV1().Services(kubetest.Namespace).Get(o.t.Context(), name, metav1.GetOptions{})
	require.NoError(o.t, err)
	return s.DeepCopy()
}

// put writes an object as kubectl would.
func (o *objects) put(obj runtime.Object) {
	if m, ok := obj.(metav1.Object); ok {
		m.SetManagedFields(append(m.GetManagedFields(), metav1.ManagedFieldsEntry{Manager: "kubectl-edit", Time: new(metav1.Now())}))
	}
	o.server.Put(obj)
	synctest.Wait()
}

// pathed adds a path for the Service to an Ingress.
func pathed(in *netv1.Ingress, path string) *netv1.Ingress {
	paths := &in.Spec.Rules[0].HTTP.Paths
	more := *(*paths)[0].DeepCopy()
	more.Path = path
	*paths = append(*paths, more)
	return in
}

func TestWatchReportsDrift(t *testing.T) {
	cases := []struct {
		name  string
		edit  func(o *objects)
		kind  workload.DriftKind
		what  string
		check func(t *testing.T, d workload.Drift)
	}{
		{"weight", func(o *objects) {
			in := o.ingress("demo-canary")
			in.Annotations[weightKey] = "50"
			o.put(in)
		}, workload.DriftRoute, "edited", func(t *testing.T, d workload.Drift) {
			require.Equal(t, &traffic.Route{Weight: 50}, d.Route)
			require.Equal(t, "kubectl-edit", d.By)
			require.Equal(t, "Ingress shop/demo-canary: its route was edited (kubectl-edit)", d.String())
		}},
		{"match", func(o *objects) {
			in := o.ingress("demo-canary")
			in.Annotations["nginx.ingress.kubernetes.io/canary-by-cookie"] = "tester"
			o.put(in)
		}, workload.DriftRoute, "edited", func(t *testing.T, d workload.Drift) {
			require.Equal(t, "tester", d.Route.Matches[0].Cookies[0].Name)
		}},
		{"no route at all", func(o *objects) {
			in := o.ingress("demo-canary")
			in.Annotations[weightKey] = "many"
			o.put(in)
		}, workload.DriftRoute, "edited", func(t *testing.T, d workload.Drift) { require.Nil(t, d.Route) }},
		{"canary Ingress", func(o *objects) { o.server.Delete(o.ingress("demo-canary")) }, workload.DriftRouteGone, "deleted", nil},
		{"path", func(o *objects) { o.put(pathed(o.ingress("demo"), "/more")) }, workload.DriftRules, "rules", nil},
		{"user's Ingress", func(o *objects) { o.server.Delete(o.ingress("demo")) }, workload.DriftIngressGone, "deleted", nil},
		{"selector", func(o *objects) {
			s := o.service("demo")
			s.Spec.Selector["tier"] = "web"
			o.put(s)
		}, workload.DriftSelector, "app=demo,tier=web", func(t *testing.T, d workload.Drift) {
			require.Equal(t, map[string]string{"app": "demo", "tier": "web"}, d.Selector)
			require.False(t, d.Reaches)
		}},
		{"selector that finds canary pods", func(o *objects) {
			s := o.service("demo")
			s.Spec.Selector = map[string]string{"app": "demo-canary"}
			o.put(s)
		}, workload.DriftSelector, "which finds canary pods", func(t *testing.T, d workload.Drift) {
			require.True(t, d.Reaches)
		}},
		{"hash that nobody but a stranger can have set", func(o *objects) {
			s := o.service("demo")
			s.Spec.Selector["pod-template-hash"] = "abc"
			o.put(s)
		}, workload.DriftSelector, "pod-template-hash=abc", nil},
		{"canary Service", func(o *objects) { o.server.Delete(o.service("demo-canary")) }, workload.DriftService, "deleted", nil},
		{"canary Service's port", func(o *objects) {
			s := o.service("demo-canary")
			s.Spec.Ports[0].Port = 81
			o.put(s)
		}, workload.DriftService, "edited", nil},
		{"canary Deployment", func(o *objects) { o.server.Delete(o.canaryDeployment()) }, workload.DriftCanary, "deleted", func(t *testing.T, d workload.Drift) {
			require.Zero(t, d.Replicas)
		}},
		{"canary's image", func(o *objects) {
			d := o.canaryDeployment().DeepCopy()
			d.Spec.Template.Spec.Containers[0].Image = "version:v9"
			o.put(d)
		}, workload.DriftCanary, "images", func(t *testing.T, d workload.Drift) { require.Equal(t, 2, d.Replicas) }},
		{"canary's size", func(o *objects) {
			d := o.canaryDeployment().DeepCopy()
			d.Spec.Replicas = new(int32(1))
			o.put(d)
		}, workload.DriftCanarySize, "scaled to 1", func(t *testing.T, d workload.Drift) { require.Equal(t, 1, d.Replicas) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onObjects(t, func(o *objects) {
				found := o.watching(nil)
				require.Empty(t, found, "nothing has changed yet")
				c.edit(o)
				synctest.Wait()
				require.Len(t, found, 1, "it is seen at once")
				drifts := o.drifts(found)
				require.Len(t, drifts, 1)
				require.Equal(t, c.kind, drifts[0].Kind)
				require.Contains(t, drifts[0].What, c.what)
				require.NotEmpty(t, drifts[0].Content)
				if c.check != nil {
					c.check(t, drifts[0])
				}
			})
		})
	}
}

// TestWatchReportsADriftOnce does not report what is known, and reports it again
// after it was undone.
func TestWatchReportsADriftOnce(t *testing.T) {
	onObjects(t, func(o *objects) {
		found := o.watching(nil)
		in := o.ingress("demo-canary")
		in.Annotations[weightKey] = "50"
		o.put(in)
		drift := o.drifts(found)[0]
		found = o.watching(func(r *workload.WatchRequest) {
			r.Known = map[workload.DriftKind]string{drift.Kind: drift.Content}
		})
		require.Empty(o.t, found, "it is known")
		o.route(10, 10)
		require.Empty(o.t, found, "it is undone")
		in = o.ingress("demo-canary")
		in.Annotations[weightKey] = "50"
		o.put(in)
		require.Equal(o.t, drift.Content, o.drifts(found)[0].Content)
	})
}

// TestWatchIsSilentAboutOurOwnWrites goes on with the rollout.
func TestWatchIsSilentAboutOurOwnWrites(t *testing.T) {
	onObjects(t, func(o *objects) {
		found := o.watching(func(r *workload.WatchRequest) { r.Ref.Seq = 20 })
		o.route(21, 30)
		o.canary(22, o.revision, 3)
		o.route(23, 0)
		in := o.ingress("demo")
		in.Annotations["team"] = "a"
		o.put(in)
		require.Empty(o.t, found)
		o.server.Delete(o.ingress("demo-canary"))
		require.Len(o.t, o.drifts(found), 1)
	})
}

// TestWatchDoesNotMissWhatWasNeverThere begins before the canary exists, and
// looks at nothing but the workload where it is not asked to.
func TestWatchDoesNotMissWhatWasNeverThere(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.Routes = traffic.Looker{Cluster: b.Cluster}
		o := &objects{bench: b, revision: b.hold(1, "v2")}
		unseen := o.watching(func(r *workload.WatchRequest) { r.Routed, r.Canary = false, false })
		old := o.watching(func(r *workload.WatchRequest) { r.Objects = false })
		b.canary(2, o.revision, 2)
		require.Empty(b.t, unseen)
		b.server.Delete(b.canaryDeployment())
		synctest.Wait()
		require.Equal(b.t, workload.DriftCanary, o.drifts(unseen)[0].Kind)
		require.Empty(b.t, old)
	})
}

// TestCanaryPodsAreNotCountedByAnAutoscaler compares the selector by which an
// autoscaler finds pods, that of the scale subresource, with the canary's labels.
func TestCanaryPodsAreNotCountedByAnAutoscaler(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		revision := b.hold(1, "v2")
		b.canary(2, revision, 2)
		selector, err := metav1.LabelSelectorAsSelector(b.live().Spec.Selector)
		require.NoError(b.t, err)
		pods, err := b.server.CoreV1().Pods(kubetest.Namespace).List(b.t.Context(), metav1.ListOptions{LabelSelector: selector.String()})
		require.NoError(b.t, err)
		require.Len(b.t, pods.Items, 3)
		for _, p := range pods.Items {
			require.Equal(b.t, "version:v1", p.Spec.Containers[0].Image)
		}
	})
}

// TestReplicasOfTheWorkloadAreNeverWritten goes through everything that writes the
// workload while somebody else scales it.
func TestReplicasOfTheWorkloadAreNeverWritten(t *testing.T) {
	for name, end := range map[string]func(b *bench, revision string){
		"promoted": func(b *bench, revision string) {
			_, err := b.PromoteStable(b.t.Context(), workload.PromoteRequest{Ref: kubetest.Ref(3), Revision: revision})
			require.NoError(b.t, err)
		},
		"returned": func(b *bench, _ string) {
			_, err := b.RestoreTemplate(b.t.Context(), workload.RestoreRequest{Ref: kubetest.Ref(3), Stable: b.stable})
			require.NoError(b.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, 3, func(b *bench) {
				revision := b.hold(1, "v2")
				b.canary(2, revision, 2)
				b.change(func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(6)) })
				end(b, revision)
				_, err := b.ReleaseWorkload(b.t.Context(), workload.ReleaseRequest{Ref: kubetest.Ref(4)})
				require.NoError(b.t, err)
				require.EqualValues(b.t, 6, *b.live().Spec.Replicas)
				for _, a := range b.server.Actions() {
					if patch, ok := a.(interface{ GetPatch() []byte }); ok {
						require.NotContains(b.t, string(patch.GetPatch()), "/spec/replicas")
					}
				}
			})
		})
	}
}

// TestCanaryHasABudget requires that one canary pod at a time may be evicted.
func TestCanaryHasABudget(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		revision := b.hold(1, "v2")
		b.canary(2, revision, 2)
		budget, err := b.server.PolicyV1().PodDisruptionBudgets(kubetest.Namespace).Get(b.t.Context(), "demo-canary", metav1.GetOptions{})
		require.NoError(b.t, err)
		require.EqualValues(b.t, 1, budget.Spec.MaxUnavailable.IntVal)
		require.Equal(b.t, b.canaryDeployment().Spec.Selector, budget.Spec.Selector)
		require.Equal(b.t, "r1", budget.Labels["sluice.dev/rollout"])
		require.Empty(b.t, budget.OwnerReferences)
	})
}

// TestWatchOfThePromotion is silent about what the rollout does to the workload,
// and goes on to see what others do to the rest.
func TestWatchOfThePromotion(t *testing.T) {
	onObjects(t, func(o *objects) {
		found := o.watching(nil)
		_, err := o.PromoteStable(o.t.Context(), promote(10, o.revision))
		require.NoError(o.t, err)
		require.NoError(o.t, o.HaltPromotion(o.t.Context(), workload.HaltRequest{Ref: kubetest.Ref(11)}))
		_, err = o.RestoreTemplate(o.t.Context(), workload.RestoreRequest{Ref: kubetest.Ref(12), Stable: o.stable, Settle: true})
		require.NoError(o.t, err)
		synctest.Wait()
		require.Empty(o.t, found)
		o.server.Delete(o.ingress("demo-canary"))
		synctest.Wait()
		require.Equal(o.t, workload.DriftRouteGone, o.drifts(found)[0].Kind)

		found = o.watching(func(r *workload.WatchRequest) { r.Routed = false })
		o.change(func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(5)) })
		require.Equal(o.t, 5, (<-found).Replicas)
	})
}
