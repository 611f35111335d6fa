package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// ownDocument is a Rollout in our own form. The first step is promoted by metrics
// alone.
const ownDocument = `
apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata:
  name: rollouts-demo
  annotations: {sluice.dev/on-new-revision: reject, sluice.dev/on-delete: hold}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: demo}
  prometheus: [{name: main, address: "PROMETHEUS"}]
  strategy:
    canary:
      trafficRoutings: [{service: demo, ingress: {name: demo}}]
      steps:
      - traffic: 10%
        replicas: 1
        analysis: {metrics: [{name: fine, query: vector(1), min: 1, interval: 1s, count: 3}]}
      - traffic: 30%
        replicas: 2
        pause: {}
`

// TestBypassRejectAndHold refuses a third template, and leaves the open rollout
// to the command line, as kubectl's plugin, when its Rollout is deleted. The
// Rollout is one of ours, whose first step is promoted by metrics.
func TestBypassRejectAndHold(t *testing.T) {
	b := newBypassOf(t, "", ownRollouts)
	unlabelled := b.before
	b.declareBy(func() {
		document := strings.Replace(ownDocument, "PROMETHEUS", b.Sandbox.State().Inside.PrometheusURL, 1)
		require.NoError(t, b.Sandbox.Apply(b.ctx, b.namespace, []byte(document)))
	})
	b.setImage("v2")
	b.paused(2, 30, "v2")
	b.hasTold(projection.StepMetricsAnalysis)
	require.ErrorContains(t, b.SetImage(b.ctx, b.namespace, "v3"), "rejects other templates: promote or abort it first")

	require.NoError(t, b.dynamic.Delete(b.ctx, b.name, metav1.DeleteOptions{}))
	require.NoError(t, harness.Await(b.ctx, "the Rollout is gone", func(ctx context.Context) (bool, error) {
		list, err := b.dynamic.List(ctx, metav1.ListOptions{})
		return err == nil && len(list.Items) == 0, err
	}))
	b.holdAt(2, 30, "v2")
	require.Contains(t, b.kubectlSluice("abort", "--help"), "kubectl sluice abort")
	b.kubectlSluice("abort", harness.Demo)
	b.await(workflows.PhaseRolledBack, 0)
	b.checkShare("aborted", "v1", 100)
	b.finish()
	b.toldInTime()
	b.before = unlabelled
	b.restored("v1")
}

// TestBypassWhatIsHeld declares a Rollout while a rolling update is stuck: a change
// is held and reported, and rolled out when that update was undone. So is one of a
// workload without pods.
func TestBypassWhatIsHeld(t *testing.T) {
	b := newBypass(t, wellProbedApp) // what Kubernetes does alone is not what is tried
	b.env("NEVER_READY", `"1"`)
	require.NoError(t, harness.Await(b.ctx, "two ReplicaSets have pods", func(ctx context.Context) (bool, error) {
		d, err := b.Deployment(ctx, b.namespace)
		return err == nil && d.Status.UpdatedReplicas > 0 && d.Status.UpdatedReplicas < d.Status.Replicas, err
	}))
	b.declare()
	b.setImage("v2")
	b.status("it says why", func(s projection.Status) bool { return strings.Contains(s.Message, "2 ReplicaSets have pods") })
	d, err := b.Deployment(b.ctx, b.namespace)
	require.NoError(t, err)
	require.True(t, d.Spec.Paused)

	b.env("NEVER_READY", "null")
	b.setImage("v1") // the template of the stable pods
	require.NoError(t, b.Sandbox.AwaitDeployment(b.ctx, b.namespace, harness.Demo))
	d, err = b.Deployment(b.ctx, b.namespace)
	require.NoError(t, err)
	require.NotContains(t, d.Annotations, release.AnnotationHold)
	b.setImage("v2")
	b.paused(1, 10, "v2")
	b.setImage("v1")
	b.phase(projection.PhaseHealthy, 0, "")
	b.finish()
	b.withoutPods()
}

// withoutPods holds a revision of a workload that is scaled to nothing, and starts
// it when there is something to compare with. Nobody can answer in between, so
// there are two accounts of requests.
func (b *bypass) withoutPods() {
	b.t.Helper()
	require.NoError(b.t, b.Scale(b.ctx, b.namespace, 0))
	d := b.setImage("v2")
	require.True(b.t, d.Spec.Paused)
	b.status("it says why", func(s projection.Status) bool { return strings.Contains(s.Message, "0 replicas") })
	require.NoError(b.t, b.Scale(b.ctx, b.namespace, 5))
	// The pods that end answer, too, for as long as they do.
	require.NoError(b.t, harness.Await(b.ctx, "all pods are ready again", func(ctx context.Context) (bool, error) {
		d, err := b.Deployment(ctx, b.namespace)
		return err == nil && d.Status.ReadyReplicas == 5, err
	}))
	require.NoError(b.t, b.AwaitAnswers(b.ctx, "v1"))
	b.startLoad(bypassRate)
	b.paused(1, 10, "v2")
	b.patch(`{"metadata":{"annotations":{"sluice.dev/on-delete":"rollback"}}}`)
	b.gone()
	b.checkShare("rolled back with its Rollout", "v1", 100)
	b.finish()
	b.toldInTime()
}

// kubectlSluice runs the command line tool as a plugin of kubectl.
func (b *bypass) kubectlSluice(args ...string) string {
	b.t.Helper()
	path, err := kubectlPath()
	require.NoError(b.t, err)
	folder := b.t.TempDir()
	require.NoError(b.t, os.Symlink(b.Programs.Sluice, filepath.Join(folder, "kubectl-sluice")))
	cmd := b.SluiceCommand(b.ctx, b.namespace)
	cmd.Path, cmd.Args = path, append([]string{path, "sluice"}, args...)
	cmd.Env = append(cmd.Env, "PATH="+folder)
	out, err := cmd.CombinedOutput()
	require.NoError(b.t, err, "%s", out)
	return string(out)
}

// patchTemplate patches the pod template of the application.
func (b *bypass) patchTemplate(patch string) {
	b.t.Helper()
	_, err := b.Kube.AppsV1().Deployments(b.namespace).Patch(b.ctx, harness.Demo, types.StrategicMergePatchType,
		[]byte(`{"spec":{"template":`+patch+`}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	require.NoError(b.t, err)
}

// env sets a variable of the application to a JSON value; null removes it.
func (b *bypass) env(name, value string) {
	b.t.Helper()
	entry := `{"name":"` + name + `","value":` + value + `}`
	if value == "null" {
		entry = `{"name":"` + name + `","$patch":"delete"}`
	}
	b.patchTemplate(`{"spec":{"containers":[{"name":"main","env":[` + entry + `]}]}}`)
}
