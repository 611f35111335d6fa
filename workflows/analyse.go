package workflows

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/analysis"
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
	// blamed is the verdict for which the rollout waits for a person, and mindful that
	// the analysis of the whole rollout goes on meanwhile.
	blamed  *verdictFailure
	mindful bool
	// overridden is the step, from 1, that a person has promoted over a verdict.
	overridden int
	// guarding says that the analysis of the whole rollout is taken care of,
	// guardEdits how often an edited document has changed it, and unguarded that a
	// person has ended it.
	guarding   bool
	guardEdits int
	unguarded  bool
	// baked says that the bake is over.
	baked bool
	// lastHold is the measurement of the hold that was last measured.
	lastHold *measurement
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
	prepared, err := r.callPrepare(ctx, r.in.Rollout, "prepare the metrics", func() error {
		if r.interrupted() {
			return errInterrupted
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.in.Rollout = prepared
	return nil
}

// callPrepare returns a document with its metrics filled in. It waits no longer
// when stop has an error, which it returns.
func (r *run) callPrepare(ctx workflow.Context, doc config.Rollout, summary string, stop func() error) (config.Rollout, error) {
	callCtx, cancel := workflow.WithCancel(r.forward(ctx, inspectTimeout, summary))
	defer cancel()
	future := workflow.ExecuteActivity(callCtx, measures.PrepareAnalysis, analysis.PrepareRequest{
		Subject: r.subject(1), Rollout: doc,
	})
	if err := workflow.Await(ctx, func() bool { return future.IsReady() || stop() != nil }); err != nil {
		return doc, fmt.Errorf("waiting for the metrics to be prepared: %w", err)
	}
	if !future.IsReady() {
		return doc, stop()
	}
	var prepared analysis.Prepared
	if err := future.Get(ctx, &prepared); err != nil {
		return doc, fmt.Errorf("preparing the metrics: %w", err)
	}
	for _, w := range prepared.Warnings {
		r.note(ctx, "warning: "+w)
	}
	return filled(doc, prepared.Rollout), nil
}

// filled returns a document with the analyses of another one with as many steps.
func filled(doc, prepared config.Rollout) config.Rollout {
	doc.Analysis, doc.Bake = prepared.Analysis, prepared.Bake
	doc.Steps = slices.Clone(doc.Steps)
	for i := range doc.Steps {
		doc.Steps[i].Analysis = prepared.Steps[i].Analysis
	}
	return doc
}

// subject of the queries of a step, from 1.
func (r *run) subject(step int) analysis.Subject {
	return analysis.Subject{
		Ref: r.observed.Ref, Step: step,
		StableRevision: r.observed.StableRevision, Revision: r.held.Revision,
	}
}
