package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
)

// tries shows operations that fail and are tried again. A return to stable is tried
// without end, and tries leave no events in a history: without these metrics nothing
// but the status would tell that it stands still.
type tries struct {
	interceptor.WorkerInterceptorBase
	now      func() time.Time
	failures *prometheus.CounterVec

	mu      sync.Mutex
	failing map[operation]*failure
}

// operation is one activity over all its tries.
type operation struct{ run, activity string }

// failure is that of the last try of an operation in this worker.
type failure struct {
	asked, last time.Time
	// running says that it is tried again here now.
	running bool
}

// elsewhere is after what time an operation counts as taken over by another worker:
// the next try comes some seconds after the last.
const elsewhere = time.Minute

// newTries registers the metrics of the tries.
func newTries(registry prometheus.Registerer, now func() time.Time) *tries {
	t := &tries{now: now, failing: map[operation]*failure{}, failures: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_operation_failures_total", Help: "Tries of operations that have failed and are made again, by activity.",
	}, []string{"operation"})}
	registry.MustRegister(t.failures,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sluice_operations_failing", Help: "Operations whose last try in this worker has failed and is made again.",
		}, func() float64 { count, _ := t.sum(); return float64(count) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sluice_operation_failing_seconds", Help: "How long ago the oldest of the failing operations was asked for; 0 where none fails.",
		}, func() float64 { _, oldest := t.sum(); return oldest.Seconds() }))
	return t
}

// sum counts the operations that fail, and tells how old the oldest of them is.
func (t *tries) sum() (count int, oldest time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for op, f := range t.failing {
		if !f.running && now.Sub(f.last) > elsewhere {
			delete(t.failing, op)
			continue
		}
		oldest = max(oldest, now.Sub(f.asked))
	}
	return len(t.failing), oldest
}

// begin notes that an operation that has failed is tried again here.
func (t *tries) begin(op operation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.failing[op]; f != nil {
		f.running = true
	}
}

// end notes how a try has ended.
func (t *tries) end(op operation, info activity.Info, again bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !again {
		delete(t.failing, op)
		return
	}
	t.failing[op] = &failure{asked: info.ScheduledTime, last: t.now()}
	t.failures.WithLabelValues(info.ActivityType.Name).Inc()
}

// InterceptActivity puts the count around each try.
func (t *tries) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &counted{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}, tries: t}
}

// counted is an activity whose tries are counted.
type counted struct {
	interceptor.ActivityInboundInterceptorBase
	tries *tries
}

// ExecuteActivity makes one try.
func (c *counted) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	info := activity.GetInfo(ctx)
	op := operation{run: info.WorkflowExecution.RunID, activity: info.ActivityID}
	c.tries.begin(op)
	result, err := c.Next.ExecuteActivity(ctx, in)
	c.tries.end(op, info, ctx.Err() == nil && triedAgain(err))
	return result, err
}

// triedAgain says that an error ends a try and not the operation.
func triedAgain(err error) bool {
	if err == nil || errors.Is(err, activity.ErrResultPending) || temporal.IsCanceledError(err) {
		return false
	}
	var app *temporal.ApplicationError
	return !errors.As(err, &app) || !app.NonRetryable()
}
