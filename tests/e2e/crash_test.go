package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// crashWorker kills the worker with -9 and starts another.
func (r *rollout) crashWorker() {
	r.t.Helper()
	require.NoError(r.t, worker.Kill())
	var err error
	worker, err = r.StartWorker(r.ctx)
	require.NoError(r.t, err)
}

func TestWorkerKilledAtEachHold(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	for step, weight := range []int{10, 30} {
		r.await(workflows.PhaseHolding, step+1)
		r.crashWorker()
		r.holdAt(step+1, weight, "v2")
		r.sluice("promote", harness.Demo)
	}
	r.await(workflows.PhasePromoting, 0)
	r.crashWorker()
	r.await(workflows.PhasePromoted, 0)
	r.finish()
	r.restored("v2")
}

// TestWorkerKilledInTheMiddle kills the worker while it works on each operation
// that takes time.
func TestWorkerKilledInTheMiddle(t *testing.T) {
	for _, operation := range []string{"canary to 1", "route weight 10", "canary to 5", "make the new revision stable", "remove the canary route"} {
		t.Run(operation, func(t *testing.T) {
			r := newRollout(t)
			r.start("rollout-canary.yaml", "v2")
			_, err := r.Sluice(r.ctx, r.namespace, "promote", harness.Demo, "--full")
			require.NoError(t, err)
			require.NoError(t, harness.Await(r.ctx, "the rollout works on "+operation, r.working(operation)))
			r.crashWorker()
			r.await(workflows.PhasePromoted, 0)
			r.finish()
			r.restored("v2")
		})
	}
}

func TestTemporalRestartedAtStep1(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.await(workflows.PhaseHolding, 1)
	require.NoError(t, r.Sandbox.Restart(r.ctx, "temporal"))
	r.holdAt(1, 10, "v2")
	r.sluice("promote", harness.Demo)
	r.holdAt(2, 30, "v2")
	r.sluice("promote", harness.Demo)
	r.await(workflows.PhasePromoted, 0)
	r.finish()
	r.restored("v2")
}

func TestTemporalKilledDuringPromotion(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.await(workflows.PhaseHolding, 1)
	r.sluice("promote", harness.Demo, "--full")
	r.await(workflows.PhasePromoting, 0)
	require.NoError(t, r.Sandbox.Kill(r.ctx, "temporal"))
	require.NoError(t, r.Sandbox.Start(r.ctx, "temporal"))
	r.await(workflows.PhasePromoted, 0)
	r.finish()
	r.restored("v2")
}

func TestAPIServerRestartedAtStep2(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.await(workflows.PhaseHolding, 1)
	r.sluice("promote", harness.Demo)
	r.holdAt(2, 30, "v2")
	require.NoError(t, r.Sandbox.Stop(r.ctx, "apiserver"))
	// The promotion is taken while the API server is away, and waits for it.
	r.sluice("promote", harness.Demo)
	r.await(workflows.PhasePromoting, 0)
	require.NoError(t, r.Sandbox.Start(r.ctx, "apiserver"))
	r.await(workflows.PhasePromoted, 0)
	r.finish()
	r.restored("v2")
}

func TestAbortWhileTheAPIServerIsAway(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	require.NoError(t, r.Sandbox.Stop(r.ctx, "apiserver"))
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRollingBack, 0)
	require.NoError(t, r.Sandbox.Start(r.ctx, "apiserver"))
	r.await(workflows.PhaseRolledBack, 0)
	r.finish()
	r.restored("v1")
}

func TestCancelledWorkflowCompensates(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	id := harness.DemoWorkflow(r.namespace)
	require.NoError(t, r.Temporal.CancelWorkflow(r.ctx, id, ""))
	require.Error(t, r.Temporal.GetWorkflow(r.ctx, id, "").Get(r.ctx, nil))
	s := r.await(workflows.PhaseRolledBack, 0)
	require.Contains(t, fmt.Sprint(s.Result.Reason), "cancelled")
	r.finish()
	r.restored("v1")
}
