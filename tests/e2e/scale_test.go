package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	scalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// contains is strings.Contains, where a closure wants to be short.
func contains(text, part string) bool { return strings.Contains(text, part) }

// autoscaled puts an autoscaler over the seed's Deployment. There are no metrics
// in the sandbox: the cases scale in its place.
func (r *rollout) autoscaled() {
	r.t.Helper()
	h := &scalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: harness.Demo},
		Spec: scalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: scalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: harness.Demo},
			MinReplicas:    new(int32(2)), MaxReplicas: 20,
		},
	}
	_, err := r.Kube.AutoscalingV2().HorizontalPodAutoscalers(r.namespace).Create(r.ctx, h, metav1.CreateOptions{})
	require.NoError(r.t, err)
	r.remember()
}

// startDocument starts a rollout of a document that is given as text.
func (r *rollout) startDocument(document, version string) workflows.Status {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), "rollout.yaml")
	require.NoError(r.t, os.WriteFile(path, []byte(document), 0o600))
	r.sluice("start", "-f", path, "--image", "main="+harness.Image(version))
	return r.await(workflows.PhaseHolding, 1)
}

// byShare is a document whose canary is a share of the workload, of which the
// first step names a weight only.
const byShare = `apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata: {name: demo}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: demo}
  strategy:
    canary:
      steps:
      - {traffic: 40%, hold: approval}
      - {traffic: 60%, replicas: 70%, hold: approval}
      trafficRoutings:
      - service: demo
        ingress: {name: demo}
`

// slowlyDrainedApp is drainedApp whose pods count some time after they are ready,
// so that a case can meet a promotion.
const slowlyDrainedApp = `{"spec":{"minReadySeconds":2,"template":{"spec":{"containers":[{"name":"main","lifecycle":{"preStop":{"sleep":{"seconds":5}}}}]}}}}`

// TestAutoscaledWorkload grows and shrinks the workload, as an autoscaler does. At
// a hold the canary follows upwards, and never shrinks under its route. The
// autoscaler itself may not scale down meanwhile. While the pods of the workload
// are replaced no request goes to it, and requests move back when it has as many
// pods as all of them need.
func TestAutoscaledWorkload(t *testing.T) {
	r := newRolloutOf(t, slowlyDrainedApp)
	r.autoscaled()
	s := r.startDocument(byShare, "v2")
	require.Contains(t, strings.Join(s.Warnings, "\n"), "it may not scale down until the end of the release")
	h, err := r.Kube.AutoscalingV2().HorizontalPodAutoscalers(r.namespace).Get(r.ctx, harness.Demo, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, scalingv2.DisabledPolicySelect, *h.Spec.Behavior.ScaleDown.SelectPolicy)
	require.Equal(t, 40, s.Confirmed.Weight)
	require.NoError(t, harness.Await(r.ctx, "three canary pods for 40 % of five", r.canaryPods(3)))
	r.canaryObjects()
	for _, c := range []struct{ size, canary int }{{10, 5}, {5, 5}} {
		require.NoError(t, r.Scale(r.ctx, r.namespace, c.size))
		require.NoError(t, harness.Await(r.ctx, fmt.Sprint("the rollout knows of ", c.size), r.replicas(c.size)))
		require.NoError(t, harness.Await(r.ctx, "five canary pods, also for fewer", r.canaryPods(c.canary)))
	}
	r.checkShare("doubled and halved", "v2", 40)
	r.requireCounted(5)

	r.sluice("promote", harness.Demo, "--full")
	require.NoError(t, harness.Await(r.ctx, "the new revision is being made stable", r.working("make the new revision stable")))
	for _, size := range []int{8, 6} {
		require.NoError(t, r.Scale(r.ctx, r.namespace, size))
		require.NoError(t, harness.Await(r.ctx, "the Deployment controller follows", func(ctx context.Context) (bool, error) {
			d, err := r.Deployment(ctx, r.namespace)
			return err == nil && d.Status.ObservedGeneration >= d.Generation && int(d.Status.Replicas) >= size, err
		}))
	}
	require.NoError(t, harness.Await(r.ctx, "requests wait for the pods that they need", r.working("route weight 0")))
	r.checkShare("with too few pods of the workload", "v2", 100)
	s, err = r.Status(r.ctx, r.namespace)
	require.NoError(t, err)
	require.Equal(t, 100, s.Confirmed.Weight)
	require.NoError(t, r.Scale(r.ctx, r.namespace, 10))
	s = r.await(workflows.PhasePromoted, 0)
	require.Equal(t, 10, s.Replicas)
	r.finish()
	r.requireCounted(10)
	require.NoError(t, r.Scale(r.ctx, r.namespace, 5))
	r.restored("v2")
}

// requireCounted requires that an autoscaler counts n pods, none of the canary, and
// that their number was never ours to write.
func (r *rollout) requireCounted(n int) {
	r.t.Helper()
	scale, err := r.Kube.AppsV1().Deployments(r.namespace).GetScale(r.ctx, harness.Demo, metav1.GetOptions{})
	require.NoError(r.t, err)
	counted := r.podsOf(scale.Status.Selector)
	require.Len(r.t, counted, n)
	for _, p := range counted {
		require.NotContains(r.t, p.Name, demoCanary)
	}
	d, err := r.Deployment(r.ctx, r.namespace)
	require.NoError(r.t, err)
	require.False(r.t, writesReplicas(d))
}
