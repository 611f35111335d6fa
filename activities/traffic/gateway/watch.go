package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// pollInterval is the pause between two looks at a replica that has not
	// confirmed; one that has is looked at less often while others are waited
	// for.
	pollInterval = 50 * time.Millisecond
	idleInterval = 250 * time.Millisecond
	// listInterval is how often the replicas are listed again, from the cache.
	listInterval = 50 * time.Millisecond
	// tellInterval is how often an unchanged progress is told.
	tellInterval = time.Second
)

// look compares one replica with what is wanted; its error says, after the
// address of the replica, why it cannot be asked.
type look func(ctx context.Context, r replica) (verdict, error)

// verdict is what one look says.
type verdict struct {
	// done says that the replica does what is wanted.
	done bool
	// blind says that the replica may look the same with and without the change, so
	// that only time can tell.
	blind bool
	// closed says that the replica has closed its doors.
	closed bool
	// seen is what is different, for people, after the address of the replica.
	seen string
}

// watch follows the replicas of one gateway until all of them confirm.
type watch struct {
	rung
	grace, dwell time.Duration
	tell         Tell
	pace         *pace
	knock        func(ctx context.Context, address string) error
	start        time.Time
	replicas     map[string]*follower
	updates      chan update
	told         string
	toldAt       time.Time
}

// follower is what is known of one replica.
type follower struct {
	stop    context.CancelFunc
	closing atomic.Bool
	// last look, of which there is none yet where looked is zero.
	last   verdict
	err    error
	looked time.Time
	// since is the first look of the uninterrupted confirmation.
	since time.Time
}

// update is one look at one replica, begun at a time.
type update struct {
	follower *follower
	begun    time.Time
	verdict  verdict
	err      error
}

func newWatch(g *Gateways, cfg Config, r rung, tell Tell) *watch {
	return &watch{rung: r, grace: cfg.grace(), dwell: cfg.dwell(r.level), tell: tell, pace: &g.pace, knock: g.knock, start: time.Now(),
		replicas: map[string]*follower{}, updates: make(chan update)}
}

// confirm returns the number of replicas that route requests when every one that
// is listed has confirmed from the first to the last look of the dwell. The list is read again
// all the time, so that a replica that joins has to confirm too and one that is
// gone is not waited for.
func (w *watch) confirm(ctx context.Context) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer w.pace.enter()()
	for {
		listErr := w.relist(ctx)
		confirmed, progress := w.state(listErr)
		if listErr == nil && confirmed == len(w.replicas) {
			return w.open(), nil
		}
		w.report(progress)
		select {
		case u := <-w.updates:
			u.follower.take(u)
		case <-time.After(w.pace.pause(listInterval)):
		case <-ctx.Done():
			return confirmed, fmt.Errorf("%s%w", progress, quiet{context.Cause(ctx)})
		}
	}
}

// open counts the replicas that have not closed their doors.
func (w *watch) open() int {
	n := 0
	for _, f := range w.replicas {
		if !f.last.closed {
			n++
		}
	}
	return n
}

// relist follows replicas that are new and forgets those that are gone.
func (w *watch) relist(ctx context.Context) error {
	listed, err := w.list()
	for address, f := range w.replicas {
		if _, there := listed[address]; !there {
			f.stop()
			delete(w.replicas, address)
		}
	}
	for address, r := range listed {
		f := w.replicas[address]
		if f == nil {
			followed, stop := context.WithCancel(ctx)
			f = &follower{stop: stop}
			w.replicas[address] = f
			f.closing.Store(r.closing)
			go w.follow(followed, f, r)
		}
		f.closing.Store(r.closing)
	}
	return err
}

// follow looks at one replica again and again.
func (w *watch) follow(ctx context.Context, f *follower, r replica) {
	// It answers since then: what a replica shows that was frozen until a moment ago
	// says nothing of the time before.
	awake := w.start
	for {
		u := update{follower: f, begun: time.Now()}
		u.verdict, u.err = w.look(ctx, r)
		if f.closing.Load() && refuses(u.err) {
			u.verdict, u.err = w.shut(ctx, r)
		}
		switch {
		case u.err != nil:
			awake = time.Time{}
		case awake.IsZero():
			awake = u.begun
		}
		if u.verdict.blind && time.Since(awake) < w.grace {
			u.verdict = verdict{seen: "shows no difference between before and after: only time can tell"}
		}
		select {
		case w.updates <- u:
		case <-ctx.Done():
			return
		}
		pause := pollInterval
		if u.err == nil && u.verdict.done {
			pause = min(w.dwell, idleInterval)
		}
		select {
		case <-time.After(w.pace.pause(pause)):
		case <-ctx.Done():
			return
		}
	}
}

// shut looks at the doors of a replica that is on its way out and refuses to be
// asked. Its API may close before its doors do, and then it goes on to route
// requests by what it knew: only one that refuses clients too routes none.
func (w *watch) shut(ctx context.Context, r replica) (verdict, error) {
	for _, door := range r.doors {
		if !refuses(w.knock(ctx, door)) {
			return verdict{seen: "refuses to be asked and still takes requests at " + door}, nil
		}
	}
	return verdict{done: true, closed: true}, nil
}

// refuses reports whether nobody listens at an address.
func refuses(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH)
}

// knock opens a connection and closes it again, without a word.
func knock(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", address, err)
	}
	return conn.Close()
}

// take remembers a look.
func (f *follower) take(u update) {
	if u.err != nil || !u.verdict.done {
		f.since = time.Time{}
	} else if f.since.IsZero() {
		f.since = u.begun
	}
	f.last, f.err, f.looked = u.verdict, u.err, u.begun
}

// confirmed reports whether the first and the last look of an uninterrupted
// confirmation are the dwell apart.
func (f *follower) confirmed(dwell time.Duration) bool {
	return !f.since.IsZero() && f.looked.Sub(f.since) >= dwell
}

// state counts the replicas that have confirmed and describes the others.
func (w *watch) state(listErr error) (confirmed int, progress string) {
	if listErr != nil {
		return 0, listErr.Error()
	}
	var others []string
	for _, address := range slices.Sorted(maps.Keys(w.replicas)) {
		switch f := w.replicas[address]; {
		case f.confirmed(w.dwell):
			confirmed++
		case f.err != nil:
			others = append(others, address+" "+f.err.Error())
		case f.looked.IsZero():
			others = append(others, address+" has not answered yet")
		case !f.last.done:
			others = append(others, address+" "+f.last.seen)
		}
	}
	progress = fmt.Sprintf("confirmed by %d of %d gateway replicas", confirmed, len(w.replicas))
	if len(others) > 0 {
		progress += "; " + strings.Join(others, "; ")
	}
	return confirmed, progress
}

// report tells a new progress at once and an old one now and then.
func (w *watch) report(progress string) {
	if progress == w.told && time.Since(w.toldAt) < tellInterval {
		return
	}
	w.told, w.toldAt = progress, time.Now()
	w.tell(progress, 0)
}
