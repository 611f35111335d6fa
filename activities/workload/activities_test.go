package workload_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
)

// bench is a cluster with the fixtures and the activities over it.
type bench struct {
	t      *testing.T
	server *kubetest.Server
	*workload.Activities
	gateway *answers
	watches *watches
	stable  string
	v1      string
}

// answers is a gateway that counts how often it is asked, and may refuse.
type answers struct {
	asked int
	err   error
	blind bool
}

func (g *answers) SeesEndpoints(release.Ref) bool { return !g.blind }

func (g *answers) ConfirmServiceEndpoints(context.Context, release.Ref) error {
	g.asked++
	return g.err
}

// onBench runs a test in a bubble, on n pods of v1.
func onBench(t *testing.T, n int32, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := kubetest.Deployment(n)
		server := kubetest.New(d, kubetest.Service(), kubetest.Ingress())
		b := &bench{t: t, server: server, gateway: &answers{}, v1: workload.Revision(d.Spec.Template)}
		b.Activities = &workload.Activities{Cluster: kubetest.Cluster(t, server), Gateway: b.gateway}
		b.watches = newWatches(b)
		b.stable = b.Cluster.ReplicaSetsOf(b.live())[0].Name
		test(b)
	})
}

// live is the workload as it is stored. It makes no request, and lets the caches
// catch up.
func (b *bench) live() *appsv1.Deployment {
	b.t.Helper()
	obj, err := b.server.Tracker().Get(appsv1.SchemeGroupVersion.WithResource("deployments"), kubetest.Namespace, "demo")
	require.NoError(b.t, err)
	synctest.Wait()
	d, ok := obj.(*appsv1.Deployment)
	require.True(b.t, ok)
	return d.DeepCopy()
}

func (b *bench) record() *release.Record {
	b.t.Helper()
	r, err := kube.RecordOf(b.live())
	require.NoError(b.t, err)
	return r
}

// change writes the workload as somebody else.
func (b *bench) change(edit func(d *appsv1.Deployment)) {
	b.t.Helper()
	d := b.live()
	edit(d)
	b.server.Put(d)
	synctest.Wait()
}

// image is the change to another tag.
func image(tag string) workload.Change {
	return workload.Change{Images: map[string]string{"main": "version:" + tag}}
}

func (b *bench) holdRequest(seq int64, change workload.Change) workload.HoldRequest {
	return workload.HoldRequest{Ref: kubetest.Ref(seq), Change: change, Stable: b.stable, Baseline: workload.BaselineOf(kubetest.Deployment(1), false)}
}

// hold holds a tag and returns its revision.
func (b *bench) hold(seq int64, tag string) string {
	b.t.Helper()
	held, err := b.HoldRevision(b.t.Context(), b.holdRequest(seq, image(tag)))
	require.NoError(b.t, err)
	synctest.Wait()
	return held.Revision
}

// canary runs n canary pods.
func (b *bench) canary(seq int64, revision string, n int) workload.Pods {
	b.t.Helper()
	pods, err := b.EnsureCanary(b.t.Context(), workload.CanaryRequest{Ref: kubetest.Ref(seq), Revision: revision, Replicas: n})
	require.NoError(b.t, err)
	synctest.Wait()
	return pods
}

func (b *bench) canaryDeployment() *appsv1.Deployment {
	b.t.Helper()
	d, err := b.server.AppsV1().Deployments(kubetest.Namespace).Get(b.t.Context(), "demo-canary", metav1.GetOptions{})
	require.NoError(b.t, err)
	return d
}

// images of all pods of the namespace, by tag.
func (b *bench) tags() map[string]int {
	b.t.Helper()
	pods, err := b.server.CoreV1().Pods(kubetest.Namespace).List(b.t.Context(), metav1.ListOptions{})
	require.NoError(b.t, err)
	tags := map[string]int{}
	for _, p := range pods.Items {
		tags[p.Spec.Containers[0].Image]++
	}
	return tags
}

// requireGone makes sure that nothing of the rollout is left.
func (b *bench) requireGone() {
	b.t.Helper()
	_, err := b.server.AppsV1().Deployments(kubetest.Namespace).Get(b.t.Context(), "demo-canary", metav1.GetOptions{})
	require.True(b.t, apierrors.IsNotFound(err))
	_, err = b.server.CoreV1().Services(kubetest.Namespace).Get(b.t.Context(), "demo-canary", metav1.GetOptions{})
	require.True(b.t, apierrors.IsNotFound(err))
	d := b.live()
	require.NotContains(b.t, d.Annotations, release.AnnotationRelease)
	for _, m := range d.ManagedFields {
		require.NotEqual(b.t, release.FieldManager, m.Manager)
	}
}

// requireType requires an error of a type of package kube.
func requireType(t *testing.T, err error, errType string) {
	t.Helper()
	require.Error(t, err)
	require.True(t, kube.IsType(err, errType), "want %s, got: %v", errType, err)
}

func templateJSON(t *testing.T, tag string) []byte {
	t.Helper()
	template := kubetest.Deployment(1).Spec.Template
	template.Spec.Containers[0].Image = "version:" + tag
	data, err := json.Marshal(template)
	require.NoError(t, err)
	return data
}

var errGateway = errors.New("the gateway does not answer")

func readyPods(n int) workload.Pods { return workload.Pods{Total: n, Ready: n} }

func terminating(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.Now()) }
