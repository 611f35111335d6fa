package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// Rollout delivers one revision of one workload, step by step, and ends with the
// revision promoted or with everything as it was. It fails only if it is refused
// before anything was touched.
func Rollout(ctx workflow.Context, in Input) (Result, error) {
	r := newRun(ctx, in)
	if err := r.listen(ctx); err != nil {
		return Result{}, err
	}
	if in.Repair {
		return r.repair(ctx)
	}
	if err := r.inspect(ctx); err != nil {
		return Result{}, r.refuse(ctx, err)
	}
	if err := r.prepare(ctx); err != nil {
		return Result{}, r.refuse(ctx, err)
	}
	workflow.Go(ctx, r.watch)
	r.guard(ctx)
	if err := r.deliver(ctx); err != nil {
		return r.rollBack(ctx, err)
	}
	return r.end(ctx, Promoted, ""), nil
}

// deliver goes from step to step until the new revision is stable. It returns
// an error when the rollout has to be rolled back.
func (r *run) deliver(ctx workflow.Context) error {
	for r.step <= len(r.doc().Steps) {
		err := r.work(ctx)
		if err == nil {
			err = r.hold(ctx)
		}
		if err == nil {
			r.completeStep(ctx)
			continue
		}
		if err := r.turn(ctx, err); err != nil {
			return err
		}
	}
	return nil
}

// work does what the planner wants for the present step, one operation at a
// time, planning again after each, until nothing is left to do.
func (r *run) work(ctx workflow.Context) error {
	r.budget(ctx, r.doc().StepDeadline(r.step))
	for {
		if err := r.atOnce(ctx); err != nil {
			return err
		}
		if err := r.gate(ctx); err != nil {
			return err
		}
		ops := r.plan()
		if len(ops) == 0 {
			return nil
		}
		if err := r.execute(ctx, ops[0]); err != nil {
			return err
		}
	}
}

// plan returns the operations that lead from here to the end of the step.
func (r *run) plan() []plan.Operation {
	switch {
	case r.revising:
		return plan.Revise(r.doc(), r.world)
	case r.step < len(r.doc().Steps), r.baking():
		return plan.Step(r.doc(), r.world, r.step)
	default:
		return plan.Finish(r.doc(), r.world)
	}
}

// gate stops before the next operation while the rollout is paused.
func (r *run) gate(ctx workflow.Context) error {
	if r.interrupted() {
		return errInterrupted
	}
	if !r.paused {
		r.enter(ctx, r.workPhase(), "")
		return nil
	}
	r.enter(ctx, PhasePaused, r.pausedText())
	before := workflow.Now(ctx)
	if err := workflow.Await(ctx, func() bool { return !r.paused || r.interrupted() }); err != nil {
		return fmt.Errorf("waiting for resume: %w", err)
	}
	r.deadline = r.deadline.Add(workflow.Now(ctx).Sub(before))
	return r.gate(ctx)
}

// turn decides what follows an interruption or a failure of the present step.
// An error means that the rollout has to be rolled back.
func (r *run) turn(ctx workflow.Context, err error) error {
	if temporal.IsCanceledError(err) {
		return err
	}
	if !errors.Is(err, errInterrupted) {
		if r.policyOf(err) == config.FailureRollback {
			return &rollback{reason: explain(err)}
		}
		if err := r.waitStuck(ctx, err); err != nil {
			return err
		}
	}
	r.answer(ctx)
	order := r.order
	if order == nil {
		return nil
	}
	r.order = nil
	switch order.verb {
	case VerbAbort:
		return &rollback{reason: order.reason}
	case VerbJump:
		r.goTo(order.step)
	case VerbRevise:
		r.revising, r.change = true, order.change
		r.world.ConfirmRefill = confirmsRefill(ctx)
		if r.unguarded && guardsAgain(ctx) {
			r.unguarded = false
		}
		r.goTo(0)
	case verbVerdict:
		return r.turn(ctx, order.cause)
	case VerbReplan:
		r.replan(ctx, order.rollout)
	case VerbRetry, VerbPromote:
		// The planner goes on from where the world is.
	case VerbPause, VerbResume:
	}
	return nil
}

// waitStuck keeps everything as it is until a person decides.
func (r *run) waitStuck(ctx workflow.Context, cause error) error {
	r.failure = explain(cause)
	next := "; retry, jump, revise or abort"
	var failure *verdictFailure
	if errors.As(cause, &failure) {
		r.stopFor(ctx, failure)
		next = "; promote with a reason, retry, jump, revise or abort"
	}
	r.note(ctx, fmt.Sprintf("step %d failed: %s", r.step+1, r.failure))
	text := r.failure + next
	r.enter(ctx, PhaseStuck, text)
	for r.order == nil {
		if err := workflow.Await(ctx, r.interrupted); err != nil {
			return fmt.Errorf("waiting for a decision: %w", err)
		}
		if !r.drifting() {
			continue
		}
		if err := r.answerNow(ctx); err != nil && !errors.Is(err, errInterrupted) {
			r.note(ctx, "what others have changed could not be answered: "+explain(err))
		}
		r.enter(ctx, PhaseStuck, text)
	}
	r.failure, r.blamed = "", nil
	return nil
}

// answerNow answers drift where nothing else is done, in a hold or when stuck.
func (r *run) answerNow(ctx workflow.Context) error {
	if !r.drifting() {
		return nil
	}
	r.answer(ctx)
	r.budget(ctx, r.doc().StepDeadline(r.step))
	return r.atOnce(ctx)
}

// pausedText says why the rollout is paused and how to go on.
func (r *run) pausedText() string {
	return "paused" + because(r.pauseReason) + "; resume to go on, or abort"
}
