package pending

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

const (
	// tick is how often is looked for heartbeats that are due.
	tick = time.Second
	// callTimeout bounds one heartbeat, which the client repeats until then.
	callTimeout = 10 * time.Second
	// retryPause is when a heartbeat that was not answered is repeated.
	retryPause = 2 * time.Second
)

// beats sends the heartbeats of all entries.
func (r *Registry) beats() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-r.life.Done():
			return
		case <-ticker.C:
		}
		for _, e := range r.due(time.Now()) {
			select {
			case <-r.life.Done():
				return
			case r.slots <- struct{}{}:
			}
			r.running.Go(func() {
				defer func() { <-r.slots }()
				r.beat(e)
			})
		}
	}
}

// due returns the entries whose heartbeat is due, those that wait the longest
// first.
func (r *Registry) due(now time.Time) []*entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*entry
	for _, e := range r.entries {
		if !e.telling && !now.Before(e.due) {
			e.telling = true
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.due.UnixNano(), b.due.UnixNano()) })
	return all
}

// beat tells Temporal that an entry waits, and does what it answers.
func (r *Registry) beat(e *entry) {
	err := r.tell(e)
	switch {
	case err == nil:
		// Wakes are not lost; this look is for what nobody has thought of.
		r.wake(e)
	case lost(err):
		r.drop(e, func() {})
	case temporal.IsCanceledError(err), errors.Is(err, activity.ErrActivityPaused), errors.Is(err, activity.ErrActivityReset):
		r.finish(e, nil, err)
	default:
		r.log.Debug("a heartbeat was not answered", "workflow", e.key.workflow, "error", err)
	}
}

// tell sends what an entry remembers.
func (r *Registry) tell(e *entry) error {
	r.mu.Lock()
	memory, over := e.memory, e.state == ended
	e.untold = false
	r.mu.Unlock()
	if over {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.life, callTimeout)
	defer cancel()
	err := r.client.RecordActivityHeartbeat(ctx, e.token, memory)
	r.mu.Lock()
	defer r.mu.Unlock()
	e.telling, e.due = false, time.Now().Add(e.pause())
	if err != nil {
		e.untold, e.due = true, time.Now().Add(retryPause)
	}
	return err
}

// tellLast sends what the last heartbeat did not tell yet, for the next attempt.
func (r *Registry) tellLast(e *entry) {
	r.mu.Lock()
	untold := e.untold
	r.mu.Unlock()
	if untold {
		_ = r.tell(e)
	}
}

// lost says whether Temporal does not know an attempt any more: its workflow has
// closed, or another attempt has taken its place.
func lost(err error) bool {
	var attempt *serviceerror.NotFound
	var namespace *serviceerror.NamespaceNotFound
	return errors.As(err, &attempt) || errors.As(err, &namespace)
}
