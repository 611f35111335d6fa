package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/workflows/plan"
)

// repair ends what a rollout has left whose workflow was terminated or whose
// history was lost. What is known comes from the cluster alone; everything that
// may be so is taken to be so. It has the ID of a rollout of the workload, so
// that neither runs while the other does.
func (r *run) repair(ctx workflow.Context) (Result, error) {
	r.enter(ctx, PhaseChecking, "looking for what an earlier rollout has left")
	r.budget(ctx, inspectBudget)
	remains, err := r.callRemains(ctx)
	if err != nil {
		return Result{}, r.refuse(ctx, err)
	}
	if !remains.Found {
		return Result{}, r.refuse(ctx, temporal.NewNonRetryableApplicationError("nothing to repair: no rollout has left anything on the workload", ErrorRefused, nil))
	}
	r.observed = remains.Observed
	r.seq = remains.Observed.Ref.Seq
	r.held.Revision, r.held.Images = remains.Observed.CanaryRevision, remains.Observed.CanaryImages
	r.world = worldOf(remains)
	if !remains.Promoted {
		return r.rollBack(ctx, &rollback{reason: "repaired" + because(r.in.Reason)})
	}
	dctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	r.final = true
	r.note(dctx, "the new revision is stable already; completing")
	r.compensate(dctx, PhasePromoting, func() []plan.Operation { return plan.Finish(r.doc(), r.world) })
	return r.end(dctx, Promoted, "repaired"), r.settle(dctx)
}

// worldOf takes everything that may be so as being so.
func worldOf(m preflight.Remains) plan.World {
	w := plan.NewWorld(m.Observed.Replicas)
	w.MaybeHeld, w.Held = true, m.Held
	w.MaybeCanary, w.Canary, w.CanaryAsked = m.Canary, m.Replicas, m.Replicas
	w.MaybeRoute = m.Routed
	w.Asked, w.Confirmed = traffic.Route{Weight: m.Weight}, traffic.Route{Weight: m.Weight}
	if m.Carries && m.Weight == 0 {
		// A match carries requests too; that it is unknown which matters only in
		// that it has to go.
		w.Asked.Weight = 1
	}
	w.CanaryDrained = !m.Routed && !m.Canary
	w.MaybePromoting, w.Promoted = m.Promoting, m.Promoted
	return w
}

// callRemains runs the activity that looks for remains.
func (r *run) callRemains(ctx workflow.Context) (preflight.Remains, error) {
	callCtx, cancel := workflow.WithCancel(r.forward(ctx, inspectTimeout, "look for remains on "+r.in.Rollout.Workload.Name))
	defer cancel()
	future := workflow.ExecuteActivity(callCtx, checks.InspectRemains, preflight.RemainsRequest{
		Namespace: r.in.Rollout.Namespace, Workload: r.in.Rollout.Workload, WorkflowID: r.workflowID,
	})
	if err := r.await(ctx, future); err != nil {
		return preflight.Remains{}, err
	}
	var remains preflight.Remains
	if err := future.Get(ctx, &remains); err != nil {
		return preflight.Remains{}, fmt.Errorf("looking for remains: %w", err)
	}
	return remains, nil
}
