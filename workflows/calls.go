package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// Method names only; these are never dereferenced in workflow code.
var (
	checks *preflight.Activities
	pods   *workload.Activities
	routes *traffic.Activities
)

const (
	// heartbeatTimeout bounds how long the death of a worker goes unnoticed.
	heartbeatTimeout = 5 * time.Second
	// watchHeartbeat bounds how long a workload goes unwatched when its worker dies.
	// It is longer, since each held rollout costs Temporal a write in two thirds of
	// it; meanwhile whatever moves requests looks at the size of the workload itself.
	watchHeartbeat = 30 * time.Second
	// watchTimeout ends a watch that nobody needs; it is started again.
	watchTimeout = 30 * 24 * time.Hour
	// inspectTimeout bounds the preflight, during which nothing is touched.
	inspectTimeout = 2 * time.Minute
	inspectBudget  = config.Duration(inspectTimeout)
	// minBudget is what an operation gets that begins when its time is over.
	minBudget = time.Second
	// lastTryPause bounds the pause between two tries of an operation, so that it goes
	// on soon after an outage.
	lastTryPause = 5 * time.Second
	// compensationTimeout bounds one try of a compensation.
	compensationTimeout = 30 * time.Minute
)

// forward are the options of an operation on the way to the new revision: it is
// tried again until its time is over.
func (r *run) forward(ctx workflow.Context, limit time.Duration, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              ActivityTaskQueue(r.in.Cluster),
		ScheduleToCloseTimeout: limit,
		StartToCloseTimeout:    limit,
		HeartbeatTimeout:       heartbeatTimeout,
		Summary:                summary,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 1.6, MaximumInterval: lastTryPause,
		},
	})
}

// backward are the options of a compensation: it is tried again for ever.
func (r *run) backward(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           ActivityTaskQueue(r.in.Cluster),
		StartToCloseTimeout: compensationTimeout,
		HeartbeatTimeout:    heartbeatTimeout,
		Summary:             summary,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: lastTryPause,
		},
	})
}

// options chooses the options of an operation.
func (r *run) options(ctx workflow.Context, op plan.Operation) workflow.Context {
	summary := r.summary(op)
	if r.final {
		return r.backward(ctx, summary)
	}
	limit := r.remaining(ctx)
	switch op.Kind {
	case plan.SetRoute, plan.RemoveRoute, plan.NarrowService, plan.WidenService:
		limit = min(limit, r.doc().Traffic.ConfirmTimeout.Std())
	}
	return r.forward(ctx, limit, summary)
}

// ref names the objects of the release for the next operation.
func (r *run) ref() release.Ref {
	r.seq++
	ref := r.observed.Ref
	ref.Seq = r.seq
	ref.Grace = new(r.doc().Traffic.Grace)
	return ref
}

