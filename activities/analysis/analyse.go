package analysis

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/config"
)

// beatInterval is how often the state is sent while nothing is measured: often
// enough for one that is lost to do no harm, and no more, since each carries the
// whole state. A sample is sent when it is taken.
const beatInterval = 4 * time.Second

// historySamples is how many samples of each metric a result carries.
const historySamples = 20

// AnalyseMetrics measures until a verdict is known, and returns it with the
// numbers that it rests on. Its heartbeats carry its state: after the death of a
// worker another one goes on from the last sample. With Guard, a verdict Pass
// does not end it, and with Stopped no verdict that pauses does. When it is cancelled, and at Until, it returns what it knows. A
// server whose credentials cannot be read is one that does not answer.
func (a *Activities) AnalyseMetrics(ctx context.Context, req Request) (Result, error) {
	if len(req.Metrics) == 0 {
		return Result{}, kube.Terminal(kube.ErrRefused, "there is no metric to measure: name at least one in the analysis")
	}
	links, err := a.links(req.Subject.Ref.Namespace, req.Servers)
	if err != nil {
		return Result{}, err
	}
	run := &run{req: req, beat: func(text string, s State) { activity.RecordHeartbeat(ctx, s, text) }, now: time.Now}
	for _, m := range req.Metrics {
		server, ok := links[m.Server]
		if !ok {
			return Result{}, kube.Terminal(kube.ErrRefused, "metric %s: no server has the name %q", m.Name, m.Server)
		}
		meter, err := newMeter(req.Subject, m, server)
		if err != nil {
			return Result{}, kube.Terminal(kube.ErrRefused, "%s", err)
		}
		meter.most = seriesOf(req.Metrics)
		run.meters = append(run.meters, meter)
	}
	run.state = run.resume(ctx)
	err = run.measure(ctx, activity.GetWorkerStopChannel(ctx))
	if err != nil && ctx.Err() == nil {
		return Result{}, err
	}
	return Result{Decision: run.state.Decision, State: run.result()}, nil
}

// run is one attempt of an analysis.
type run struct {
	req    Request
	meters []*meter
	state  State
	beat   func(text string, s State)
	now    func() time.Time
}

// resume returns the state of the last heartbeat, or that of the request, or a
// new one.
func (r *run) resume(ctx context.Context) State {
	if activity.HasHeartbeatDetails(ctx) {
		var state State
		err := activity.GetHeartbeatDetails(ctx, &state)
		if err == nil && len(state.Metrics) == len(r.meters) {
			return state
		}
		slog.Warn("an analysis begins anew: its last state cannot be read", "error", err)
	}
	if r.req.State != nil && len(r.req.State.Metrics) == len(r.meters) {
		return *r.req.State
	}
	state := State{Began: r.now()}
	for i, m := range r.meters {
		begun := m.begin(state.Began)
		if e := r.req.Earlier; e != nil && len(e.Metrics) == len(r.meters) {
			begun.State = begun.Remember(e.Metrics[i].State)
		}
		if r.req.Answers {
			begun.Next = state.Began // the rollout has begun long ago
		}
		state.Metrics = append(state.Metrics, begun)
	}
	return state
}

// measure takes samples when they are due until there is a verdict.
func (r *run) measure(ctx context.Context, stop <-chan struct{}) error {
	r.decide()
	for !r.over() {
		r.tell()
		if err := r.wait(ctx, stop); err != nil {
			return err
		}
		if err := r.sample(ctx); err != nil {
			return err
		}
		r.decide()
	}
	r.tell()
	return nil
}

// over says whether the decision, or the time of a guard, ends the analysis. What
// is overdue then, because no worker has measured, is measured first.
func (r *run) over() bool {
	if r.req.Answers {
		return r.answered()
	}
	switch r.state.Decision.Action {
	case verdict.Rollback:
		return true
	case verdict.Pause:
		if !r.req.Guard || !r.req.Stopped {
			return true
		}
	case verdict.Promote, verdict.Continue:
	}
	if !r.req.Guard {
		return r.state.Decision.Action == verdict.Promote
	}
	now := r.now()
	return !r.req.Until.IsZero() && !now.Before(r.req.Until) && r.due().After(now)
}

// answered says that the last sample of each metric that decides is no error.
func (r *run) answered() bool {
	for i, m := range r.req.Metrics {
		last := r.state.Metrics[i].Last
		if !m.DryRun && m.OnError != config.GapIgnore && (last == "" || last == verdict.Error) {
			return false
		}
	}
	return true
}

// due is when the next sample is.
func (r *run) due() time.Time {
	due := r.state.Metrics[0].Next
	for _, m := range r.state.Metrics {
		if m.Next.Before(due) {
			due = m.Next
		}
	}
	return due
}

// wait until a sample is due, or until the time of a guard is over.
func (r *run) wait(ctx context.Context, stop <-chan struct{}) error {
	next := r.due()
	if until := r.req.Until; r.req.Guard && !until.IsZero() && until.Before(next) {
		next = until
	}
	for {
		left := next.Sub(r.now())
		if left <= 0 {
			return nil
		}
		timer := time.NewTimer(min(left, beatInterval))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-stop:
			timer.Stop()
			return kube.Stopping()
		case <-timer.C:
			r.tell()
		}
	}
}

// sample measures all metrics that are due, at the same time.
func (r *run) sample(ctx context.Context) error {
	now := r.now()
	states := make([]MetricState, len(r.meters))
	errs := make([]error, len(r.meters))
	copy(states, r.state.Metrics)
	var measuring sync.WaitGroup
	for i, m := range r.meters {
		if states[i].Next.After(now) {
			continue
		}
		measuring.Go(func() { states[i], errs[i] = m.step(ctx, states[i], now) })
	}
	done := make(chan struct{})
	go func() {
		measuring.Wait()
		close(done)
	}()
	ticker := time.NewTicker(beatInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.tell() // a server that is slow is no worker that is dead
		case <-done:
			r.state.Metrics = states
			for _, err := range errs {
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
}

func (r *run) decide() {
	states := make([]verdict.State, len(r.state.Metrics))
	for i, m := range r.state.Metrics {
		states[i] = m.State
	}
	r.state.Decision = verdict.Decide(r.req.Metrics, states)
}

// tell sends the state, as data and as text for people.
func (r *run) tell() {
	r.beat(r.state.Decision.Reason, r.state)
}

// result is the state as the history keeps it. One that is gone on from keeps its
// counters.
func (r *run) result() State {
	s := r.state.Brief(historySamples)
	for i := range s.Metrics {
		s.Metrics[i].Counters = r.state.Metrics[i].Counters
	}
	return s
}
