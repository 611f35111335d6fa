package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// Whole is the name of the window that begins with the run.
const Whole = "whole run"

// maxMarks bounds the memory of a run and what each request costs.
const maxMarks = 100

// Runner is a run under way or over. Its methods may be called at any time and
// from several goroutines.
type Runner struct {
	opts     Options
	targets  []prepared
	start    time.Time
	stop     chan struct{} // closed: nothing more is sent
	stopOnce sync.Once
	done     chan struct{} // closed: every request has finished

	mu      sync.Mutex
	next    int64 // requests handed out
	sent    int64 // requests begun
	ended   time.Time
	windows []*tally // the first is the whole run
	ledger  Ledger
}

// Start checks the options and begins to send. The run ends by itself with
// MaxDuration or MaxRequests, and also when ctx ends or with Stop; requests under
// way are then waited for and not cut off, so that ending loses nothing.
func Start(ctx context.Context, opts Options) (*Runner, error) {
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("checking load options: %w", err)
	}
	r := &Runner{opts: opts, start: time.Now(), stop: make(chan struct{}), done: make(chan struct{}), ledger: Ledger{}}
	for _, t := range opts.Targets {
		p, err := prepare(t)
		if err != nil {
			return nil, err
		}
		r.targets = append(r.targets, p)
	}
	r.windows = []*tally{newTally(Whole, r.start, 0)}
	go r.run(ctx)
	return r, nil
}

func (r *Runner) run(ctx context.Context) {
	ctx, cancel := context.WithDeadline(ctx, r.start.Add(r.opts.MaxDuration))
	defer cancel()
	defer context.AfterFunc(ctx, r.halt)()
	var clients sync.WaitGroup
	for range r.opts.Clients {
		clients.Go(r.client)
	}
	clients.Wait()
	r.mu.Lock()
	r.ended = time.Now()
	r.mu.Unlock()
	close(r.done)
}

func (r *Runner) halt() { r.stopOnce.Do(func() { close(r.stop) }) }

// client sends one request after the other. It keeps one connection per address.
func (r *Runner) client() {
	kept := map[netip.AddrPort]*conn{}
	defer func() {
		for _, c := range kept {
			if c != nil {
				c.Close() //nolint:errcheck // nothing is expected on it any more
			}
		}
	}()
	for {
		n, due, ok := r.take()
		if !ok || !r.await(due) {
			return
		}
		target, kind := r.choose(n)
		res := result{due: due, cohort: target.cohort, kind: kind}
		var c *conn
		if kind == GetKept || kind == PostKept {
			c = kept[target.addr]
			delete(kept, target.addr)
		}
		res.seq, res.sent = r.begin()
		if r.opts.Rate == 0 {
			res.due = res.sent
		}
		c, res.answer = exchange(c, target, kind, res.sent.Add(r.opts.Timeout))
		res.done = time.Now()
		if c != nil {
			kept[target.addr] = c
		}
		r.finish(res)
	}
}

// take hands out the next request and when it is due.
func (r *Runner) take() (n int64, due time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opts.MaxRequests > 0 && r.next >= r.opts.MaxRequests {
		return 0, time.Time{}, false
	}
	n = r.next
	var after time.Duration
	if r.opts.Rate > 0 {
		after = time.Duration(float64(n) / r.opts.Rate * float64(time.Second))
	}
	if after >= r.opts.MaxDuration {
		return 0, time.Time{}, false
	}
	r.next++
	return n, r.start.Add(after), true
}

// await waits until a request is due, and reports false if the run ends first.
func (r *Runner) await(due time.Time) bool {
	select {
	case <-r.stop:
		return false
	default:
	}
	wait := time.Until(due)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-r.stop:
		return false
	case <-timer.C:
		return true
	}
}

// choose picks target and kind of the nth request. The choices are random, not
// by turns: a gateway that spreads requests by turns would otherwise meet each
// cohort always at the same place of its own cycle.
func (r *Runner) choose(n int64) (prepared, Kind) {
	rnd := rand.New(rand.NewPCG(r.opts.Seed, uint64(n)))
	target := r.targets[rnd.IntN(len(r.targets))]
	post := rnd.Float64() < r.opts.PostShare
	fresh := rnd.Float64() < r.opts.NewConnShare
	return target, kindOf(post, fresh)
}

// begin notes that a request is sent now: it belongs to every window that was
// marked before.
func (r *Runner) begin() (seq int64, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.windows {
		w.begun++
	}
	seq = r.sent
	r.sent++
	return seq, time.Now()
}

func (r *Runner) finish(res result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.windows {
		w.add(res)
	}
	r.ledger.add(res, r.start, r.opts.Slow)
}

// Mark begins a window with a name, in place of one that has it already, and
// returns what was counted from the latest mark until now. At most 100 names.
func (r *Runner) Mark(name string) (Window, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name == "" || name == Whole {
		return Window{}, fmt.Errorf("marking %q: give the mark a name of its own", name)
	}
	last := r.windows[len(r.windows)-1].window(r.now())
	for i, w := range r.windows {
		if w.Name == name {
			r.windows = append(r.windows[:i], r.windows[i+1:]...)
			break
		}
	}
	if len(r.windows) > maxMarks {
		return Window{}, fmt.Errorf("marking %q: there are %d marks already; use a name again", name, maxMarks)
	}
	r.windows = append(r.windows, newTally(name, time.Now(), r.sent))
	return last, nil
}

// Window returns what was counted since the mark with the name, or since the
// beginning if the name is empty.
func (r *Runner) Window(name string) (Window, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name == "" {
		name = Whole
	}
	for _, w := range r.windows {
		if w.Name == name {
			return w.window(r.now()), nil
		}
	}
	return Window{}, fmt.Errorf("looking for mark %q: there is none", name)
}

// now is the end of the run once it is over, so that the time after it is not
// taken for a gap.
func (r *Runner) now() time.Time {
	if !r.ended.IsZero() {
		return r.ended
	}
	return time.Now()
}

// Done is closed when the run is over and every request has finished.
func (r *Runner) Done() <-chan struct{} { return r.done }

// Report is the account of a run that is over.
type Report struct {
	Options Options  `json:"options"`
	Whole   Window   `json:"whole"`
	Marks   []Window `json:"marks"` // in the order in which they were made
	Ledger  Ledger   `json:"ledger"`
}

// Stop sends nothing more, waits for what is under way (no longer than the
// timeout of one request), and returns the account.
func (r *Runner) Stop() Report {
	r.halt()
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	rep := Report{Options: r.opts, Whole: r.windows[0].window(r.ended), Marks: []Window{}, Ledger: r.ledger.clone()}
	for _, w := range r.windows[1:] {
		rep.Marks = append(rep.Marks, w.window(r.ended))
	}
	return rep
}
