package e2e

import (
	"context"
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

// TestBypassRejectAndHold refuses a third template, and leaves the open rollout
// to the command line when its Rollout is deleted.
func TestBypassRejectAndHold(t *testing.T) {
	b := newBypass(t, "")
	unlabelled := b.before
	b.declare("name: rollouts-demo", "name: rollouts-demo\n  annotations: {sluice.dev/on-new-revision: reject, sluice.dev/on-delete: hold}")
	b.setImage("v2")
	b.paused(1, 10, "v2")
	require.ErrorContains(t, b.SetImage(b.ctx, b.namespace, "v3"), "rejects other templates: promote or abort it first")

	require.NoError(t, b.dynamic.Delete(b.ctx, seedRollout, metav1.DeleteOptions{}))
	require.NoError(t, harness.Await(b.ctx, "the Rollout is gone", func(ctx context.Context) (bool, error) {
		list, err := b.dynamic.List(ctx, metav1.ListOptions{})
		return err == nil && len(list.Items) == 0, err
	}))
	b.holdAt(1, 10, "v2")
	b.sluice("abort", harness.Demo)
	b.await(workflows.PhaseRolledBack, 0)
	b.checkShare("aborted", "v1", 100)
	b.finish()
	b.before = unlabelled
	b.restored("v1")
}

// TestBypassWhatIsHeld declares a Rollout while a rolling update is stuck: a change
// is held and reported, and rolled out when that update was undone. So is one of a
// workload without pods.
func TestBypassWhatIsHeld(t *testing.T) {
	b := newBypass(t, drainedApp)
	b.env("NEVER_READY", `"crash"`)
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
// it when there is something to compare with.
func (b *bypass) withoutPods() {
	b.t.Helper()
	require.NoError(b.t, b.Scale(b.ctx, b.namespace, 0))
	d := b.setImage("v2")
	require.True(b.t, d.Spec.Paused)
	b.status("it says why", func(s projection.Status) bool { return strings.Contains(s.Message, "0 replicas") })
	require.NoError(b.t, b.Scale(b.ctx, b.namespace, 5))
	b.stepPaused(1)
	b.patch(`{"metadata":{"annotations":{"sluice.dev/on-delete":"rollback"}}}`)
	b.gone()
}

// env sets a variable of the application to a JSON value; null removes it.
func (b *bypass) env(name, value string) {
	b.t.Helper()
	entry := `{"name":"` + name + `","value":` + value + `}`
	if value == "null" {
		entry = `{"name":"` + name + `","$patch":"delete"}`
	}
	patch := `{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[` + entry + `]}]}}}}`
	_, err := b.Kube.AppsV1().Deployments(b.namespace).Patch(b.ctx, harness.Demo, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	require.NoError(b.t, err)
}
