package preflight_test

import (
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
)

// routeReader reads one annotation and nothing else.
type routeReader struct{}

const (
	weightKey = "nginx.ingress.kubernetes.io/canary-weight"
	headerKey = "nginx.ingress.kubernetes.io/canary-by-header"
)

func (routeReader) DecodeRoute(in *netv1.Ingress) (string, int, bool, error) {
	weight, err := strconv.Atoi(in.Annotations[weightKey])
	if err != nil {
		return "", 0, false, errors.New("Ingress demo-canary has no weight")
	}
	return "nginx", weight, weight > 0 || in.Annotations[headerKey] != "", nil
}

// abandoned is a rollout whose workflow has vanished.
type abandoned struct {
	t       *testing.T
	server  *kubetest.Server
	cluster *kube.Cluster
	pods    *workload.Activities
	seen    preflight.Observed
	held    workload.Held
	more    config.Metadata
}

// onAbandoned runs a test in a bubble, on a rollout that has only been checked.
func onAbandoned(t *testing.T, test func(a *abandoned)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := &abandoned{t: t, server: demo(nil)}
		a.cluster = kubetest.Cluster(t, a.server)
		a.pods = &workload.Activities{Cluster: a.cluster}
		var err error
		a.seen, err = (&preflight.Activities{Cluster: a.cluster}).InspectRelease(t.Context(), request())
		require.NoError(t, err)
		test(a)
	})
}

// hold holds v2, canary runs pods of it, route makes a route to them.
func (a *abandoned) hold() {
	var err error
	ref := kubetest.Ref(1)
	ref.Grace = new(config.Duration(time.Minute))
	a.held, err = a.pods.HoldRevision(a.t.Context(), workload.HoldRequest{
		Ref: ref, Change: request().Change, Stable: a.seen.StableReplicaSet, Baseline: a.seen.Baseline,
	})
	a.settled(err)
}

func (a *abandoned) canary(replicas int) {
	_, err := a.pods.EnsureCanary(a.t.Context(), workload.CanaryRequest{
		Ref: kubetest.Ref(2), Revision: a.held.Revision, Replicas: replicas, Metadata: a.more,
	})
	a.settled(err)
}

func (a *abandoned) route(weight string) {
	a.server.Put(changedIngress(func(in *netv1.Ingress) {
		in.Name = "demo-canary"
		in.Labels = map[string]string{release.LabelRollout: "r1", release.LabelWorkload: "demo"}
		in.Annotations = map[string]string{"nginx.ingress.kubernetes.io/canary": "true", weightKey: weight, release.AnnotationSeq: "7"}
		path(in).Backend.Service.Name = "demo-canary"
	}))
	a.settled(nil)
}

// underWay is a rollout at its second step.
func (a *abandoned) underWay() {
	a.hold()
	a.canary(2)
	a.route("20")
}

// promoting is one whose new revision has begun to replace the old one.
func (a *abandoned) promoting() {
	a.hold()
	a.canary(5)
	a.route("100")
	a.server.Freeze()
	go func() {
		_, _ = a.pods.PromoteStable(a.t.Context(), workload.PromoteRequest{Ref: kubetest.Ref(8), Revision: a.held.Revision})
	}()
	a.settled(nil)
}

// returning is one whose promotion was aborted.
func (a *abandoned) returning() {
	a.promoting()
	go func() {
		_, _ = a.pods.RestoreTemplate(a.t.Context(), workload.RestoreRequest{Ref: kubetest.Ref(9), Stable: a.seen.StableReplicaSet, Settle: true})
	}()
	a.settled(nil)
}

func (a *abandoned) thaw() {
	a.server.Thaw()
	a.settled(nil)
}

func (a *abandoned) settled(err error) {
	a.t.Helper()
	require.NoError(a.t, err)
	synctest.Wait()
}

// change writes the workload as somebody else.
func (a *abandoned) change(edit func(d *appsv1.Deployment)) {
	obj, err := a.server.Tracker().Get(appsv1.SchemeGroupVersion.WithResource("deployments"), kubetest.Namespace, "demo")
	a.settled(err)
	d, _ := obj.(*appsv1.Deployment)
	d = d.DeepCopy()
	edit(d)
	a.server.Put(d)
	a.settled(nil)
}

// forget removes the record, as somebody who cleans up does.
func (a *abandoned) forget() {
	a.change(func(d *appsv1.Deployment) { delete(d.Annotations, release.AnnotationRelease) })
}

