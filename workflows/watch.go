package workflows

import (
	"maps"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// watch keeps one activity that waits for somebody else to change the workload
// or another object of the rollout, from the hold of the revision until the route
// to the canary is removed, and on the way back for as long as the canary covers
// the workload. Nothing is polled.
func (r *run) watch(ctx workflow.Context) {
	for {
		if workflow.Await(ctx, r.watching) != nil {
			return
		}
		revision, version, looks := r.held.Revision, r.held.Version, r.drift.looks
		callCtx, cancel := workflow.WithCancel(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			TaskQueue:           ActivityTaskQueue(r.in.Cluster),
			StartToCloseTimeout: watchTimeout,
			HeartbeatTimeout:    watchHeartbeat,
			Summary:             "watch the workload",
			RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 10 * time.Second},
		}))
		ref := r.observed.Ref
		ref.Seq = r.seq
		future := workflow.ExecuteActivity(callCtx, pods.WatchWorkload, workload.WatchRequest{
			Ref: ref, Replicas: r.world.Replicas, Paused: true,
			Revision: revision, StableRevision: r.observed.StableRevision, Version: version,
			Objects: r.doc().OnDrift != "", Selector: r.observed.Selector,
			Routed: r.world.RouteExists, Canary: r.world.Canary > 0, Known: maps.Clone(r.drift.known),
		})
		err := workflow.Await(ctx, func() bool {
			return future.IsReady() || !r.watching() || r.held.Version != version || r.drift.looks != looks
		})
		cancel()
		if err != nil {
			return
		}
		var changed workload.Changed
		if future.IsReady() && r.watching() && future.Get(ctx, &changed) == nil {
			r.changed(ctx, changed)
		}
	}
}

// watching says whether a change by others matters now.
func (r *run) watching() bool {
	switch {
	case r.revising:
		return false
	case !r.world.MaybePromoting:
		return r.world.Held && !r.final
	case r.final:
		return r.drift.covers && !r.world.Restored && plan.CanAbort(r.world)
	}
	return r.drift.covers && plan.CanAbort(r.world)
}

// changed follows what somebody else did to the workload and to the other objects
// of the rollout.
func (r *run) changed(ctx workflow.Context, c workload.Changed) {
	if len(c.Drifts) > 0 {
		r.drifted(ctx, c.Drifts)
	}
	if c.Revision == "" && !c.Gone {
		return
	}
	if c.Version != "" {
		r.held.Version = c.Version
	}
	r.changedWorkload(ctx, c)
	if c.Replicas != r.world.Replicas && !c.Gone {
		r.scaled(ctx, c.Replicas)
		r.drift.grown = r.world.MaybePromoting && !r.world.Promoted && c.Replicas > r.world.CanaryAsked && !r.final
	}
}

// ReasonPutBack is that of aborts because the workload has its stable template again.
const ReasonPutBack = "the stable template was put back on the workload"

// changedWorkload follows a change of the template or of the pause. While the
// pods are replaced the rollout itself changes them.
func (r *run) changedWorkload(ctx workflow.Context, c workload.Changed) {
	m := Message{By: c.By}
	switch {
	case c.Gone && r.final:
		r.world.Replicas = 0
	case c.Gone:
		// No stable pod can be waited for any more.
		r.world.Replicas = 0
		m.Reason = "the workload was deleted"
		r.decide(ctx, VerbAbort, m, "workload")
	case r.world.MaybePromoting:
	case c.Revision == r.observed.StableRevision:
		m.Reason = ReasonPutBack
		r.decide(ctx, VerbAbort, m, "workload")
	case c.Revision != r.held.Revision:
		m.Reason = "the template of the workload was changed"
		m.Change = &workload.Change{Current: true}
		r.decide(ctx, VerbRevise, m, "workload")
	case !c.Paused && r.world.MaybeNarrowed:
		m.Reason = "the workload was resumed by somebody else: its Service selects stable pods only, and would have none soon"
		r.world.Held, r.world.Resumed = false, true
		r.decide(ctx, VerbAbort, m, "workload")
	case !c.Paused:
		r.unheld(ctx, m)
	}
}

// unheld follows a workload that somebody else has resumed: it replaces its pods
// by itself, with requests on them, which cannot be undone without loss. To hold
// it again stops that half way.
func (r *run) unheld(ctx workflow.Context, m Message) {
	m.Reason = "the workload was resumed by somebody else: it replaces its pods by itself now"
	r.world.Held = false
	if r.doc().OnDrift == config.DriftEnforce && r.enforcing(ctx, workload.Drift{Kind: driftUnheld}) {
		r.note(ctx, m.Reason+": it is held again")
		return
	}
	r.decide(ctx, VerbPause, m, "workload")
}

// driftUnheld is the kind of a workload that was resumed; it is not reported as
// a drift of an object.
const driftUnheld workload.DriftKind = "unheld"
