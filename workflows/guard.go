package workflows

import (
	"reflect"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
)

// guard takes care of the analysis of the whole rollout, if the document has one,
// from now on.
func (r *run) guard(ctx workflow.Context) {
	if r.doc().Analysis == nil || r.guarding {
		return
	}
	r.guarding = true
	workflow.Go(ctx, r.guardRollout)
}

// guardRollout keeps the analysis of the whole rollout going while canary serves.
func (r *run) guardRollout(ctx workflow.Context) {
	var after, last *measurement
	for {
		if workflow.Await(ctx, r.guarded) != nil {
			return
		}
		edits, stopped := r.guardEdits, r.blamed != nil
		needed := func() bool { return r.guarded() && r.guardEdits == edits && (!stopped || r.blamed != nil) }
		m := r.analyse(ctx, "the rollout's metrics", r.doc().Analysis, &measurement{
			guards: true, stopped: stopped, after: after, earlier: last.known(r.doc().Analysis.Metrics),
		})
		after, last = nil, m
		again, err := r.followSteps(ctx, m, needed)
		m.cancel()
		switch {
		case err != nil:
			return
		case again:
			after = m
		case m.failure != nil && needed():
			if after, err = r.failedGuard(ctx, m); err != nil {
				return
			}
		}
	}
}

// failedGuard answers a bad verdict. One that pauses ends nothing where another may
// still return to stable: the measurement to go on from is returned then. Otherwise
// nothing is measured until a person has decided.
func (r *run) failedGuard(ctx workflow.Context, m *measurement) (after *measurement, err error) {
	r.blame(ctx, m.failure)
	if !r.mindful || r.blamed == nil {
		return nil, nil
	}
	if m.failure.policy == config.FailurePause && !m.stopped && verdict.MayReturn(m.metrics) {
		return m, nil
	}
	return nil, workflow.Await(ctx, func() bool { return r.blamed == nil })
}

// followSteps tells the step of an analysis beside the rollout until it fails or is
// not needed any more. Queries that name the step have to be asked again for
// another one.
func (r *run) followSteps(ctx workflow.Context, m *measurement, needed func() bool) (again bool, err error) {
	over := func() bool { return m.failure != nil || !needed() }
	for {
		step := r.step
		if err := workflow.Await(ctx, func() bool { return over() || r.step != step }); err != nil || over() {
			return false, err
		}
		if analysis.NamesStep(m.metrics) && asksForSteps(ctx) {
			return true, nil
		}
		if m.index != nil {
			r.analyses[*m.index].Step = r.step + 1
		}
	}
}

// guarded says whether the analysis of the whole rollout has something to guard.
// One that has failed begins anew when a person has decided; until then, only what may
// return the rollout to stable is waited for.
func (r *run) guarded() bool {
	w, a := r.world, r.doc().Analysis
	return a != nil && w.RouteExists && w.MaybeCarries && !w.Promoted && !r.revising && !r.final && !r.unguarded &&
		(r.blamed == nil || r.mindful) && r.step+1 >= a.StartingStep && !r.leaving()
}

// guardEdited lets the guard follow a document that adds, changes or removes the
// analysis of the whole rollout; one whose metrics are the same goes on.
func (r *run) guardEdited(ctx workflow.Context, before config.Rollout) {
	if !r.doc().Measured() || !preparesEdits(ctx) {
		return
	}
	same := before.Analysis != nil && r.doc().Analysis != nil && reflect.DeepEqual(before.Analysis.Metrics, r.doc().Analysis.Metrics)
	if !same || !reflect.DeepEqual(before.Prometheus, r.doc().Prometheus) {
		r.guardEdits++
	}
	r.guard(ctx)
}

// leaving says that the order to return to stable was given.
func (r *run) leaving() bool { return r.order != nil && r.order.verb == VerbAbort }

// blame interrupts the main line because of a verdict.
func (r *run) blame(ctx workflow.Context, f *verdictFailure) {
	if r.order != nil {
		return // what a person has ordered comes first; it is measured anew
	}
	pauses := f.policy == config.FailurePause
	switch {
	case r.blamed != nil && pauses:
		return // it is told already, and a person is waited for
	case pauses:
		r.stopFor(ctx, f)
	default:
		r.blamed = f
	}
	if r.phase == PhaseStuck && pauses {
		r.note(ctx, f.reason)
		return
	}
	r.order = &order{verb: verbVerdict, cause: f}
}

// stopFor keeps the verdict for which the rollout waits for a person.
func (r *run) stopFor(ctx workflow.Context, f *verdictFailure) {
	r.blamed = f
	if r.doc().Analysis != nil {
		r.mindful = guardsStopped(ctx)
	}
}
