package e2e

import (
	"context"
	"strings"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// working says that the rollout's message begins with a text.
func (r *rollout) working(text string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		return err == nil && strings.HasPrefix(s.Message, text), err
	}
}

// replacing says that the rollout has let the workload replace its pods. That it
// works on it is not enough where nobody does it after it: its message comes
// before the write.
func (r *rollout) replacing(ctx context.Context) (bool, error) {
	working, err := r.working("make the new revision stable")(ctx)
	if !working || err != nil {
		return false, err
	}
	d, err := r.Deployment(ctx, r.namespace)
	return err == nil && !d.Spec.Paused, err
}

// holdsImage says that a version of the application holds at step 1.
func (r *rollout) holdsImage(version string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		return err == nil && s.Phase == workflows.PhaseHolding && s.Step == 1 && s.Images["main"] == harness.Image(version), err
	}
}

// replicas says that the rollout knows of n replicas, and that they are ready.
func (r *rollout) replicas(n int) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		if err != nil || s.Replicas != n {
			return false, err
		}
		d, err := r.Deployment(ctx, r.namespace)
		return err == nil && int(d.Status.AvailableReplicas) == n && int(d.Status.Replicas) == n, err
	}
}

// listedAs says that what the rollout has left is listed with words about its
// workflow.
func (r *rollout) listedAs(words string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		out, err := r.Sluice(ctx, r.namespace, "repair")
		return err == nil && strings.Contains(out.Stdout, words), err
	}
}
