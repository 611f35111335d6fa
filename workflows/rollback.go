package workflows

import (
	"errors"
	"fmt"
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
	if !plan.CanAbort(r.world) {
		r.note(dctx, "too late to return: the new revision is stable; completing")
		r.compensate(dctx, PhasePromoting, func() []plan.Operation { return plan.Finish(r.doc(), r.world) })
		return r.end(dctx, Promoted, ""), r.settle(dctx)
	}
	reason := rollbackReason(cause)
	r.note(dctx, "rolling back: "+reason)
	r.enter(dctx, PhaseRollingBack, reason)
	r.compensate(dctx, PhaseRollingBack, func() []plan.Operation { return plan.Abort(r.doc(), r.world) })
	result := r.end(dctx, RolledBack, reason)
	if err := r.settle(dctx); err != nil {
		return result, err
	}
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
		if err == nil {
			pause = firstRetryPause
			continue
		}
		r.failure = explain(err)
		workflow.GetLogger(ctx).Error("compensation failed, trying again", "operation", ops[0].Kind, "error", err, "pause", pause)
		workflow.GetMetricsHandler(ctx).Counter("sluice_compensation_failures").Inc(1)
		r.enter(ctx, phase, fmt.Sprintf("%s; trying again in %s", r.failure, pause))
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
	r.order = nil
	// The disconnected context is never cancelled, so Await cannot fail.
	_ = workflow.Await(ctx, func() bool { return timer.IsReady() || r.order != nil })
	r.order = nil
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

// end records the outcome.
func (r *run) end(ctx workflow.Context, outcome Outcome, reason string) Result {
	phase, text := PhasePromoted, "promoted: revision "+r.held.Revision+" is stable"
	if outcome == RolledBack {
		phase, text = PhaseRolledBack, "rolled back: "+reason
	}
	r.step = min(r.step, len(r.doc().Steps))
	r.note(ctx, text)
	result := Result{
		Outcome: outcome, Reason: reason,
		Revision: r.held.Revision, Stable: r.observed.StableRevision,
		Decisions: r.decisions,
	}
	r.result = &result
	r.enter(ctx, phase, text)
	return result
}

// settle lets handlers of updates finish before the workflow closes.
func (r *run) settle(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return fmt.Errorf("waiting for message handlers: %w", err)
	}
	return nil
}

// refuse ends a rollout that has touched nothing.
func (r *run) refuse(ctx workflow.Context, err error) error {
	r.final = true
	text := explain(err)
	if errors.Is(err, errInterrupted) {
		text = r.order.reason + ", before anything was touched"
	}
	r.enter(ctx, PhaseRefused, text)
	if temporal.IsCanceledError(err) {
		return err
	}
	return temporal.NewNonRetryableApplicationError(text, ErrorRefused, err)
}
