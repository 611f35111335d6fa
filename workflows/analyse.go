package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
)

// measures are method names only, never dereferenced in workflow code.
var measures *analysis.Activities

// analysisHeartbeat bounds how long the death of a worker that measures goes
// unnoticed: longer than for operations, because each heartbeat carries samples.
const analysisHeartbeat = 10 * time.Second

// measuring is what a rollout knows about its metrics.
type measuring struct {
	// analyses that have begun, in order.
	analyses []AnalysisStatus
	// blamed is the verdict for which the rollout waits for a person.
	blamed *verdictFailure
	// overridden is the step, from 1, that a person has promoted over a verdict.
	overridden int
	// unguarded says that a person has ended the analysis of the whole rollout.
	unguarded bool
	// baked says that the bake is over.
	baked bool
}

// verdictFailure is a bad verdict and what follows from it.
type verdictFailure struct {
	policy config.FailurePolicy
	reason string
}

// Error says which metric failed, and how.
func (f *verdictFailure) Error() string { return f.reason }

// policyOf is what follows a failure: of a metric its own policy, otherwise that
// of the document.
func (r *run) policyOf(err error) config.FailurePolicy {
	var failure *verdictFailure
	if errors.As(err, &failure) {
		return failure.policy
	}
	return r.doc().OnFailure
}

// prepare makes sure that the metrics of the document can be measured, and takes
// over what is described in ConfigMaps, so that a later change of those does not
// change the rollout. Documents without metrics have nothing to prepare.
func (r *run) prepare(ctx workflow.Context) error {
	if !r.doc().Measured() {
		return nil
	}
	callCtx, cancel := workflow.WithCancel(r.forward(ctx, inspectTimeout, "prepare the metrics"))
	defer cancel()
	future := workflow.ExecuteActivity(callCtx, measures.PrepareAnalysis, analysis.PrepareRequest{
		Subject: r.subject(1), Rollout: r.in.Rollout,
	})
	if err := r.await(ctx, future); err != nil {
		return err
	}
	var prepared analysis.Prepared
	if err := future.Get(ctx, &prepared); err != nil {
		return fmt.Errorf("preparing the metrics: %w", err)
	}
	r.in.Rollout.Analysis, r.in.Rollout.Bake = prepared.Rollout.Analysis, prepared.Rollout.Bake
	for i := range r.in.Rollout.Steps {
		r.in.Rollout.Steps[i].Analysis = prepared.Rollout.Steps[i].Analysis
	}
	for _, w := range prepared.Warnings {
		r.note(ctx, "warning: "+w)
	}
	return nil
}

// subject of the queries of a step, from 1.
func (r *run) subject(step int) analysis.Subject {
	return analysis.Subject{
		Ref: r.observed.Ref, Step: step,
		StableRevision: r.observed.StableRevision, Revision: r.held.Revision,
	}
}

// measurement is one analysis that runs beside the main line.
type measurement struct {
	// where it belongs, in words.
	where string
	// passed says that all its metrics have passed, failure that one has not.
	passed  bool
	failure *verdictFailure
	// guards says that a verdict Pass does not end it; goOn is asked after one
	// whether it is still needed.
	guards bool
	goOn   func() bool
	cancel workflow.CancelFunc
}

// analyse begins an analysis of the present step.
func (r *run) analyse(ctx workflow.Context, where string, a *config.Analysis, m *measurement) *measurement {
	ctx, m.cancel = workflow.WithCancel(ctx)
	m.where = where
	req := analysis.Request{Subject: r.subject(r.step + 1), Metrics: a.Metrics, Servers: r.doc().Prometheus, Guard: m.guards}
	workflow.Go(ctx, func(ctx workflow.Context) { r.measure(ctx, m, req) })
	return m
}

