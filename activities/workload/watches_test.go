package workload_test

import (
	"context"
	"log/slog"
	"sync"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"sluice.dev/sluice/activities/pending"
	"sluice.dev/sluice/activities/workload"
)

// watches runs watches as a worker does: what is not there at once is completed
// later.
type watches struct {
	b    *bench
	env  *testsuite.TestActivityEnvironment
	last []byte // token

	mu      sync.Mutex
	results map[string]chan workload.Changed
}

// newWatches gives the activities of a bench a registry that ends with the test.
func newWatches(b *bench) *watches {
	w := &watches{b: b, env: (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment(), results: map[string]chan workload.Changed{}}
	w.env.RegisterActivity(w.run)
	b.Watches = pending.New(w, slog.New(slog.DiscardHandler))
	b.t.Cleanup(func() { b.Watches.Close(context.Background()) })
	return w
}

// run is a watch whose token is remembered.
func (w *watches) run(ctx context.Context, req workload.WatchRequest) (workload.Changed, error) {
	w.last = activity.GetInfo(ctx).TaskToken
	return w.b.WatchWorkload(ctx, req)
}

// start returns what a watch will find.
func (w *watches) start(req workload.WatchRequest) chan workload.Changed {
	w.b.t.Helper()
	value, err := w.env.ExecuteActivity(w.run, req)
	found := w.result(w.last)
	if err != nil {
		require.ErrorIs(w.b.t, err, activity.ErrResultPending)
		return found
	}
	var changed workload.Changed
	require.NoError(w.b.t, value.Get(&changed))
	found <- changed
	return found
}

func (w *watches) result(token []byte) chan workload.Changed {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.results[string(token)] == nil {
		w.results[string(token)] = make(chan workload.Changed, 1)
	}
	return w.results[string(token)]
}

// CompleteActivity takes a result; there is only one for each watch.
func (w *watches) CompleteActivity(_ context.Context, token []byte, result any, err error) error {
	if changed, ok := result.(workload.Changed); ok && err == nil {
		w.result(token) <- changed
	}
	return nil
}

// RecordActivityHeartbeat takes note of nothing.
func (w *watches) RecordActivityHeartbeat(context.Context, []byte, ...any) error { return nil }
