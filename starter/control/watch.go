package control

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
)

// How often a watched rollout is looked at when nothing wakes the watch. Every
// decision of the workflow wakes it at once.
const (
	// progressInterval is for operations that run: their heartbeats are not
	// events.
	progressInterval = time.Second
	// idleInterval is for holds.
	idleInterval = 30 * time.Second
	// firstRetry and lastRetry bound the pauses while Temporal is away.
	firstRetry = time.Second
	lastRetry  = 5 * time.Second
)

// Watch follows the latest rollout with this workflow ID until it ends or ctx
// does. It yields the present status first and then each one that differs. An
// error that is not Permanent is yielded once per outage, with the last status,
// and the watch goes on; any other one ends it. A run that was replaced by a
// reset is followed into its successor.
func (c *Client) Watch(ctx context.Context, id string) iter.Seq2[Status, error] {
	return func(yield func(Status, error) bool) {
		run := ""
		for {
			w := &watch{client: c, id: id, run: run, yield: yield}
			next, goOn := w.follow(ctx)
			if !goOn {
				return
			}
			run = next
		}
	}
}

// watch follows one run.
type watch struct {
	client  *Client
	id, run string
	yield   func(Status, error) bool
	last    Status
	told    bool
	// seen is the number of events that the last status knows.
	seen atomic.Int64
}

// follow returns the run that has taken over from this one, if there is one.
func (w *watch) follow(ctx context.Context) (next string, goOn bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wake chan struct{}
	retry := w.client.retry
	for {
		status, d, err := w.client.statusOf(ctx, w.id, w.run)
		switch {
		case ctx.Err() != nil:
			return "", false
		case err != nil:
			if !w.outage(err, retry == w.client.retry) || !pause(ctx, retry) {
				return "", false
			}
			retry = min(2*retry, lastRetry)
			continue
		}
		retry = w.client.retry
		w.run = d.run()
		w.seen.Store(d.GetWorkflowExecutionInfo().GetHistoryLength())
		if successor := w.client.successor(ctx, w.id, d); successor != "" {
			return successor, true
		}
		if !w.tell(status) || !d.open() {
			return "", false
		}
		if wake == nil {
			wake = make(chan struct{}, 1)
			go w.listen(ctx, w.run, wake)
		}
		if !wait(ctx, wake, status) {
			return "", false
		}
	}
}

// tell yields a status that differs from the last one.
func (w *watch) tell(status Status) bool {
	if w.told && reflect.DeepEqual(status, w.last) {
		return true
	}
	w.last, w.told = status, true
	return w.yield(status, nil)
}

// outage yields an error; it returns false where the watch has to end.
func (w *watch) outage(err error, first bool) bool {
	if Permanent(err) {
		w.yield(w.last, err)
		return false
	}
	return !first || w.yield(w.last, err)
}

// listen wakes the watch after every decision of the workflow. It waits in a
// long poll, so that nothing is asked for while nothing happens.
func (w *watch) listen(ctx context.Context, run string, wake chan<- struct{}) {
	for ctx.Err() == nil {
		events := w.client.temporal.GetWorkflowHistory(ctx, w.id, run, true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			if err != nil {
				break
			}
			if event.GetEventId() > w.seen.Load() && matters(event.GetEventType()) {
				select {
				case wake <- struct{}{}:
				default:
				}
			}
		}
		if !pause(ctx, w.client.retry) {
			return
		}
	}
}

// matters says that the status may differ after an event: the workflow changes
// its mind in its tasks only, and a terminated one has no task.
func matters(t enumspb.EventType) bool {
	switch t {
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return true
	default:
		return false
	}
}

// successor returns the run that has replaced a closed one.
func (c *Client) successor(ctx context.Context, id string, d description) string {
	replaced := d.status() == enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED || d.status() == enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
	if !replaced {
		return ""
	}
	latest, err := c.describe(ctx, id, "")
	if err != nil || latest.run() == d.run() {
		return ""
	}
	return latest.run()
}

// wait waits for a decision of the workflow, or as long as the status may be
// trusted.
func wait(ctx context.Context, wake <-chan struct{}, status Status) bool {
	interval := idleInterval
	if len(status.Progress) > 0 || status.Note != "" || status.measuring() {
		interval = progressInterval
	}
	timer := time.NewTimer(interval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-timer.C:
	}
	return true
}

// pause waits unless ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// IsNotFound says that Temporal knows no such rollout.
func IsNotFound(err error) bool {
	var notFound *NotFound
	return errors.As(err, &notFound)
}