// measure runs an analysis: until it has passed, and then, as long as it is
// needed, from where it was.
func (r *run) measure(ctx workflow.Context, m *measurement, req analysis.Request) {
	for {
		index := r.beginAnalysis(ctx, m, req)
		future := workflow.ExecuteActivity(r.analysisOptions(ctx, m, req, index), measures.AnalyseMetrics, req)
		var result analysis.Result
		err := future.Get(ctx, &result)
		r.endAnalysis(ctx, index, result, err)
		switch {
		case ctx.Err() != nil:
			return // nobody asks any more
		case err != nil:
			m.failure = &verdictFailure{policy: r.doc().OnFailure, reason: m.where + " cannot be measured: " + explain(err)}
			return
		}
		r.note(ctx, fmt.Sprintf("%s: %s", m.where, result.Decision))
		reason := fmt.Sprintf("%s: %s", m.where, result.Decision.Reason)
		switch result.Decision.Action {
		case verdict.Rollback:
			m.failure = &verdictFailure{policy: config.FailureRollback, reason: reason}
			return
		case verdict.Pause:
			m.failure = &verdictFailure{policy: config.FailurePause, reason: reason}
			return
		case verdict.Promote:
			m.passed = true
		case verdict.Continue:
		}
		if m.goOn == nil || !m.goOn() {
			return
		}
		req.Guard, req.State = true, &result.State
	}
}

// analysisOptions of one measurement: it is tried again for ever, because what
// cannot be measured is a verdict, not an error.
func (r *run) analysisOptions(ctx workflow.Context, m *measurement, req analysis.Request, index int) workflow.Context {
	names := make([]string, len(req.Metrics))
	for i, metric := range req.Metrics {
		names[i] = metric.Name
	}
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID:          r.analyses[index].Activity,
		TaskQueue:           ActivityTaskQueue(r.in.Cluster),
		StartToCloseTimeout: watchTimeout,
		HeartbeatTimeout:    analysisHeartbeat,
		// Its result is wanted when it is cancelled, too: the numbers belong to the
		// history. Nobody waits for it.
		WaitForCancellation: true,
		Summary:             fmt.Sprintf("%s: %s", m.where, strings.Join(names, ", ")),
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 10 * time.Second},
	})
}

// beginAnalysis adds an analysis to the status and returns its place there.
func (r *run) beginAnalysis(ctx workflow.Context, m *measurement, req analysis.Request) int {
	r.analyses = append(r.analyses, AnalysisStatus{
		Where: m.where, Step: req.Subject.Step, Since: workflow.Now(ctx), Running: true, Guard: req.Guard,
		Activity: fmt.Sprintf("analysis-%d", len(r.analyses)+1),
	})
	return len(r.analyses) - 1
}

// endAnalysis keeps the numbers of an analysis.
func (r *run) endAnalysis(ctx workflow.Context, index int, result analysis.Result, err error) {
	a := &r.analyses[index]
	a.Running, a.Ended = false, workflow.Now(ctx)
	if err == nil {
		a.State = result.State.Brief(statusSamples)
	}
	r.publish(ctx)
}

// guardRollout keeps the analysis of the whole rollout going while canary serves.
func (r *run) guardRollout(ctx workflow.Context) {
	for {
		if workflow.Await(ctx, r.guarded) != nil {
			return
		}
		m := r.analyse(ctx, "the rollout's metrics", r.doc().Analysis, &measurement{guards: true})
		err := workflow.Await(ctx, func() bool { return m.failure != nil || !r.guarded() })
		m.cancel()
		if err != nil {
			return
		}
		if m.failure != nil && r.guarded() {
			r.blame(ctx, m.failure)
		}
	}
}

// guarded says whether the analysis of the whole rollout has something to guard.
// One that has failed begins anew when a person has decided.
func (r *run) guarded() bool {
	w := r.world
	return w.RouteExists && w.MaybeCarries && !w.Promoted && !r.revising && !r.final && !r.unguarded &&
		r.blamed == nil && r.step+1 >= r.doc().Analysis.StartingStep && !r.leaving()
}

// leaving says that the order to return to stable was given.
func (r *run) leaving() bool { return r.order != nil && r.order.verb == VerbAbort }

// blame interrupts the main line because of a verdict.
func (r *run) blame(ctx workflow.Context, f *verdictFailure) {
	if r.order != nil {
		return // what a person has ordered comes first; it is measured anew
	}
	r.blamed = f
	if r.phase == PhaseStuck && f.policy == config.FailurePause {
		r.note(ctx, f.reason)
		return
	}
	r.order = &order{verb: verbVerdict, cause: f}
}
