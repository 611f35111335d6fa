package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// janitorSchedule is the Schedule that a worker of the sandbox sets up.
const janitorSchedule = "sluice-janitor-default"

// restartWorker lets the worker of all cases run with other settings.
func (r *rollout) restartWorker(args ...string) {
	r.t.Helper()
	require.NoError(r.t, worker.Kill())
	var err error
	worker, err = r.StartWorker(r.ctx, args...)
	require.NoError(r.t, err)
}

// TestJanitorRepairsALostRollout terminates a workflow; nobody repairs by hand.
func TestJanitorRepairsALostRollout(t *testing.T) {
	r := newRollout(t)
	t.Cleanup(func() {
		ctx := context.Background()
		require.NoError(t, r.Temporal.ScheduleClient().GetHandle(ctx, janitorSchedule).Delete(ctx))
	})
	r.restartWorker("--janitor", "report", "--janitor-every", "2s")
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	// An open rollout is left alone.
	require.Empty(t, r.swept(func(workflows.JanitorResult) bool { return true }).Lost)
	r.terminate()
	told := r.swept(func(j workflows.JanitorResult) bool { return len(j.Lost) > 0 })
	require.Equal(t, harness.DemoWorkflow(r.namespace), told.Lost[0].WorkflowID)
	require.Contains(t, told.Lost[0].Left, "a route of weight 10")
	r.checkShare("told of, and left alone", "v2", 10)
	r.restartWorker("--janitor", "repair", "--janitor-every", "2s")
	s := r.await(workflows.PhaseRolledBack, 0)
	require.Contains(t, s.Result.Reason, "its workflow is gone")
	r.finish()
	r.restored("v1")
	require.Empty(t, r.swept(func(j workflows.JanitorResult) bool { return len(j.Lost) == 0 }).Lost)
	r.restartWorker()
}

// swept waits for a look of the janitor, begun after this call, with a result.
func (r *rollout) swept(is func(workflows.JanitorResult) bool) workflows.JanitorResult {
	r.t.Helper()
	handle := r.Temporal.ScheduleClient().GetHandle(r.ctx, janitorSchedule)
	before, err := handle.Describe(r.ctx)
	require.NoError(r.t, err)
	var found workflows.JanitorResult
	require.NoError(r.t, harness.Await(r.ctx, "the janitor has looked", func(ctx context.Context) (bool, error) {
		now, err := handle.Describe(ctx)
		if err != nil || now.Info.NumActions <= before.Info.NumActions {
			return false, err
		}
		last := now.Info.RecentActions[len(now.Info.RecentActions)-1].StartWorkflowResult
		found = workflows.JanitorResult{}
		err = r.Temporal.GetWorkflow(ctx, last.WorkflowID, last.FirstExecutionRunID).Get(ctx, &found)
		return err == nil && is(found), err
	}))
	return found
}
