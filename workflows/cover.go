package workflows

import (
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
)

// While the pods of the workload are replaced, and until the route to the canary
// is removed, the canary has every request. Somebody else who takes that away
// sends requests to pods that are about to stop. The planner halts the workload
// then, which is one write and loses nothing: each pod that is there serves on.
// It covers the workload again before it goes on.

// uncovered answers a drift of what covers the workload, whatever the policy of
// the document is; the second time within a while it asks. It says whether the
// drift is one.
func (r *run) uncovered(ctx workflow.Context, d workload.Drift) bool {
	switch d.Kind {
	case workload.DriftRoute, workload.DriftRouteGone, workload.DriftRules, workload.DriftCanarySize:
		r.coverAgain(ctx, d)
	case workload.DriftService, workload.DriftCanary:
		r.drift.halt, r.drift.at = true, &traffic.Route{}
		if r.world.Promoted || r.doc().OnDrift == config.DriftEnforce && r.enforcing(ctx, d) {
			r.note(ctx, d.String()+": requests go to the workload")
			return true
		}
		r.ask(ctx, d, "requests go to the workload, whose pods are not replaced further; resume makes it as before and goes on", false)
	default:
		return false
	}
	return true
}

// coverAgain lets the canary take every request again. A canary that was made
// larger takes nothing away.
func (r *run) coverAgain(ctx workflow.Context, d workload.Drift) {
	larger := d.Kind == workload.DriftCanarySize && d.Replicas >= r.world.CanaryAsked
	switch {
	case r.world.Promoted && d.Kind != workload.DriftRoute:
		r.note(ctx, d.String()+": requests return to the workload")
	case larger || r.enforcing(ctx, d):
		r.drift.cover = true
		r.note(ctx, d.String()+": the canary covers the workload again at once")
	default:
		r.drift.halt = true
		r.ask(ctx, d, "it was undone and came again; resume undoes it once more", false)
	}
}

// takeDrifts lets the compensation go on from what others have done meanwhile. It
// says whether that may be undone at once.
func (r *run) takeDrifts(ctx workflow.Context) bool {
	calm := true
	for _, d := range r.drift.drifts {
		r.world = factOf(r.world, d)
		r.note(ctx, d.String())
		calm = r.enforcing(ctx, d) && calm
	}
	r.drift.drifts = nil
	return calm
}
