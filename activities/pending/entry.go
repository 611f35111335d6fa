package pending

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime/debug"
	"time"

	"go.temporal.io/sdk/activity"
)

// state of an entry.
type state int

const (
	// starting: its first look is under way, in the activity itself.
	starting state = iota
	// resting: nothing is to be done before something changes.
	resting
	// queued for a look.
	queued
	// looking, or reporting what was found.
	looking
	// ended: nothing is done any more.
	ended
)

// entry is one attempt of an activity that waits.
type entry struct {
	key     key
	token   []byte
	watch   Watch
	forget  func()
	timeout time.Duration

	// The rest is guarded by the registry's lock.
	state   state
	again   bool      // something has changed since the look began
	memory  any       // after the last look
	untold  bool      // no heartbeat has told it yet
	due     time.Time // of the next heartbeat
	telling bool
}

func newEntry(info activity.Info, w Watch) *entry {
	e := &entry{token: info.TaskToken, watch: w, timeout: info.HeartbeatTimeout}
	e.key = key{info.WorkflowExecution.ID, info.WorkflowExecution.RunID, info.ActivityID}
	if e.timeout <= 0 {
		e.timeout = defaultTimeout
	}
	// Spread, so that those that came together do not beat together.
	e.due = time.Now().Add(e.pause()/2 + rand.N(e.pause()/2))
	return e
}

// pause between two heartbeats: two thirds of the timeout, the rest is for trying
// again.
func (e *entry) pause() time.Duration { return e.timeout * 2 / 3 }

// look turns a panic into an error, as for any activity.
func (e *entry) look(ctx context.Context) (result any, done bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("looking panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return e.watch.Look(ctx)
}

// wake queues an entry for a look. Changes that come together are one, and one
// that comes during a look leads to another look.
func (r *Registry) wake(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.state {
	case resting:
		r.enqueue(e)
	case starting, looking:
		e.again = true
	case queued, ended:
	}
}

// enqueue lets somebody look. The lock is held.
func (r *Registry) enqueue(e *entry) {
	e.state, e.again = queued, false
	r.ready = append(r.ready, e)
	if r.lookers < looksAtOnce && r.life.Err() == nil {
		r.lookers++
		r.running.Go(r.lookAtReady)
	}
}

// rest ends a look that has found nothing. The lock is held.
func (r *Registry) rest(e *entry) {
	e.state = resting
	if e.again {
		r.enqueue(e)
	}
}

// lookAtReady looks until nothing is left to look at.
func (r *Registry) lookAtReady() {
	for e := r.next(); e != nil; e = r.next() {
		result, done, err := e.look(r.life)
		if err != nil {
			r.log.Warn("watching failed: it will be tried again", "workflow", e.key.workflow, "error", err)
		}
		if done || err != nil {
			r.finish(e, result, err)
			continue
		}
		memory := e.watch.Memory()
		r.mu.Lock()
		if e.state == looking {
			e.untold = e.untold || !reflect.DeepEqual(memory, e.memory)
			e.memory = memory
			r.rest(e)
		}
		r.mu.Unlock()
	}
}

// next takes what has waited for a look the longest; nil lets the caller go.
func (r *Registry) next() *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.ready) > 0 && r.life.Err() == nil {
		e := r.ready[0]
		r.ready[0], r.ready = nil, r.ready[1:]
		if e.state == queued {
			e.state = looking
			return e
		}
	}
	r.ready = nil
	r.lookers--
	return nil
}
