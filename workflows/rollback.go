package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/workflows/plan"
)

// rollBack is the compensation: it undoes what may have been done, in the order
// that loses nothing, on a context that no cancellation reaches, and it never
// gives up. A rollout that is past the point of no return is completed instead.
func (r *run) rollBack(ctx workflow.Context, cause error) (Result, error) {
	dctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	r.final = true
	r.drift.drifts = nil // what is known of them is in the world
	if !plan.CanAbort(r.world) {
		r.note(dctx, "too late to return: the new revision is stable; completing")
		r.compensate(dctx, PhasePromoting, func() []plan.Operation { return plan.Finish(r.doc(), r.world) })
		return r.end(dctx, Promoted, ""), nil
	}
	reason := rollbackReason(cause)
	r.note(dctx, "rolling back: "+reason)
	r.enter(dctx, PhaseRollingBack, reason)
	r.compensate(dctx, PhaseRollingBack, func() []plan.Operation { return plan.Abort(r.doc(), r.world) })
	result := r.end(dctx, RolledBack, reason)
	if temporal.IsCanceledError(cause) {
		return result, temporal.NewCanceledError(reason)
	}
	return result, nil
}

// The pauses between tries of a compensation that cannot succeed yet.
const (
	firstRetryPause = 2 * time.Second
	lastRetryPause  = time.Minute
)

// compensate executes what next plans until nothing is left, retrying for ever.
func (r *run) compensate(ctx workflow.Context, phase Phase, next func() []plan.Operation) {
	pause := firstRetryPause
	for ops := next(); len(ops) > 0; ops = next() {
		err := r.execute(ctx, ops[0])
		if calm := r.takeDrifts(ctx); err == nil || calm && errors.Is(err, errInterrupted) {
			pause = firstRetryPause
			continue
		}
		r.failure = explain(err)
		workflow.GetLogger(ctx).Error("compensation failed, trying again", "operation", ops[0].Kind, "error", err, "pause", pause)
		workflow.GetMetricsHandler(ctx).Counter("sluice_compensation_failures").Inc(1)
		r.enter(ctx, phase, fmt.Sprintf("%s; trying again in %s, or at once on retry", r.failure, pause))
		r.awaitRetry(ctx, pause)
		pause = min(2*pause, lastRetryPause)
		r.failure = ""
	}
}

// awaitRetry waits for the pause to end, or for a person to say retry.
func (r *run) awaitRetry(ctx workflow.Context, pause time.Duration) {
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := workflow.NewTimerWithOptions(timerCtx, pause, workflow.TimerOptions{Summary: "pause before the compensation is tried again"})
	r.order, r.pausing = nil, true
	// The disconnected context is never cancelled, so Await cannot fail.
	_ = workflow.Await(ctx, func() bool { return timer.IsReady() || r.order != nil })
	r.order, r.pausing = nil, false
}

// rollbackReason says why the delivery ended.
func rollbackReason(cause error) string {
	var rb *rollback
	if errors.As(cause, &rb) {
		return rb.reason
	}
	if temporal.IsCanceledError(cause) {
		return "the workflow was cancelled"
	}
	return cause.Error()
}

// end tells the outcome and returns it with everything that was decided, also of
// messages that have come too late.
func (r *run) end(ctx workflow.Context, outcome Outcome, reason string) Result {
	phase, text := PhasePromoted, "promoted: revision "+r.held.Revision+" is stable"
	if outcome == RolledBack {
		phase, text = PhaseRolledBack, "rolled back: "+reason
	}
	if len(r.foreign) > 0 {
		text += "; left as others have changed it: " + strings.Join(r.foreign, "; ")
	}
	r.final = true
	r.step = min(r.step, len(r.doc().Steps))
	r.note(ctx, text)
	r.enter(ctx, phase, text)
	r.settle(ctx)
	r.result = &Result{
		Outcome: outcome, Reason: reason,
		Revision: r.held.Revision, Stable: r.observed.StableRevision,
		Decisions: r.decisions, Kept: r.foreign,
	}
	return *r.result
}

// settle lets everything that has arrived be read and answered before the workflow
// closes. What came together with the last event of the history has been handed
// to those that read it, but they have not had their turn; that of a coroutine
// which begins now comes after theirs.
func (r *run) settle(ctx workflow.Context) {
	// A cancellation that comes this late changes nothing.
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	read := false
	workflow.Go(ctx, func(workflow.Context) { read = true })
	// The context is never cancelled, so Await cannot fail.
	_ = workflow.Await(ctx, func() bool { return read && workflow.AllHandlersFinished(ctx) })
}

// refuse ends a rollout that has touched nothing.
func (r *run) refuse(ctx workflow.Context, err error) error {
	r.final = true
	text := explain(err)
	if errors.Is(err, errInterrupted) {
		text = r.order.reason + ", before anything was touched"
	}
	r.enter(ctx, PhaseRefused, text)
	r.settle(ctx)
	if temporal.IsCanceledError(err) {
		return err
	}
	return temporal.NewNonRetryableApplicationError(text, ErrorRefused, err)
}
