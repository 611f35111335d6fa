package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// secondAddress is where the second of two workers serves.
const secondAddress = "192.0.2.10:9474"

// TestWorkerStoppedInTheMiddle ends, in order, the one of two workers that works
// on an operation, twice. The first time the other one goes on at once. The second
// time the API server keeps the write waiting: the worker tells meanwhile that it
// lives and takes no work.
func TestWorkerStoppedInTheMiddle(t *testing.T) {
	r := newRollout(t)
	at := map[int]string{worker.PID(): harness.WorkerAddress}
	workers := map[int]*harness.Worker{worker.PID(): worker}
	join := func(address string) {
		w, err := r.StartWorker(r.ctx, "--metrics-address", address, "--health-address", address)
		require.NoError(t, err)
		at[w.PID()], workers[w.PID()] = address, w
	}
	join(secondAddress)
	t.Cleanup(func() {
		// Other cases have one worker, at the usual address.
		for _, w := range workers {
			_ = w.Kill()
		}
		var err error
		worker, err = r.StartWorker(context.Background())
		require.NoError(t, err)
	})
	for _, address := range at {
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			r.requireStatus(address, path, http.StatusOK)
		}
	}
	r.start("rollout-canary.yaml", "v2")
	r.await(workflows.PhaseHolding, 1)

	r.sluice("promote", harness.Demo)
	pid := r.worksOn("EnsureCanary", workers)
	require.NoError(t, workers[pid].Stop(r.ctx))
	address := at[pid]
	delete(workers, pid)
	r.await(workflows.PhaseHolding, 2)
	history, err := r.History(r.ctx, harness.DemoWorkflow(r.namespace), "")
	require.NoError(t, err)
	for _, event := range history.Events {
		started := event.GetActivityTaskStartedEventAttributes()
		require.Nil(t, started.GetLastFailure().GetTimeoutFailureInfo(), "an operation was waited for that nobody did")
	}
	join(address)

	require.NoError(t, r.Sandbox.Freeze(r.ctx, "apiserver"))
	r.sluice("promote", harness.Demo)
	pid = r.worksOn("EnsureCanary", workers)
	stopped := make(chan error, 1)
	go func() { stopped <- workers[pid].Stop(r.ctx) }()
	require.NoError(t, harness.Await(r.ctx, "the worker says that it stops", func(ctx context.Context) (bool, error) {
		status, err := r.AskWorker(ctx, at[pid], "/readyz")
		return status == http.StatusServiceUnavailable, err
	}))
	r.requireStatus(at[pid], "/healthz", http.StatusOK)
	r.requireStatus(at[pid], "/metrics", http.StatusOK)
	require.NoError(t, r.Sandbox.Thaw(r.ctx, "apiserver"))
	require.NoError(t, <-stopped)
	delete(workers, pid)
	r.await(workflows.PhasePromoted, 0)
	r.finish()
	r.restored("v2")
}

// requireStatus asks a worker.
func (r *rollout) requireStatus(address, path string, want int) {
	r.t.Helper()
	status, err := r.AskWorker(r.ctx, address, path)
	require.NoError(r.t, err)
	require.Equal(r.t, want, status, "%s%s", address, path)
}

// worksOn waits until one of the workers does an activity, and returns which.
func (r *rollout) worksOn(activity string, workers map[int]*harness.Worker) int {
	r.t.Helper()
	found := 0
	require.NoError(r.t, harness.Await(r.ctx, "a worker does "+activity, func(ctx context.Context) (bool, error) {
		d, err := r.Temporal.DescribeWorkflowExecution(ctx, harness.DemoWorkflow(r.namespace), "")
		if err != nil {
			return false, err
		}
		for _, pending := range d.GetPendingActivities() {
			if pending.GetActivityType().GetName() == activity && pending.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED {
				found = workerOf(pending, workers)
			}
		}
		return found != 0, nil
	}))
	return found
}

// workerOf returns the process that does an activity, by the number with which
// the SDK begins its name.
func workerOf(pending *workflowpb.PendingActivityInfo, workers map[int]*harness.Worker) int {
	for pid := range workers {
		if strings.HasPrefix(pending.GetLastWorkerIdentity(), fmt.Sprintf("%d@", pid)) {
			return pid
		}
	}
	return 0
}
