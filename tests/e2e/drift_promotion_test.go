package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// TestDriftDuringPromotion takes away what covers the workload while its pods are
// replaced: they end with a preStop, so that what is lost would be a rollout's
// doing.
func TestDriftDuringPromotion(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(r *rollout)
		told string
		// back says that it has been put right.
		back func(r *rollout, ctx context.Context) (bool, error)
	}{
		{
			"the canary Ingress is deleted", func(r *rollout) { r.delete("Ingress") }, "the canary covers the workload again at once",
			func(r *rollout, ctx context.Context) (bool, error) {
				s, err := r.Status(ctx, r.namespace)
				return err == nil && !s.Unsure && s.Confirmed.Weight == 100, err
			},
		},
		{
			"the canary is scaled down", func(r *rollout) { r.patchDeployment(demoCanary, `{"spec":{"replicas":2}}`) }, "it was scaled to 2",
			func(r *rollout, ctx context.Context) (bool, error) {
				d, err := r.Kube.AppsV1().Deployments(r.namespace).Get(ctx, demoCanary, metav1.GetOptions{})
				return err == nil && *d.Spec.Replicas > 2, err
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRolloutOf(t, drainedApp)
			r.start("rollout-canary.yaml", "v2")
			r.await(workflows.PhaseHolding, 1)
			r.sluice("promote", harness.Demo, "--full")
			require.NoError(t, harness.Await(r.ctx, "the workload is being replaced", r.working("make the new revision stable")))
			since := time.Now()
			c.edit(r)
			r.noted(since, c.told)
			require.NoError(t, harness.Await(r.ctx, "the workload is covered again", func(ctx context.Context) (bool, error) { return c.back(r, ctx) }))
			r.promoted("v2")
		})
	}
}