func (a *abandoned) remains() (preflight.Remains, error) {
	synctest.Wait()
	a.server.ClearActions()
	m, err := (&preflight.Activities{Cluster: a.cluster, Routes: routeReader{}}).InspectRemains(a.t.Context(), preflight.RemainsRequest{
		Namespace: kubetest.Namespace, Workload: kubetest.Ref(0).Workload, WorkflowID: kubetest.Ref(0).WorkflowID,
	})
	require.Empty(a.t, a.server.Writes(), "nothing is touched")
	return m, err
}

func TestRemains(t *testing.T) {
	cases := []struct {
		name string
		do   func(a *abandoned)
		want preflight.Remains // without Observed
		seq  int64
	}{
		{"nothing", func(*abandoned) {}, preflight.Remains{}, 0},
		{"held only", (*abandoned).hold, preflight.Remains{Held: true}, 1},
		{"canary without a route", func(a *abandoned) { a.hold(); a.canary(2) },
			preflight.Remains{Held: true, Canary: true, Backed: true, Replicas: 2}, 2},
		{"under way", (*abandoned).underWay,
			preflight.Remains{Held: true, Canary: true, Backed: true, Replicas: 2, Routed: true, Carries: true, Weight: 20}, 7},
		{"a route that carries nothing", func(a *abandoned) { a.hold(); a.canary(1); a.route("0") },
			preflight.Remains{Held: true, Canary: true, Backed: true, Replicas: 1, Routed: true}, 7},
		{"a route that cannot be read", func(a *abandoned) { a.hold(); a.canary(1); a.route("many") },
			preflight.Remains{Held: true, Canary: true, Backed: true, Replicas: 1, Routed: true, Carries: true}, 7},
		{"promoting", (*abandoned).promoting,
			preflight.Remains{Held: true, Promoting: true, Canary: true, Backed: true, Replicas: 5, Routed: true, Carries: true, Weight: 100}, 8},
		{"promoted", func(a *abandoned) { a.promoting(); a.thaw() },
			preflight.Remains{Held: true, Promoting: true, Promoted: true, Canary: true, Backed: true, Replicas: 5, Routed: true, Carries: true, Weight: 100}, 8},
		{"returning", (*abandoned).returning,
			preflight.Remains{Held: true, Promoting: true, Returning: true, Canary: true, Backed: true, Replicas: 5, Routed: true, Carries: true, Weight: 100}, 9},
		{"returned", func(a *abandoned) { a.returning(); a.thaw() },
			preflight.Remains{Held: true, Promoting: true, Returning: true, Restored: true, Canary: true, Backed: true, Replicas: 5, Routed: true, Carries: true, Weight: 100}, 9},
		{"canary Service gone", func(a *abandoned) {
			a.underWay()
			a.server.Delete(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "demo-canary", Namespace: kubetest.Namespace}})
		}, preflight.Remains{Held: true, Canary: true, Replicas: 2, Routed: true, Carries: true, Weight: 20}, 7},
		{"record gone", func(a *abandoned) { a.underWay(); a.forget() },
			preflight.Remains{Canary: true, Backed: true, Replicas: 2, Routed: true, Carries: true, Weight: 20}, 7},
		{"workload gone", func(a *abandoned) { a.underWay(); a.server.Delete(kubetest.Deployment(5)) },
			preflight.Remains{Canary: true, Backed: true, Replicas: 2, Routed: true, Carries: true, Weight: 20}, 7},
		{"resumed by somebody", func(a *abandoned) {
			a.underWay()
			a.change(func(d *appsv1.Deployment) { d.Spec.Paused = false })
		}, preflight.Remains{Held: true, Promoting: true, Promoted: true, Canary: true, Backed: true, Replicas: 2, Routed: true, Carries: true, Weight: 20}, 7},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onAbandoned(t, func(a *abandoned) {
				c.do(a)
				m, err := a.remains()
				require.NoError(a.t, err)
				require.Equal(a.t, c.seq, m.Observed.Ref.Seq)
				c.want.Found = c.name != "nothing"
				if c.want.Held {
					require.Equal(a.t, time.Minute, m.Observed.Ref.Grace.Std())
				}
				m.Observed = preflight.Observed{}
				require.Equal(a.t, c.want, m)
			})
		})
	}
}

func TestRemainsAreWhatThePreflightSaw(t *testing.T) {
	onAbandoned(t, func(a *abandoned) {
		a.underWay()
		m, err := a.remains()
		require.NoError(a.t, err)
		want := a.seen
		want.Ref.Seq, want.Selector, want.Load = 7, nil, nil // a repair does not look for changes
		want.Ref.Grace = new(config.Duration(time.Minute))
		require.Equal(a.t, want, m.Observed)

		a.promoting()
		a.thaw()
		m, err = a.remains()
		require.NoError(a.t, err)
		require.Equal(a.t, "version:v1", m.Observed.StableImages["main"], "of a retired ReplicaSet")
		require.Equal(a.t, a.seen.Baseline, m.Observed.Baseline)
	})
}

