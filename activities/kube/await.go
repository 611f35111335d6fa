package kube

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
)

// safetyInterval is how often a wait looks again without being woken. It only
// matters when a watch is interrupted, and costs no request.
const safetyInterval = 5 * time.Second

// Wait says what to wait for.
type Wait struct {
	// Namespace whose changes are looked at.
	Namespace string
	// Topics narrow the changes; all of the namespace where empty.
	Topics []Topic
	// Settle is how long the state must stay done, with the same mark.
	Settle time.Duration
	// Beat is told the progress, at least once a second in an activity with a
	// short heartbeat timeout; may be nil.
	Beat func(progress string)
}

// State is one look at what is waited for.
type State struct {
	// Done says that the wait may end.
	Done bool
	// Mark identifies the state that has to stay the same while it settles.
	Mark string
	// Progress for people: "1 of 2 canary pods ready".
	Progress string
}

// Await returns when check says that it is done, with the error of check, or
// with that of ctx. Check is called at once, after every relevant change in the
// namespace (changes that come together are one), and every few seconds. It
// must look at the state, not at what has changed, and read from the cache.
func (c *Cluster) Await(ctx context.Context, namespace string, beat func(progress string), check func() (done bool, progress string, err error)) error {
	return c.AwaitState(ctx, Wait{Namespace: namespace, Beat: beat}, func() (State, error) {
		done, progress, err := check()
		return State{Done: done, Progress: progress}, err
	})
}

// AwaitState is Await for one that knows which objects matter and wants the
// state to settle. In an activity it ends with a retryable error when the
// worker stops, so that another worker goes on at once.
func (c *Cluster) AwaitState(ctx context.Context, w Wait, check func() (State, error)) error {
	// It holds one token: many changes, one wake.
	woken := make(chan struct{}, 1)
	defer c.Follow(w.Namespace, w.Topics, func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	})()
	p := &pacer{wait: w, beatEvery: beatInterval(ctx)}
	stop := stopChannel(ctx)
	for {
		state, err := check()
		if err != nil {
			return err
		}
		next, done := p.observe(time.Now(), state)
		if done {
			return nil
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-stop:
			err = Stopping()
		case <-woken:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// pacer decides when a wait is over and when it looks again.
type pacer struct {
	wait      Wait
	beatEvery time.Duration
	beaten    time.Time
	since     time.Time
	mark      string
	settling  bool
	told      string
}

// observe takes one look at the state; it returns how long to wait for the next
// one, or that the wait is over.
func (p *pacer) observe(now time.Time, s State) (next time.Duration, done bool) {
	if !s.Done {
		p.settling = false
	} else if !p.settling || s.Mark != p.mark {
		p.settling, p.since, p.mark = true, now, s.Mark
	}
	p.beat(now, s.Progress)
	next = min(safetyInterval, p.beatEvery-now.Sub(p.beaten))
	if p.settling {
		left := p.wait.Settle - now.Sub(p.since)
		if left <= 0 {
			return 0, true
		}
		next = min(next, left)
	}
	return max(next, time.Millisecond), false
}

// beat tells a new progress at once and an old one in the rhythm of the
// heartbeat.
func (p *pacer) beat(now time.Time, progress string) {
	if progress == p.told && now.Sub(p.beaten) < p.beatEvery {
		return
	}
	p.beaten, p.told = now, progress
	if p.wait.Beat != nil {
		p.wait.Beat(progress)
	}
}

// beatInterval is a third of the heartbeat timeout of the activity: two beats
// may be lost. Outside an activity nobody listens, one second is for people.
func beatInterval(ctx context.Context) time.Duration {
	if !activity.IsActivity(ctx) {
		return time.Second
	}
	timeout := activity.GetInfo(ctx).HeartbeatTimeout
	if timeout <= 0 {
		return time.Second
	}
	return min(max(timeout/3, 100*time.Millisecond), 10*time.Second)
}

// Beat returns the function that reports progress, one string, as the heartbeat
// of the activity, or one that does nothing outside an activity.
func Beat(ctx context.Context) func(progress string) {
	if !activity.IsActivity(ctx) {
		return func(string) {}
	}
	return func(progress string) { activity.RecordHeartbeat(ctx, progress) }
}

// stopChannel closes when the worker stops; nil outside an activity, which
// blocks for ever.
func stopChannel(ctx context.Context) <-chan struct{} {
	if !activity.IsActivity(ctx) {
		return nil
	}
	return activity.GetWorkerStopChannel(ctx)
}
