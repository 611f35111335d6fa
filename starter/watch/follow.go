package watch

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// follower keeps the latest status of one rollout: it waits in a long poll, so
// that nothing is asked for while nothing happens.
type follower struct {
	cancel context.CancelFunc

	mu    sync.Mutex
	last  *control.Status
	input *workflows.Input
	ended bool
	// relayed are the messages that were answered; released is since when the hold
	// has lasted that the last approval was taken for.
	relayed  map[string]reply
	released time.Time
}

// status returns a copy of the latest status; nil where none is known yet.
func (f *follower) status() *control.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil {
		return nil
	}
	status := *f.last
	return &status
}

func (f *follower) set(status *control.Status, ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if status != nil {
		f.last = status
	}
	f.ended = f.ended || ended
}

// answered returns how a message was answered, if it was.
func (f *follower) answered(id string) (reply, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, ok := f.relayed[id]
	return m, ok
}

func (f *follower) answer(m reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.relayed[m.id] = m
}

// approved says that an approval was taken for the hold that began at a time.
func (f *follower) approved(since time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.released.IsZero() && f.released.Equal(since)
}

func (f *follower) approve(since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.released = since
}

// over says that there will be no more news.
func (f *follower) over() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

// follower returns the follower of a Rollout; nil where there is none.
func (w *Watcher) follower(k key) *follower {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.followers[k]
}

func (w *Watcher) following(k key) bool { return w.follower(k) != nil }

// follow begins to follow the rollout of a workload.
func (w *Watcher) follow(k key, id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.followers[k] != nil || w.stopped == nil {
		return
	}
	ctx, cancel := context.WithCancel(w.stopped)
	f := &follower{cancel: cancel, relayed: map[string]reply{}}
	w.followers[k] = f
	go w.listen(ctx, k, id, f)
}

// listen brings a Rollout back whenever its rollout has news.
func (w *Watcher) listen(ctx context.Context, k key, id string, f *follower) {
	for status, err := range w.Control.Watch(ctx, id) {
		if err != nil {
			if control.Permanent(err) {
				w.Log.Warn("a rollout cannot be followed", "rollout", k.String(), "error", err)
			}
			continue
		}
		f.set(&status, false)
		w.queue.Add(k)
	}
	f.set(nil, true)
	w.queue.Add(k)
}

// unfollow forgets the rollout of a Rollout.
func (w *Watcher) unfollow(k key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.followers[k]; f != nil {
		f.cancel()
		delete(w.followers, k)
	}
}

// drop forgets everything about a Rollout.
func (w *Watcher) drop(k key) {
	w.unfollow(k)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.refusals, k)
	delete(w.told, k)
}

// forget drops a follower whose rollout has ended and was told. One that hears
// nothing any more of a rollout that is open, since Temporal refuses to tell, is
// looked for again.
func (w *Watcher) forget(s *subject) {
	f := w.follower(s.key)
	if f == nil || !f.over() {
		return
	}
	w.unfollow(s.key)
	if last := f.status(); last == nil || last.Closed == nil {
		w.queue.AddAfter(s.key, awayPause)
	}
}

// input returns what a run was started with; it is read once.
func (w *Watcher) input(ctx context.Context, s *subject) (workflows.Input, error) {
	f := w.follower(s.key)
	if f == nil {
		return workflows.Input{}, errors.New("the rollout is not followed")
	}
	f.mu.Lock()
	known := f.input
	f.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	in, err := w.Control.Input(ctx, control.Run{ID: s.rollout.WorkflowID, RunID: s.rollout.Run})
	if err != nil {
		return in, err
	}
	f.mu.Lock()
	f.input = &in
	f.mu.Unlock()
	return in, nil
}