func TestRemainsWithoutARecordAreNamedByWhatIsLeft(t *testing.T) {
	byName := func(kind runtime.Object, name string) runtime.Object {
		meta, _ := kind.(metav1.Object)
		meta.SetName(name)
		meta.SetNamespace(kubetest.Namespace)
		return kind
	}
	cases := []struct {
		name             string
		gone             []runtime.Object
		service, ingress string
	}{
		{"everything", nil, "demo", "demo"},
		{"no route", []runtime.Object{byName(&netv1.Ingress{}, "demo-canary")}, "demo", "demo"},
		{"the route alone", []runtime.Object{byName(&appsv1.Deployment{}, "demo-canary"), byName(&corev1.Service{}, "demo-canary")}, "demo", "demo"},
		{"the user's are gone", []runtime.Object{byName(&netv1.Ingress{}, "demo"), byName(&corev1.Service{}, "demo")}, "demo", "demo"},
		{"the Deployment alone", []runtime.Object{byName(&netv1.Ingress{}, "demo-canary"), byName(&corev1.Service{}, "demo-canary")}, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onAbandoned(t, func(a *abandoned) {
				a.underWay()
				a.forget()
				for _, o := range c.gone {
					a.server.Delete(o)
				}
				m, err := a.remains()
				require.NoError(a.t, err)
				require.False(a.t, m.Held)
				ref := m.Observed.Ref
				require.Equal(a.t, []string{"r1", c.service, c.ingress, "nginx"}, []string{ref.ID, ref.Service, ref.Ingress, ref.Class})
				require.Contains(a.t, m.Observed.Warnings[len(m.Observed.Warnings)-1], "it has no record of the rollout")
			})
		})
	}
}

// TestRemainsOfACanaryWithItsOwnMetadata scales the canary as a repair does: with
// what was found nothing but its size may change.
func TestRemainsOfACanaryWithItsOwnMetadata(t *testing.T) {
	onAbandoned(t, func(a *abandoned) {
		a.more = config.Metadata{Labels: map[string]string{"tier": "canary"}, Annotations: map[string]string{"note": "x"}}
		a.underWay()
		m, err := a.remains()
		require.NoError(a.t, err)
		require.Equal(a.t, a.more, m.Metadata)
		ref := m.Observed.Ref
		ref.Seq++
		_, err = a.pods.EnsureCanary(a.t.Context(), workload.CanaryRequest{Ref: ref, Revision: m.Observed.CanaryRevision, Replicas: 2, Metadata: m.Metadata})
		a.settled(err)
		d, err := a.cluster.Deployments(kubetest.Namespace).Get("demo-canary")
		require.NoError(a.t, err)
		require.Equal(a.t, int64(1), d.Generation, "no pod is replaced")
	})
}

func TestRemainsRefused(t *testing.T) {
	write := func(text string) func(a *abandoned) {
		return func(a *abandoned) {
			a.underWay()
			a.change(func(d *appsv1.Deployment) { d.Annotations[release.AnnotationRelease] = text })
		}
	}
	cases := []struct {
		name string
		do   func(a *abandoned)
		want []string
	}{
		{"no JSON", write("{"), []string{"Deployment shop/demo annotation sluice.dev/release", `it is not a record of a rollout: "{"`, "spec.template and spec.paused",
			"kubectl annotate deployment -n shop demo sluice.dev/release-"}},
		{"fields missing", write(`{"id":"r1","service":"demo"}`), []string{"its fields stable, ingress, class are missing", "spec.strategy.rollingUpdate"}},
		{"another workflow", write(`{"id":"r1","workflowId":"rollout:west:shop:Deployment:demo","stable":"x","service":"x","ingress":"x","class":"x"}`),
			[]string{"it is of workflow rollout:west:shop:Deployment:demo, not of rollout:default:shop:Deployment:demo", "--cluster"}},
		{"several rollouts", func(a *abandoned) {
			a.underWay()
			a.server.Put(&corev1.Service{ObjectMeta: metav1.ObjectMeta{
				Name: "old-canary", Namespace: kubetest.Namespace, Labels: map[string]string{release.LabelRollout: "r0", release.LabelWorkload: "demo"},
			}})
		}, []string{`of rollout "r0": Service old-canary; of rollout "r1": the record on Deployment shop/demo, Ingress demo-canary, Deployment demo-canary, Service demo-canary`}},
		{"no way back", func(a *abandoned) {
			a.promoting()
			a.server.Delete(&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: a.seen.StableReplicaSet, Namespace: kubetest.Namespace}})
		}, []string{"which holds its stable template, is gone", "kubectl rollout undo"}},
		{"somebody else's revision under way", func(a *abandoned) {
			a.promoting()
			a.change(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "version:v3" })
		}, []string{"its pods are being replaced by somebody else", "kubectl rollout status"}},
		{"resumed, under way", func(a *abandoned) {
			a.underWay()
			a.server.Freeze()
			a.change(func(d *appsv1.Deployment) { d.Spec.Paused = false })
		}, []string{"its pods are being replaced by somebody else"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onAbandoned(t, func(a *abandoned) {
				c.do(a)
				_, err := a.remains()
				var app *temporal.ApplicationError
				require.ErrorAs(a.t, err, &app)
				require.Equal(a.t, kube.ErrRefused, app.Type())
				require.True(a.t, app.NonRetryable())
				var problems []preflight.Problem
				require.NoError(a.t, app.Details(&problems))
				require.Len(a.t, problems, 1)
				require.Contains(a.t, app.Message(), "repairing Deployment shop/demo is refused, nothing was touched")
				for _, text := range c.want {
					require.Contains(a.t, app.Message(), text)
				}
			})
		})
	}
}

