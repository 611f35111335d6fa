package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/workflows/plan"
)

// execute does one operation. Before it starts, the world takes everything that
// the operation may do as done; an abandoned operation leaves it so. Who calls it
// plans anew afterwards: an operation that was planned for another size of the
// workload was not done.
func (r *run) execute(ctx workflow.Context, op plan.Operation) error {
	r.routeUnsure = r.world.RouteUnsure
	if op.Kind == plan.PromoteStable {
		r.drift.covers = coversPromotion(ctx)
	}
	r.world = r.world.Begin(op)
	r.doing(ctx, op)
	if op.Kind == plan.Drain {
		if err := r.drain(ctx, op); err != nil {
			return err
		}
	} else {
		callCtx, cancel := workflow.WithCancel(ctx)
		defer cancel()
		future := r.call(callCtx, op)
		// Whoever covers pods that are being replaced must not wait for more.
		r.routeAgain = r.routeAgain || op.Kind == plan.SetRoute && !r.world.Replacing
		if err := r.await(ctx, future); err != nil {
			return err
		}
		if err := r.record(ctx, op, future); r.scaledMeanwhile(ctx, err) {
			return nil
		} else if err != nil {
			return err
		}
	}
	r.world = r.world.Done(op)
	r.routeAgain = r.routeAgain && op.Kind != plan.SetRoute
	if op.Kind == plan.RemoveRoute && r.confirmation.Carried {
		r.world.CanaryDrained = false
	}
	r.settled(op)
	r.done(ctx, op)
	return nil
}

// await waits for a future, or for an order or a drift that cannot wait for it.
func (r *run) await(ctx workflow.Context, future workflow.Future) error {
	err := workflow.Await(ctx, func() bool { return future.IsReady() || r.disturbed() })
	if err != nil {
		return fmt.Errorf("waiting for an operation: %w", err)
	}
	if !future.IsReady() {
		return errInterrupted
	}
	return nil
}

// disturbed says that an operation is not waited for any longer. While the
// compensation runs there are no orders.
func (r *run) disturbed() bool {
	if r.final {
		return len(r.drift.drifts) > 0
	}
	return r.interrupted()
}

// drain waits on a durable timer, so that no crash shortens it.
func (r *run) drain(ctx workflow.Context, op plan.Operation) error {
	if op.Wait <= 0 {
		return nil
	}
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := workflow.NewTimerWithOptions(timerCtx, op.Wait.Std(), workflow.TimerOptions{Summary: "requests in flight finish"})
	return r.await(ctx, timer)
}

// record takes over what an operation has returned.
func (r *run) record(ctx workflow.Context, op plan.Operation, future workflow.Future) error {
	switch op.Kind {
	case plan.HoldRevision:
		var held workload.Held
		if err := future.Get(ctx, &held); err != nil {
			return err
		}
		r.held, r.revising = held, false
		for _, w := range held.Warnings {
			r.note(ctx, "warning: "+w)
		}
		r.change = workload.Change{Current: true}
	case plan.EnsureCanary:
		return r.recordPods(ctx, future)
	case plan.SetRoute, plan.RemoveRoute:
		var confirmation traffic.Confirmation
		if err := future.Get(ctx, &confirmation); err != nil {
			return err
		}
		r.confirmation = &confirmation
	case plan.RemoveCanary:
		return r.recordRemoval(ctx, future)
	case plan.ReleaseWorkload:
		r.canary = workload.Pods{}
		return r.routedLate(r.recordEnd(ctx, future))
	case plan.NarrowService, plan.WidenService:
		return r.recordSelection(ctx, future)
	case plan.PromoteStable:
		return r.recordPromotion(ctx, future)
	case plan.RestoreTemplate:
		return r.recordEnd(ctx, future)
	case plan.HaltPromotion, plan.Drain:
		return future.Get(ctx, nil)
	}
	return nil
}

func (r *run) recordPods(ctx workflow.Context, future workflow.Future) error {
	var pods workload.Pods
	if err := future.Get(ctx, &pods); err != nil {
		return err
	}
	r.canary = pods
	return nil
}

