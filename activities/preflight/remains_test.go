package preflight_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	netv1 "k8s.io/api/networking/v1"

	appsv1 "k8s.io/api/apps/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
)

// abandoned is a rollout whose workflow has vanished.
type abandoned struct {
	t       *testing.T
	server  *kubetest.Server
	cluster *kube.Cluster
	pods    *workload.Activities
	seen    preflight.Observed
	held    workload.Held
}

// abandon makes a rollout with two canary pods and a route.
func abandon(t *testing.T) *abandoned {
	t.Helper()
	a := &abandoned{t: t, server: demo(nil)}
	a.cluster = kubetest.Cluster(t, a.server)
	a.pods = &workload.Activities{Cluster: a.cluster}
	var err error
	a.seen, err = (&preflight.Activities{Cluster: a.cluster}).InspectRelease(t.Context(), request())
	require.NoError(t, err)
	a.held, err = a.pods.HoldRevision(t.Context(), workload.HoldRequest{Ref: kubetest.Ref(1), Change: request().Change, Stable: a.seen.StableReplicaSet, Baseline: a.seen.Baseline})
	require.NoError(t, err)
	_, err = a.pods.EnsureCanary(t.Context(), workload.CanaryRequest{Ref: kubetest.Ref(2), Revision: a.held.Revision, Replicas: 2})
	require.NoError(t, err)
	a.server.Put(changedIngress(func(in *netv1.Ingress) {
		in.Name = "demo-canary"
		in.Labels = map[string]string{release.LabelRollout: "r1", release.LabelWorkload: "demo"}
		in.Annotations = map[string]string{"nginx.ingress.kubernetes.io/canary": "true", "nginx.ingress.kubernetes.io/canary-weight": "20", release.AnnotationSeq: "7"}
	}))
	synctest.Wait()
	return a
}

func (a *abandoned) remains() (preflight.Remains, error) {
	synctest.Wait()
	return (&preflight.Activities{Cluster: a.cluster}).InspectRemains(a.t.Context(), preflight.RemainsRequest{
		Namespace: kubetest.Namespace, Workload: kubetest.Ref(0).Workload, WorkflowID: "rollout:default:shop:Deployment:demo",
	})
}

func TestRemainsOfARolloutUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := abandon(t)
		a.server.ClearActions()
		m, err := a.remains()
		require.NoError(t, err)
		require.Empty(t, a.server.Writes())

		want := a.seen
		want.Ref.Seq = 7
		require.Equal(t, preflight.Remains{
			Found: true, Observed: want, Held: true, Canary: true, Replicas: 2, Routed: true, Carries: true, Weight: 20,
		}, m)
	})
}

func TestRemainsOfAPromotion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := abandon(t)
		a.server.Freeze()
		go func() {
			_, _ = a.pods.PromoteStable(t.Context(), workload.PromoteRequest{Ref: kubetest.Ref(8), Revision: a.held.Revision})
		}()
		m, err := a.remains()
		require.NoError(t, err)
		require.True(t, m.Promoting)
		require.False(t, m.Promoted)
		require.Equal(t, int64(8), m.Observed.Ref.Seq)

		a.server.Thaw()
		m, err = a.remains()
		require.NoError(t, err)
		require.True(t, m.Promoted)
		require.Equal(t, "version:v1", m.Observed.StableImages["main"], "of a retired ReplicaSet")
	})
}

func TestRemainsWithoutARecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := abandon(t)
		a.server.Put(kubetest.Deployment(5))
		m, err := a.remains()
		require.NoError(t, err)
		require.True(t, m.Found)
		require.False(t, m.Held)
		ref := kubetest.Ref(7)
		ref.Isolation = release.Isolation{}
		require.Equal(t, ref, m.Observed.Ref, "rebuilt from the names and labels of what is left")
		require.Equal(t, a.seen.StableReplicaSet, m.Observed.StableReplicaSet)
	})
}

func TestRemainsOfAWorkloadThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := abandon(t)
		a.server.Delete(kubetest.Deployment(5))
		m, err := a.remains()
		require.NoError(t, err)
		require.True(t, m.Found)
		require.True(t, m.Routed)
		require.Equal(t, "demo", m.Observed.Ref.Service)
	})
}

func TestRemainsOfAMatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := abandon(t)
		in, err := a.cluster.Ingresses(kubetest.Namespace).Get("demo-canary")
		require.NoError(t, err)
		in = in.DeepCopy()
		in.Annotations["nginx.ingress.kubernetes.io/canary-weight"] = "0"
		in.Annotations["nginx.ingress.kubernetes.io/canary-by-header"] = "x"
		a.server.Put(in)
		m, err := a.remains()
		require.NoError(t, err)
		require.Zero(t, m.Weight)
		require.True(t, m.Carries)
	})
}

func TestNothingRemains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := demo(nil)
		a := &abandoned{t: t, server: server, cluster: kubetest.Cluster(t, server)}
		m, err := a.remains()
		require.NoError(t, err)
		require.Equal(t, preflight.Remains{}, m)
	})
}

func TestRemainsWithAnUnreadableRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := demo(func(d *appsv1.Deployment) { d.Annotations[release.AnnotationRelease] = "{" })
		a := &abandoned{t: t, server: server, cluster: kubetest.Cluster(t, server)}
		_, err := a.remains()
		require.True(t, kube.IsType(err, kube.ErrDrift), "%v", err)
	})
}