func TestRemainsOfSomebodyElsesRevision(t *testing.T) {
	onAbandoned(t, func(a *abandoned) {
		a.promoting()
		a.change(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "version:v3" })
		a.thaw()
		m, err := a.remains()
		require.NoError(a.t, err)
		require.True(a.t, m.Promoted, "it stays")
		require.Equal(a.t, map[string]string{"main": "version:v3"}, m.Observed.CanaryImages)
		require.NotEqual(a.t, a.held.Revision, m.Observed.CanaryRevision)
		require.Contains(a.t, m.Observed.Warnings[0], "somebody else has released revision "+m.Observed.CanaryRevision)
	})
}

func TestRemainsThatCannotBeRead(t *testing.T) {
	for _, resource := range []string{"deployments", "services", "ingresses", "replicasets"} {
		t.Run(resource, func(t *testing.T) {
			onAbandoned(t, func(a *abandoned) {
				a.promoting()
				a.thaw()
				fail := func(clienttesting.Action) (bool, runtime.Object, error) {
					return true, nil, errors.New("connection refused")
				}
				a.server.PrependReactor("get", resource, fail)
				a.server.PrependReactor("list", resource, fail)
				_, err := a.remains()
				require.True(a.t, kube.IsType(err, kube.ErrUnavailable), "%v", err)
			})
		})
	}
}

func TestRemainsInANamespaceThatIsNotWatched(t *testing.T) {
	c := kube.New(kube.Options{Client: demo(nil), Namespaces: []string{"other"}})
	_, err := (&preflight.Activities{Cluster: c}).InspectRemains(t.Context(), preflight.RemainsRequest{Namespace: "shop", Workload: kubetest.Ref(0).Workload})
	require.True(t, kube.IsType(err, kube.ErrRefused))
	require.ErrorContains(t, err, "the worker does not watch it")
}

func TestRemainsInWords(t *testing.T) {
	seen := preflight.Observed{CanaryRevision: "abc"}
	cases := map[string]preflight.Remains{
		"nothing": {},
		"the held revision abc, a canary of size 2, a route of weight 20":              {Found: true, Observed: seen, Held: true, Canary: true, Replicas: 2, Routed: true, Carries: true, Weight: 20},
		"the held revision abc, a canary of size 1, a route of weight 0, with a match": {Found: true, Observed: seen, Held: true, Canary: true, Replicas: 1, Routed: true, Carries: true},
		"a promotion under way, a canary of size 5, a route of weight 100":             {Found: true, Observed: seen, Held: true, Promoting: true, Canary: true, Replicas: 5, Routed: true, Carries: true, Weight: 100},
		"the new revision abc on all pods":                                             {Found: true, Observed: seen, Held: true, Promoting: true, Promoted: true},
		"the return to stable under way, a canary of size 5":                           {Found: true, Observed: seen, Held: true, Promoting: true, Returning: true, Canary: true, Replicas: 5},
		"stable on all pods again":                                                     {Found: true, Observed: seen, Held: true, Promoting: true, Returning: true, Restored: true},
	}
	for want, m := range cases {
		require.Equal(t, want, m.String())
	}
}
