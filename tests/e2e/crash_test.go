package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

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

// TestWorkerKilledAtEachHold kills the worker at each hold, and scales the workload
// while nobody watches it: the canary that takes every request has the new size.
func TestWorkerKilledAtEachHold(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	for step, weight := range []int{10, 30} {
		r.await(workflows.PhaseHolding, step+1)
		r.crashWorker()
		r.holdAt(step+1, weight, "v2")
		if step == 1 {
			r.crashWorker()
			require.NoError(t, r.Scale(r.ctx, r.namespace, 6))
		}
		r.sluice("promote", harness.Demo)
	}
	r.await(workflows.PhasePromoting, 0)
	r.crashWorker()
	s := r.await(workflows.PhasePromoted, 0)
	r.finish()
	var story []string
	for _, e := range s.Timeline {
		story = append(story, e.Text)
	}
	covered := slices.IndexFunc(story, func(text string) bool { return strings.HasPrefix(text, "route weight 100") })
	require.Positive(t, covered, "%q", story)
	require.Contains(t, story[:covered], "the workload was scaled from 5 to 6")
	require.Contains(t, story[:covered], "canary to 6 pods")
	require.NoError(t, r.Scale(r.ctx, r.namespace, 5))
	require.NoError(t, r.Sandbox.AwaitDeployment(r.ctx, r.namespace, harness.Demo))
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

// away is how long the API server is away in the middle of a return.
const away = 2 * time.Minute

// TestAPIServerAwayForMinutesDuringAnAbort kills the API server when requests have
// gone back to stable, and the canary and all that was changed are still there. What
// takes a minute or more afterwards is Traefik, whose pauses between two tries have
// grown: its deletion of the route is waited for.
func TestAPIServerAwayForMinutesDuringAnAbort(t *testing.T) {
	r := newRolloutAt(t, place{limit: limit + away}, harness.LoadOptions{})
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	r.sluice("abort", harness.Demo)
	require.NoError(t, harness.Await(r.ctx, "requests in flight are waited for", r.working("requests in flight finish")))
	require.NoError(t, r.Sandbox.Kill(r.ctx, "apiserver"))
	// One that was elected ends when it cannot renew its lease. This one would take
	// the nodes for dead when the API server is back, and their pods with them.
	require.NoError(t, r.Sandbox.Stop(r.ctx, "controller-manager"))
	r.servedFor("without an API server", away)
	r.await(workflows.PhaseRollingBack, 0)
	require.NoError(t, r.Sandbox.Start(r.ctx, "apiserver"))
	require.NoError(t, r.Sandbox.Start(r.ctx, "controller-manager"))
	back := time.Now()
	s := r.await(workflows.PhaseRolledBack, 0)
	t.Logf("rolled back %s after the API server was back", s.Since.Sub(back).Round(time.Millisecond))
	r.checkShare("returned", "v2", 0)
	r.finish()
	r.restored("v1")
}

// servedFor lets time pass, and requires that nothing is lost meanwhile.
func (r *rollout) servedFor(name string, d time.Duration) {
	r.t.Helper()
	_, err := r.load.Mark(r.ctx, name)
	require.NoError(r.t, err)
	require.NoError(r.t, harness.Await(r.ctx, fmt.Sprintf("clients were served for %s", d), func(ctx context.Context) (bool, error) {
		w, err := r.load.Window(ctx, name)
		require.Zero(r.t, w.Lost(), "%v", w.Examples)
		return err == nil && w.To.Sub(w.From) >= d, err
	}))
}

// TestWorkerKilledWhileRollingBack kills the worker in the middle of a return to
// stable.
func TestWorkerKilledWhileRollingBack(t *testing.T) {
	for _, operation := range []string{"requests in flight finish", "remove the canary route"} {
		t.Run(operation, func(t *testing.T) {
			r := newRollout(t)
			r.start("rollout-canary.yaml", "v2")
			r.holdAt(1, 10, "v2")
			r.sluice("abort", harness.Demo)
			require.NoError(t, harness.Await(r.ctx, "the return works on "+operation, r.working(operation)))
			require.NoError(t, worker.Kill())
			killed := time.Now()
			var err error
			worker, err = r.StartWorker(r.ctx)
			require.NoError(t, err)
			s := r.await(workflows.PhaseRolledBack, 0)
			require.True(t, s.Since.After(killed), "it had ended before the worker was killed")
			r.checkShare("returned", "v2", 0)
			r.finish()
			r.restored("v1")
		})
	}
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
