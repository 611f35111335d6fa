package e2e

import (
	"context"
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

// TestAutoscaledWorkload doubles and halves the workload at a hold: the canary
// follows upwards, and never shrinks under its route.
func TestAutoscaledWorkload(t *testing.T) {
	r := newRolloutOf(t, drainedApp)
	r.autoscaled()
	s := r.startDocument(byShare, "v2")
	require.Contains(t, strings.Join(s.Warnings, "\n"), "may scale stable down to 2 of its 5 pods")
	r.holdAt(1, 40, "v2")
	require.NoError(t, harness.Await(r.ctx, "three canary pods for 40 % of five", r.canaryPods(3)))
	r.canaryObjects()

	require.NoError(t, r.Scale(r.ctx, r.namespace, 10))
	require.NoError(t, harness.Await(r.ctx, "the rollout knows of ten", r.replicas(10)))
	require.NoError(t, harness.Await(r.ctx, "five canary pods for 40 % of ten", r.canaryPods(5)))
	r.checkShare("doubled", "v2", 40)

	require.NoError(t, r.Scale(r.ctx, r.namespace, 5))
	require.NoError(t, harness.Await(r.ctx, "the rollout knows of five", r.replicas(5)))
	require.NoError(t, harness.Await(r.ctx, "the canary keeps its pods", r.canaryPods(5)))
	r.checkShare("halved", "v2", 40)

	scale, err := r.Kube.AppsV1().Deployments(r.namespace).GetScale(r.ctx, harness.Demo, metav1.GetOptions{})
	require.NoError(t, err)
	for _, p := range r.podsOf(scale.Status.Selector) {
		require.NotContains(t, p.Name, demoCanary, "the autoscaler counts stable pods only")
	}
	require.Len(t, r.podsOf(scale.Status.Selector), 5)
	d, err := r.Deployment(r.ctx, r.namespace)
	require.NoError(t, err)
	require.False(t, writesReplicas(d))

	r.sluice("promote", harness.Demo, "--full")
	r.await(workflows.PhasePromoted, 0)
	r.finish()
	r.restored("v2")
}

// TestScaledDuringPromotion grows and shrinks the workload, as an autoscaler does,
// while its pods are being replaced: no request goes to it then, and requests move
// back to as many pods as it has in the end.
func TestScaledDuringPromotion(t *testing.T) {
	r := newRolloutOf(t, `{"spec":{"minReadySeconds":3}}`)
	r.start("rollout-canary.yaml", "v2")
	r.await(workflows.PhaseHolding, 1)
	r.sluice("promote", harness.Demo, "--full")
	require.NoError(t, harness.Await(r.ctx, "the new revision is being made stable", r.working("make the new revision stable")))
	for _, size := range []int{8, 6} {
		require.NoError(t, r.Scale(r.ctx, r.namespace, size))
		require.NoError(t, harness.Await(r.ctx, "the Deployment controller follows", func(ctx context.Context) (bool, error) {
			d, err := r.Deployment(ctx, r.namespace)
			return err == nil && d.Status.ObservedGeneration >= d.Generation && int(d.Status.Replicas) >= size, err
		}))
	}
	s := r.await(workflows.PhasePromoted, 0)
	require.Equal(t, 6, s.Replicas)
	r.checkShare("promoted", "v2", 100)
	r.finish()
	d, err := r.Deployment(r.ctx, r.namespace)
	require.NoError(t, err)
	require.EqualValues(t, 6, d.Status.AvailableReplicas)
	require.False(t, writesReplicas(d))
	require.NoError(t, r.Scale(r.ctx, r.namespace, 5))
	r.restored("v2")
}
