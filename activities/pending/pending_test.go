package pending_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/pending"
)

// completion is what was reported of an activity.
type completion struct {
	token  string
	result any
	err    error
}

// worker is one with a registry in a bubble of virtual time, and the Temporal that
// it talks to.
type worker struct {
	t    *testing.T
	env  *testsuite.TestActivityEnvironment
	stop chan struct{}
	*pending.Registry

	mu        sync.Mutex
	completed []completion
	beaten    map[string][]any
	answer    error         // to heartbeats
	reporting error         // answer to reports
	gate      chan struct{} // reports wait for it, where there is one
}

func onWorker(t *testing.T, test func(w *worker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &worker{t: t, stop: make(chan struct{}), beaten: map[string][]any{}}
		w.env = (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
		w.env.SetWorkerStopChannel(w.stop)
		w.Registry = pending.New(w, slog.New(slog.DiscardHandler))
		t.Cleanup(func() { w.Close(context.Background()) })
		test(w)
	})
}

func (w *worker) CompleteActivity(ctx context.Context, token []byte, result any, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.completed = append(w.completed, completion{string(token), result, err})
	if w.gate == nil {
		return w.reporting
	}
	gate := w.gate
	w.mu.Unlock()
	defer w.mu.Lock()
	select {
	case <-gate:
	case <-ctx.Done():
	}
	return ctx.Err()
}

func (w *worker) RecordActivityHeartbeat(_ context.Context, token []byte, details ...any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.beaten[string(token)] = append(w.beaten[string(token)], details...)
	return w.answer
}

// answers lets heartbeats be answered by an error.
func (w *worker) answers(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = err
}

func (w *worker) reported() []completion {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.completed
}

// pass lets time pass, which takes none.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// thing is what a test waits for.
type thing struct {
	token string
	wake  func()

	mu        sync.Mutex
	found     any
	err       error
	memory    string
	looks     int
	inside    chan struct{} // a look waits for it, where there is one
	forgotten bool
}

func (x *thing) Look(context.Context) (any, bool, error) {
	x.mu.Lock()
	x.looks++
	inside, found, err := x.inside, x.found, x.err
	x.mu.Unlock()
	if inside != nil {
		<-inside
	}
	if found == "panic" {
		panic(found)
	}
	return found, found != nil, err
}

func (x *thing) Memory() any {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.memory
}

// change changes it and tells of it.
func (x *thing) change(edit func()) {
	x.mu.Lock()
	edit()
	x.mu.Unlock()
	x.wake()
}

// await runs an activity that waits for a thing.
func (w *worker) await(x *thing) (any, error) {
	run := func(ctx context.Context) (string, error) {
		x.token = string(activity.GetInfo(ctx).TaskToken)
		found, err := w.Await(ctx, x, func(wake func()) func() {
			x.wake = wake
			return func() { x.forgotten = true }
		})
		text, _ := found.(string)
		return text, err
	}
	w.env.RegisterActivity(run)
	value, err := w.env.ExecuteActivity(run)
	if err != nil {
		return nil, err
	}
	var text string
	require.NoError(w.t, value.Get(&text))
	return text, nil
}

// wait begins to wait for a thing that is not there yet.
func (w *worker) wait() *thing {
	w.t.Helper()
	x := &thing{memory: "begun"}
	_, err := w.await(x)
	require.ErrorIs(w.t, err, activity.ErrResultPending)
	return x
}

func TestWhatIsThereIsReturned(t *testing.T) {
	onWorker(t, func(w *worker) {
		x := &thing{found: "it"}
		found, err := w.await(x)
		require.NoError(t, err)
		require.Equal(t, "it", found)
		require.True(t, x.forgotten)
		_, err = w.await(&thing{err: errors.New("no")})
		require.ErrorContains(t, err, "no")
		require.Zero(t, w.Len())
		require.Empty(t, w.reported())
	})
}

func TestAChangeCompletesOnce(t *testing.T) {
	onWorker(t, func(w *worker) {
		x, other := w.wait(), w.wait()
		begun := time.Now()
		x.wake()
		require.Empty(t, w.reported(), "nothing has changed")
		x.change(func() { x.found = "it" })
		x.wake()
		require.Equal(t, []completion{{x.token, "it", nil}}, w.reported())
		require.Zero(t, time.Since(begun), "by the change, not by a timer")
		x.wake()
		require.Len(t, w.reported(), 1)
		require.True(t, x.forgotten)
		require.Equal(t, 1, w.Len())
		require.Equal(t, 1, other.looks)
	})
}

func TestAChangeDuringALookLeadsToAnother(t *testing.T) {
	onWorker(t, func(w *worker) {
		x := w.wait()
		inside := make(chan struct{})
		x.change(func() { x.inside = inside })
		synctest.Wait()
		x.change(func() { x.found, x.inside = "it", nil })
		require.Empty(t, w.reported())
		close(inside)
		require.Equal(t, []completion{{x.token, "it", nil}}, w.reported())
		require.Equal(t, 3, x.looks)
	})
}

func TestFailures(t *testing.T) {
	onWorker(t, func(w *worker) {
		broken, mad := w.wait(), w.wait()
		failure := temporal.NewNonRetryableApplicationError("no", "Type", nil)
		broken.change(func() { broken.err = failure })
		require.Equal(t, failure, w.reported()[0].err)
		mad.change(func() { mad.found = "panic" })
		require.ErrorContains(t, w.reported()[1].err, "panicked")
	})
}