// recordRemoval finds a Service that somebody else has widened when nothing was
// watched any more, with requests on the pods that are to go: that is a drift as
// any other, and it is answered before they go.
func (r *run) recordRemoval(ctx workflow.Context, future workflow.Future) error {
	err := future.Get(ctx, nil)
	if kube.IsType(err, kube.ErrDrift) && narrowsLate(ctx) {
		r.drifted(ctx, []workload.Drift{{
			Kind: workload.DriftNarrowed, Object: "Service " + r.observed.Ref.Service, What: "its selector finds canary pods again",
		}})
		return errInterrupted
	}
	if err == nil {
		r.canary = workload.Pods{}
	}
	return r.routedLate(err)
}

// maxLate is how often a route may come late before it counts as a failure: an API
// server makes one, but a tool may make it for ever.
const maxLate = 3

// routedLate takes over that the canary has a route again after it was removed, and
// lets what follows be planned anew. No rollout of an earlier release has seen this
// error.
func (r *run) routedLate(err error) error {
	if !kube.IsType(err, kube.ErrRouted) {
		return err
	}
	r.world = r.world.RouteLate()
	if r.late++; r.late > maxLate {
		return err
	}
	return errInterrupted
}

// recordSelection tells what somebody else has done to the selector meanwhile.
func (r *run) recordSelection(ctx workflow.Context, future workflow.Future) error {
	var selection workload.Selection
	if err := future.Get(ctx, &selection); err != nil {
		return err
	}
	for _, kept := range selection.Kept {
		r.keep(ctx, "Service "+r.observed.Ref.Service+": "+kept)
	}
	return nil
}

// recordEnd tells what of the workload and its autoscalers is left as somebody else
// has changed it.
func (r *run) recordEnd(ctx workflow.Context, future workflow.Future) error {
	var pods workload.Pods
	if err := future.Get(ctx, &pods); err != nil {
		return err
	}
	for _, kept := range pods.Kept {
		if strings.HasPrefix(kept, "spec.") { // An autoscaler is named.
			kept = "Deployment " + r.observed.Ref.Workload.Name + ": " + kept
		}
		r.keep(ctx, kept)
	}
	return nil
}

// keep tells of a field that does not come back, since somebody else has changed it.
// An operation that is done again tells it once.
func (r *run) keep(ctx workflow.Context, what string) {
	if !slices.Contains(r.foreign, what) {
		r.foreign = append(r.foreign, what)
		r.note(ctx, "kept on "+what)
	}
}

// recordPromotion takes over the size that the workload had in the end: somebody
// may have scaled it while its pods were replaced.
func (r *run) recordPromotion(ctx workflow.Context, future workflow.Future) error {
	var pods workload.Pods
	if err := future.Get(ctx, &pods); err != nil {
		return err
	}
	if pods.Total > 0 {
		r.world = r.world.Scaled(pods.Total)
	}
	return nil
}

// explain says in one sentence, without the SDK's wrappers, what went wrong.
func explain(err error) string {
	var app *temporal.ApplicationError
	var timeout *temporal.TimeoutError
	switch {
	case errors.As(err, &timeout):
		return explainTimeout(timeout)
	case errors.As(err, &app):
		return app.Message()
	}
	return err.Error()
}

// explainTimeout says what an operation was waiting for when its time ended.
func explainTimeout(timeout *temporal.TimeoutError) string {
	text := "the deadline passed"
	var app *temporal.ApplicationError
	if cause := timeout.Unwrap(); errors.As(cause, &app) {
		return text + ": " + app.Message()
	}
	var progress string
	if timeout.HasLastHeartbeatDetails() && timeout.LastHeartbeatDetails(&progress) == nil && progress != "" {
		return text + ": " + progress
	}
	return text
}

// remaining is the time that is left for operations of the present step; an
// operation that begins late still gets a moment, so that it fails by its own
// error.
func (r *run) remaining(ctx workflow.Context) time.Duration {
	return max(minBudget, r.deadline.Sub(workflow.Now(ctx)))
}
