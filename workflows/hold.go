package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// hold waits for a person or a time before the next step. A change of the
// workload's size during the hold is followed at once, without ending it.
func (r *run) hold(ctx workflow.Context) error {
	if r.step >= len(r.doc().Steps) {
		return r.bake(ctx)
	}
	if r.doc().Steps[r.step].Analysis != nil {
		return r.holdMeasured(ctx)
	}
	if r.passes(ctx) {
		return nil
	}
	r.open, r.released = true, false
	defer func() { r.open = false }()
	r.beginHold(ctx)

	hold := r.doc().Steps[r.step].Hold
	expired := func() bool { return false }
	if hold.Mode == config.HoldTimed {
		timerCtx, cancel := workflow.WithCancel(ctx)
		defer cancel()
		left := r.holdLeft(ctx, hold.Duration.Std())
		timer := workflow.NewTimerWithOptions(timerCtx, left, workflow.TimerOptions{
			Summary: fmt.Sprintf("hold of step %d", r.step+1),
		})
		// What others have changed is decided about in the step where it happened.
		expired = func() bool { return timer.IsReady() && r.drift.open == nil }
		until := workflow.Now(ctx).Add(left)
		r.until = &until
		defer func() { r.until = nil }()
	}
	for !r.released && !expired() {
		asking := r.tellHold(ctx, PhaseHolding, r.holdText(hold))
		err := workflow.Await(ctx, func() bool {
			return r.released || expired() || r.interrupted() || r.unfinished() || asking != (r.drift.open != nil)
		})
		if err != nil {
			return fmt.Errorf("holding: %w", err)
		}
		if r.order != nil {
			return errInterrupted
		}
		if err := r.follow(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tellHold tells what the hold waits for, and whether that is the answer to a
// drift.
func (r *run) tellHold(ctx workflow.Context, phase Phase, text string) bool {
	if r.drift.open != nil {
		r.enter(ctx, PhasePaused, r.pausedText())
		return true
	}
	r.enter(ctx, phase, text)
	return false
}

// passes says whether the hold of the present step is released already.
func (r *run) passes(ctx workflow.Context) bool {
	switch {
	case r.doc().Steps[r.step].Hold.Mode == config.HoldNone:
		return true
	case r.full, r.overridden == r.step+1:
		return true
	case r.early[r.step]:
		r.note(ctx, fmt.Sprintf("step %d was approved before it began to hold", r.step+1))
		return true
	}
	return false
}

// unfinished says that the world has changed so that the step has work again.
func (r *run) unfinished() bool {
	return !r.paused && len(plan.Step(r.doc(), r.world, r.step)) > 0
}

// follow does the work that a change of the world has made necessary. A drift
// that interrupts it does not end the hold.
func (r *run) follow(ctx workflow.Context) error {
	err := r.answerNow(ctx)
	if err == nil && r.unfinished() {
		err = r.work(ctx)
	}
	if errors.Is(err, errInterrupted) && r.order == nil {
		return nil
	}
	return err
}

// holdText says what is waited for and how to go on.
func (r *run) holdText(h config.Hold) string {
	if h.Mode == config.HoldTimed {
		return fmt.Sprintf("step %d holds for %s; promote to go on now", r.step+1, h.Duration)
	}
	return fmt.Sprintf("step %d waits for approval: promote to go on", r.step+1)
}