func TestHeartbeats(t *testing.T) {
	onWorker(t, func(w *worker) {
		var all []*thing
		for range 50 {
			all = append(all, w.wait())
		}
		all[0].change(func() { all[0].memory = "later" })
		pass(10 * time.Minute)
		require.Len(t, w.beaten, 50)
		require.Equal(t, "later", w.beaten[all[0].token][0])
		for _, beats := range w.beaten {
			require.InDelta(t, 15, len(beats), 1.5, "every 40 s where the timeout is a minute")
		}
		require.Empty(t, w.reported())
	})
}

func TestHeartbeatsAreTriedAgainSoon(t *testing.T) {
	onWorker(t, func(w *worker) {
		x := w.wait()
		w.answers(serviceerror.NewUnavailable("away"))
		pass(time.Minute)
		require.Greater(t, len(w.beaten[x.token]), 6)
		w.answers(nil)
		x.change(func() { x.found = "it" })
		require.Equal(t, []completion{{x.token, "it", nil}}, w.reported())
	})
}

func TestAnswersToHeartbeatsEndWaits(t *testing.T) {
	for name, answer := range map[string]error{
		"canceled": temporal.NewCanceledError(), "paused": activity.ErrActivityPaused, "reset": activity.ErrActivityReset,
		"lost": serviceerror.NewNotFound("workflow has closed"), "namespace": serviceerror.NewNamespaceNotFound("x"),
	} {
		t.Run(name, func(t *testing.T) {
			onWorker(t, func(w *worker) {
				x := w.wait()
				w.answers(answer)
				pass(time.Minute)
				require.Zero(t, w.Len())
				require.True(t, x.forgotten)
				if name == "lost" || name == "namespace" {
					require.Empty(t, w.reported())
					return
				}
				require.Equal(t, []completion{{x.token, nil, answer}}, w.reported())
				x.change(func() { x.found = "it" })
				require.Len(t, w.reported(), 1)
			})
		})
	}
}

// TestALookDoesNotOutliveItsEntry cancels while a look is under way.
func TestALookDoesNotOutliveItsEntry(t *testing.T) {
	onWorker(t, func(w *worker) {
		x := w.wait()
		inside := make(chan struct{})
		x.change(func() { x.found, x.inside = "it", inside })
		w.answers(temporal.NewCanceledError())
		pass(time.Minute)
		close(inside)
		reported := w.reported()
		require.Len(t, reported, 1)
		require.True(t, temporal.IsCanceledError(reported[0].err))
	})
}

func TestStopGivesBack(t *testing.T) {
	onWorker(t, func(w *worker) {
		changed, same := w.wait(), w.wait()
		changed.change(func() { changed.memory = "later" })
		synctest.Wait()
		close(w.stop)
		reported := w.reported()
		require.Len(t, reported, 2)
		for _, c := range reported {
			require.True(t, kube.IsType(c.err, kube.ErrWorkerStopping), "%v", c.err)
		}
		require.Equal(t, []any{"later"}, w.beaten[changed.token], "the next attempt has to know")
		require.Empty(t, w.beaten[same.token])
		_, err := w.await(&thing{})
		require.ErrorContains(t, err, "stopping")
		require.Zero(t, w.Len())
		w.Close(context.Background())
		changed.wake()
		require.Len(t, w.reported(), 2)
	})
}

func TestCloseWaitsForReports(t *testing.T) {
	onWorker(t, func(w *worker) {
		w.gate = make(chan struct{})
		x := w.wait()
		x.change(func() { x.found = "it" })
		require.Len(t, w.reported(), 1)
		closed := make(chan struct{})
		go func() {
			w.Close(context.Background())
			close(closed)
		}()
		pass(time.Second)
		select {
		case <-closed:
			require.Fail(t, "a report is under way")
		default:
		}
		close(w.gate)
		<-closed
	})
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	onWorker(t, func(w *worker) {
		w.gate = make(chan struct{})
		w.wait()
		begun := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		w.Close(ctx)
		require.Equal(t, 20*time.Second, time.Since(begun))
	})
}

func TestALaterAttemptReplacesTheEarlier(t *testing.T) {
	onWorker(t, func(w *worker) {
		first := w.wait()
		// A new environment counts its activities from the beginning again.
		w.env = (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
		w.env.SetWorkerStopChannel(w.stop)
		second := w.wait()
		require.Equal(t, 1, w.Len())
		require.True(t, first.forgotten)
		first.change(func() { first.found = "too late" })
		require.Empty(t, w.reported())
		second.change(func() { second.found = "it" })
		require.Equal(t, []completion{{second.token, "it", nil}}, w.reported())
	})
}

func TestWhatCannotBeReportedIsLeftToTemporal(t *testing.T) {
	onWorker(t, func(w *worker) {
		w.reporting = errors.New("away")
		x := w.wait()
		x.change(func() { x.found = "it" })
		require.Len(t, w.reported(), 1)
		require.Zero(t, w.Len())
		pass(10 * time.Minute)
		require.Empty(t, w.beaten[x.token], "so that its heartbeat times out")
	})
}