// call starts the activity of an operation.
func (r *run) call(ctx workflow.Context, op plan.Operation) workflow.Future {
	ctx = r.options(ctx, op)
	ref := r.ref()
	switch op.Kind {
	case plan.HoldRevision:
		return workflow.ExecuteActivity(ctx, pods.HoldRevision, workload.HoldRequest{
			Ref: ref, Change: r.change, Stable: r.observed.StableReplicaSet, Baseline: r.observed.Baseline,
			Freeze: r.world.Least > 0,
		})
	case plan.EnsureCanary:
		return workflow.ExecuteActivity(ctx, pods.EnsureCanary, workload.CanaryRequest{
			Ref: ref, Revision: r.held.Revision, Replicas: op.Replicas, Metadata: r.doc().CanaryMetadata,
			Serving: !r.world.CanaryDrained,
		})
	case plan.SetRoute:
		return workflow.ExecuteActivity(ctx, routes.SetRoute, traffic.RouteRequest{
			Ref: ref, Route: op.Route, NeedCanary: op.NeedCanary, NeedStable: op.NeedStable, Size: r.sizePlanned(),
			Unsure: r.routeUnsure, Again: r.routeAgain,
		})
	case plan.RemoveRoute:
		return workflow.ExecuteActivity(ctx, routes.SetRoute, traffic.RouteRequest{Ref: ref, Absent: true, Unsure: r.routeUnsure})
	case plan.PromoteStable:
		return workflow.ExecuteActivity(ctx, pods.PromoteStable, workload.PromoteRequest{Ref: ref, Revision: r.held.Revision})
	case plan.RestoreTemplate:
		return workflow.ExecuteActivity(ctx, pods.RestoreTemplate, workload.RestoreRequest{
			Ref: ref, Stable: r.observed.StableReplicaSet, Baseline: r.observed.Baseline, Settle: op.Settle,
		})
	case plan.NarrowService:
		return workflow.ExecuteActivity(ctx, pods.NarrowService, workload.NarrowRequest{
			Ref: ref, Side: op.Side, Stable: r.observed.StableReplicaSet, Revision: r.held.Revision, Need: op.NeedStable, Keep: op.Keep, Again: op.Again,
		})
	case plan.WidenService:
		return workflow.ExecuteActivity(ctx, pods.WidenService, workload.WidenRequest{Ref: ref})
	case plan.HaltPromotion:
		return workflow.ExecuteActivity(ctx, pods.HaltPromotion, workload.HaltRequest{Ref: ref})
	case plan.RemoveCanary:
		return workflow.ExecuteActivity(ctx, pods.RemoveCanary, workload.RemoveRequest{Ref: ref})
	default: // plan.ReleaseWorkload; a drain is a timer and never comes here.
		return workflow.ExecuteActivity(ctx, pods.ReleaseWorkload, workload.ReleaseRequest{Ref: ref, Baseline: r.observed.Baseline})
	}
}

// callInspect runs the preflight.
func (r *run) callInspect(ctx workflow.Context) (preflight.Observed, error) {
	callCtx, cancel := workflow.WithCancel(r.forward(ctx, inspectTimeout, "check "+r.in.Rollout.Workload.Name))
	defer cancel()
	req := preflight.InspectRequest{ID: r.id(), WorkflowID: r.workflowID, Rollout: r.in.Rollout, Change: r.change}
	if origin := r.in.Origin; origin != nil {
		req.WorkloadUID, req.Revision = origin.WorkloadUID, origin.Revision
	}
	future := workflow.ExecuteActivity(callCtx, checks.InspectRelease, req)
	if err := r.await(ctx, future); err != nil {
		return preflight.Observed{}, err
	}
	var observed preflight.Observed
	if err := future.Get(ctx, &observed); err != nil {
		return preflight.Observed{}, fmt.Errorf("inspecting the release: %w", err)
	}
	return observed, nil
}

// summary is what the Temporal UI shows beside an activity.
func (r *run) summary(op plan.Operation) string {
	switch op.Kind {
	case plan.HoldRevision:
		return "hold the new revision"
	case plan.EnsureCanary:
		if op.Replicas == 1 {
			return "canary to 1 pod"
		}
		return fmt.Sprintf("canary to %d pods", op.Replicas)
	case plan.SetRoute:
		return "route " + routeText(op.Route)
	case plan.Drain:
		return "requests in flight finish"
	case plan.PromoteStable:
		return "make the new revision stable"
	case plan.RemoveRoute:
		return "remove the canary route"
	case plan.RestoreTemplate:
		return "put the stable template back"
	case plan.ReleaseWorkload:
		return "remove the canary, restore the workload"
	case plan.NarrowService:
		return fmt.Sprintf("narrow Service %s to the %s pods", r.observed.Ref.Service, op.Side)
	case plan.WidenService:
		return fmt.Sprintf("give Service %s its own selector back", r.observed.Ref.Service)
	case plan.RemoveCanary:
		return "stop the canary pods"
	case plan.HaltPromotion:
		return "pause the workload until the canary covers it again"
	}
	return string(op.Kind)
}
