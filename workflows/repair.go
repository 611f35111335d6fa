package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/workflows/plan"
)

const (
	// silence is how long an operation of a lost workflow may go on: until its
	// next heartbeats have told it that nobody waits for it.
	silence = heartbeatTimeout + time.Second
	// seqGap is more operations than a lost rollout can have begun after the last
	// one that has left a mark; all of them are older than those of the repair.
	seqGap = 1_000_000
)

// repair ends what a rollout has left whose workflow was terminated or whose
// history was lost. What is known comes from the cluster alone; everything that
// may be so is taken to be so. It has the ID of a rollout of the workload, so
// that neither runs while the other does. It takes no messages.
func (r *run) repair(ctx workflow.Context) (Result, error) {
	r.final = true
	r.enter(ctx, PhaseChecking, "looking for what an earlier rollout has left")
	remains, err := r.callRemains(ctx)
	if err != nil {
		return Result{}, r.refuse(ctx, err)
	}
	if !remains.Found {
		return Result{}, r.refuse(ctx, temporal.NewNonRetryableApplicationError("nothing to repair: no rollout has left anything on the workload", ErrorRefused, nil))
	}
	r.adopt(ctx, remains)
	if !plan.Completes(remains) {
		return r.rollBack(ctx, &rollback{reason: "repaired" + because(r.in.Reason)})
	}
	dctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if !remains.Promoted {
		r.note(dctx, "the workload replaces its pods by itself, with no route to cover it: requests may be lost; waiting for its end")
	}
	r.note(dctx, "completing: the new revision is there to stay")
	r.compensate(dctx, PhasePromoting, func() []plan.Operation { return plan.Repair(r.doc(), r.world, true) })
	return r.end(dctx, Promoted, "repaired"+because(r.in.Reason)), nil
}

// adopt takes over what a lost rollout has left.
func (r *run) adopt(ctx workflow.Context, remains preflight.Remains) {
	r.observed = remains.Observed
	r.seq = remains.Observed.Ref.Seq + seqGap
	r.held.Revision, r.held.Images = remains.Observed.CanaryRevision, remains.Observed.CanaryImages
	r.in.Rollout.CanaryMetadata = remains.Metadata
	r.in.Rollout.Isolation = remains.Observed.Ref.Isolation.Mode
	r.in.Rollout.Traffic.Grace = plan.GraceOf(r.doc(), remains)
	r.world = plan.WorldOf(remains)
	r.note(ctx, "found what rollout "+remains.Observed.Ref.ID+" has left: "+remains.String())
	for _, w := range remains.Observed.Warnings {
		r.note(ctx, "warning: "+w)
	}
}

// callRemains runs the activity that looks for remains, when the operations of
// the lost workflow have ended.
func (r *run) callRemains(ctx workflow.Context) (preflight.Remains, error) {
	timer := workflow.NewTimerWithOptions(ctx, silence, workflow.TimerOptions{Summary: "operations of the lost workflow end"})
	if err := timer.Get(ctx, nil); err != nil {
		return preflight.Remains{}, fmt.Errorf("waiting for operations of the lost workflow: %w", err)
	}
	ctx = r.forward(ctx, inspectTimeout, "look for what is left on "+r.in.Rollout.Workload.Name)
	future := workflow.ExecuteActivity(ctx, checks.InspectRemains, preflight.RemainsRequest{
		Namespace: r.in.Rollout.Namespace, Workload: r.in.Rollout.Workload, WorkflowID: r.workflowID,
	})
	var remains preflight.Remains
	if err := future.Get(ctx, &remains); err != nil {
		return preflight.Remains{}, fmt.Errorf("looking for remains: %w", err)
	}
	return remains, nil
}
