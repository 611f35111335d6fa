// Package pending lets activities wait for changes of the cluster without a
// goroutine, a timer or a slot of the worker. Such an activity looks once, leaves
// its task token here and returns; one registry per worker looks again when an
// object that it follows has changed, heartbeats for all of them, and completes
// those that have found something. What Temporal sees is what it would see of an
// activity that blocks.
package pending

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"sluice.dev/sluice/activities/kube"
)

const (
	// looksAtOnce bounds the looks. Few take longer than a millisecond: those that
	// ask the API server whether something is really gone.
	looksAtOnce = 16
	// callsAtOnce bounds the heartbeats that are under way, and so their rate.
	callsAtOnce = 16
	// defaultTimeout stands for a heartbeat timeout that was not set.
	defaultTimeout = time.Minute
)

// Client is what is asked of Temporal; client.Client has it.
type Client interface {
	CompleteActivity(ctx context.Context, taskToken []byte, result any, err error) error
	RecordActivityHeartbeat(ctx context.Context, taskToken []byte, details ...any) error
}

// Watch is what one activity waits for. Its methods are never called at the same
// time.
type Watch interface {
	// Look returns the result of the activity, and whether there is one. An error
	// fails the activity.
	Look(ctx context.Context) (result any, done bool, err error)
	// Memory is what the next attempt of the activity has to know. It shares
	// nothing with the looks that follow.
	Memory() any
}

// Registry holds the activities that wait in one worker. Make it with New; it is
// safe for use by many goroutines.
type Registry struct {
	client Client
	log    *slog.Logger
	slots  chan struct{}
	// life ends when Close has returned.
	life    context.Context
	end     context.CancelFunc
	running sync.WaitGroup
	reports sync.WaitGroup // under way
	begin   sync.Once

	mu       sync.Mutex
	entries  map[key]*entry
	ready    []*entry
	lookers  int
	stopping bool
	returned chan struct{} // closed when everything was given back
}

// key is one activity over all its attempts.
type key struct{ workflow, run, activity string }

// New returns a Registry that completes and heartbeats activities by a client.
func New(client Client, log *slog.Logger) *Registry {
	life, end := context.WithCancel(context.Background())
	return &Registry{
		client: client, log: log, slots: make(chan struct{}, callsAtOnce), life: life, end: end,
		entries: map[key]*entry{}, returned: make(chan struct{}),
	}
}

// Await is the end of an activity: it returns the result of the watch where there
// is one at once, and activity.ErrResultPending otherwise, which the activity has
// to return as it is. Follow is given the function to call after every change that
// may matter, at once and without waiting for it; what it returns ends that. When
// the worker stops, the activity fails with a retryable error, so that another
// worker goes on at once.
func (r *Registry) Await(ctx context.Context, w Watch, follow func(wake func()) (forget func())) (any, error) {
	stop := activity.GetWorkerStopChannel(ctx)
	r.begin.Do(func() { r.start(stop) })
	e := newEntry(activity.GetInfo(ctx), w)
	// Followed before the first look, so that no change is missed between them.
	e.forget = follow(func() { r.wake(e) })
	result, done, err := e.look(ctx)
	if done || err != nil {
		e.forget()
		return result, err
	}
	e.memory = w.Memory()
	activity.RecordHeartbeat(ctx, e.memory)
	if ctx.Err() != nil {
		e.forget()
		return nil, context.Cause(ctx)
	}
	if !r.keep(e) {
		e.forget()
		return nil, kube.Stopping()
	}
	return nil, activity.ErrResultPending
}

// Len is the number of activities that wait.
func (r *Registry) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.entries)
}

// start begins to heartbeat, and gives everything back when the worker stops.
func (r *Registry) start(stop <-chan struct{}) {
	r.running.Go(r.beats)
	r.running.Go(func() {
		select {
		case <-stop:
			r.giveBack()
		case <-r.life.Done():
		}
	})
}

// keep takes an entry in, instead of an earlier attempt of the same activity,
// whose token is worth nothing any more. It refuses when the worker stops.
func (r *Registry) keep(e *entry) bool {
	r.mu.Lock()
	if r.stopping {
		r.mu.Unlock()
		return false
	}
	earlier := r.entries[e.key]
	if earlier != nil {
		earlier.state = ended
	}
	r.entries[e.key] = e
	r.rest(e)
	r.mu.Unlock()
	if earlier != nil {
		earlier.forget()
	}
	return true
}

// drop ends an entry, and then reports, unless somebody else has ended it.
func (r *Registry) drop(e *entry, report func()) {
	r.mu.Lock()
	if e.state == ended {
		r.mu.Unlock()
		return
	}
	e.state = ended
	delete(r.entries, e.key)
	r.reports.Add(1)
	r.mu.Unlock()
	defer r.reports.Done()
	// Not under the lock: changes are told under that of whoever tells them.
	e.forget()
	report()
}

// finish ends an entry and reports how. What cannot be reported within the
// heartbeat timeout is tried again by Temporal, from the last heartbeat.
func (r *Registry) finish(e *entry, result any, err error) {
	r.drop(e, func() {
		ctx, cancel := context.WithTimeout(r.life, e.timeout)
		defer cancel()
		problem := r.client.CompleteActivity(ctx, e.token, result, err)
		if problem != nil && !lost(problem) {
			r.log.Warn("a watch has ended and this could not be reported: it will be tried again", "workflow", e.key.workflow, "error", problem)
		}
	})
}

// giveBack fails everything that waits, so that another worker takes it, and
// takes nothing in any more.
func (r *Registry) giveBack() {
	r.mu.Lock()
	if r.stopping {
		r.mu.Unlock()
		return
	}
	r.stopping = true
	var all []*entry
	for _, e := range r.entries {
		all = append(all, e)
	}
	r.mu.Unlock()
	var calls sync.WaitGroup
	for _, e := range all {
		r.slots <- struct{}{}
		calls.Go(func() {
			defer func() { <-r.slots }()
			r.tellLast(e)
			r.finish(e, nil, kube.Stopping())
		})
	}
	calls.Wait()
	r.reports.Wait()
	close(r.returned)
}

// Close ends the registry after its worker has stopped. It waits until everything
// was given back, at most until ctx is over: Temporal notices the rest by missing
// heartbeats.
func (r *Registry) Close(ctx context.Context) {
	given := context.AfterFunc(ctx, r.end)
	r.giveBack()
	select {
	case <-r.returned:
	case <-ctx.Done():
	}
	given()
	r.mu.Lock()
	r.end()
	r.mu.Unlock()
	r.running.Wait()
}
