package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// TestBypassMessages pauses, resumes, jumps, edits the plan and a pause, and
// disables. Labels of controllers on the template are no change.
func TestBypassMessages(t *testing.T) {
	b := newBypass(t, "")
	b.declare()
	for _, hash := range []string{`"x"`, "null"} {
		b.patchTemplate(`{"metadata":{"labels":{"pod-template-hash":` + hash + `}}}`)
		d, err := b.Deployment(b.ctx, b.namespace)
		require.NoError(t, err)
		require.False(t, d.Spec.Paused)
	}
	b.setImage("v2")
	b.stepPaused(1)
	require.Equal(t, 1, b.runs())

	b.patch(`{"spec":{"strategy":{"paused":true}}}`)
	b.approve()
	b.status("the refusal is told", func(s projection.Status) bool {
		p := s.Condition(projection.Progressing)
		return s.CurrentStepState == projection.StepPaused && p != nil && p.Reason == projection.ReasonPaused &&
			strings.Contains(b.events(), "paused: resume it first")
	})
	b.patch(`{"spec":{"strategy":{"paused":false}}}`)
	require.NoError(t, harness.Await(b.ctx, "resumed", func(ctx context.Context) (bool, error) {
		s, err := b.Status(ctx, b.namespace)
		return err == nil && !s.Paused && len(s.Decisions) == 2, err
	}))

	b.approve()
	b.stepPaused(2)
	b.patchStatus(`{"nextStepIndex":1}`)
	b.paused(1, 10, "v2")
	b.patchStatus(`{"nextStepIndex":7}`)
	b.status("what does not exist is corrected", func(s projection.Status) bool { return s.CanaryStatus.NextStepIndex == 2 })

	require.NoError(t, b.apply("weight: 10", "weight: 15"))
	require.NoError(t, harness.Await(b.ctx, "the edited plan is followed", func(ctx context.Context) (bool, error) {
		s, err := b.Status(ctx, b.namespace)
		return err == nil && s.Confirmed.Weight == 15, err
	}))
	b.paused(1, 15, "v2")
	require.NoError(t, b.apply("weight: 10\n        pause: {}", "weight: 15\n        pause: {duration: 1}"))
	b.stepPaused(2)

	b.patch(`{"spec":{"disabled":true}}`)
	b.phase(projection.PhaseDisabled, 0, "")
	b.checkShare("disabling has finished the new revision", "v2", 100)
	b.restored("v2")
	b.patch(`{"spec":{"disabled":false}}`)
	b.phase(projection.PhaseHealthy, 0, "")
	b.hasTold("Progressing True Paused", projection.PhaseDisabling)
	b.finish()
	b.toldInTime()
}

// TestBypassOtherTemplates proposes a third template, returns to stable, lets a
// third template wait for the end of the rollout, and deletes the Rollout in the
// middle.
func TestBypassOtherTemplates(t *testing.T) {
	b := newBypass(t, "")
	b.declare("name: rollouts-demo", "name: rollouts-demo\n  annotations: {sluice.dev/on-delete: rollback}")
	b.setImage("v2")
	b.stepPaused(1)
	b.setImage("v3")
	b.checkNext("v3")
	b.setImage("v1")
	b.healthy("False", "v1")
	b.hasTold("Progressing True Cancelling", "Succeeded False Completed")

	b.patch(`{"metadata":{"annotations":{"sluice.dev/on-new-revision":"queue"}}}`)
	b.setImage("v2")
	b.stepPaused(1)
	d := b.setImage("v3")
	require.Equal(t, harness.Image("v2"), d.Spec.Template.Spec.Containers[0].Image, "v3 waits")
	b.sluice("promote", harness.Demo, "--full")
	b.checkNext("v3")
	b.gone()
	b.checkShare("rolled back with its Rollout", "v2", 100)
	b.finish()
	b.toldInTime()
}

// checkNext waits for the hold of step 1 of a version that has waited.
func (b *bypass) checkNext(version string) {
	b.t.Helper()
	require.NoError(b.t, harness.Await(b.ctx, version+" holds at step 1", func(ctx context.Context) (bool, error) {
		s, err := b.Status(ctx, b.namespace)
		return err == nil && s.Phase == workflows.PhaseHolding && s.Step == 1 && s.Images["main"] == harness.Image(version), err
	}))
	b.checkShare(version+" at step 1", version, 10)
}
