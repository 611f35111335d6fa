package preview

import (
	"fmt"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/workflows/plan"
)

// what says what an operation does, from the world before it.
func what(op plan.Operation, from plan.World) string {
	switch op.Kind {
	case plan.HoldRevision:
		return "propose the new revision and hold it, in one write"
	case plan.EnsureCanary:
		return fmt.Sprintf("pods of canary from %d to %d", from.Canary, op.Replicas)
	case plan.SetRoute:
		if !from.RouteExists {
			return "make the canary route: " + routeText(op.Route) + " of requests"
		}
		return "requests for canary: " + routeText(op.Route)
	case plan.Drain:
		return "let requests in flight finish"
	case plan.PromoteStable:
		return "replace the workload's pods, which have no requests"
	case plan.RemoveRoute:
		return "remove the canary route"
	case plan.RestoreTemplate:
		return "put the stable template back"
	case plan.ReleaseWorkload:
		return "remove the canary, restore the workload's fields"
	case plan.NarrowService:
		return fmt.Sprintf("let the Service select the %s pods of the workload only", op.Side)
	case plan.WidenService:
		return "give the Service its own selector back"
	case plan.RemoveCanary:
		return "stop the canary pods"
	case plan.HaltPromotion:
		return "pause the workload"
	}
	return string(op.Kind)
}

// waits says what has to be so before the next operation begins.
func (s *simulation) waits(op plan.Operation) string {
	switch op.Kind {
	case plan.HoldRevision, plan.HaltPromotion:
	case plan.EnsureCanary:
		return "all are ready and in the EndpointSlices"
	case plan.SetRoute, plan.RemoveRoute:
		return "the gateway confirms, at most " + s.doc.Traffic.ConfirmTimeout.String()
	case plan.Drain:
		return op.Wait.String() + " have passed"
	case plan.PromoteStable:
		return "all are new, ready and in the EndpointSlices, and the gateway confirms"
	case plan.RestoreTemplate, plan.ReleaseWorkload:
		return "nothing of the rollout is left"
	case plan.NarrowService, plan.WidenService:
		return "the EndpointSlices follow, and the gateway confirms"
	case plan.RemoveCanary:
		return "they are gone"
	}
	return ""
}

// needs says what has to be true before the operation writes.
func needs(op plan.Operation) string {
	switch {
	case op.Kind == plan.NarrowService && op.Keep:
		return "the same ready endpoints before and after"
	case op.Kind == plan.NarrowService:
		return fmt.Sprintf("%d ready %s pods", op.NeedStable, op.Side)
	case op.Kind != plan.SetRoute:
		return ""
	}
	text := fmt.Sprintf("%d stable", op.NeedStable)
	if op.NeedCanary > 0 {
		text += fmt.Sprintf(" and %d canary", op.NeedCanary)
	}
	return text + " endpoints"
}

// touched names the objects that an operation writes.
func touched(op plan.Operation, ref release.Ref) []string {
	workload := ref.Workload.Kind + "/" + ref.Workload.Name
	canary := []string{"Deployment/" + ref.CanaryDeployment(), "Service/" + ref.CanaryService(), "PodDisruptionBudget/" + ref.CanaryBudget()}
	switch op.Kind {
	case plan.HoldRevision, plan.PromoteStable, plan.RestoreTemplate, plan.HaltPromotion:
		return []string{workload}
	case plan.EnsureCanary, plan.RemoveCanary:
		return canary
	case plan.NarrowService, plan.WidenService:
		return []string{"Service/" + ref.Service}
	case plan.SetRoute, plan.RemoveRoute:
		return []string{"Ingress/" + ref.CanaryIngress()}
	case plan.ReleaseWorkload:
		if ref.Isolation.BySelector() {
			return append(canary, workload, "Service/"+ref.Service)
		}
		return append(canary, workload)
	case plan.Drain:
	}
	return []string{}
}

// objects names everything that a rollout touches.
func objects(ref release.Ref) []Object {
	service := "read only"
	if ref.Isolation.BySelector() {
		service = "its selector narrowed and restored"
	}
	return []Object{
		{Name: ref.Workload.Kind + "/" + ref.Workload.Name, Action: "changed and restored, but for its new template"},
		{Name: "Deployment/" + ref.CanaryDeployment(), Action: "made, removed at the end"},
		{Name: "Service/" + ref.CanaryService(), Action: "made, removed at the end"},
		{Name: "PodDisruptionBudget/" + ref.CanaryBudget(), Action: "made, removed at the end"},
		{Name: "Ingress/" + ref.CanaryIngress(), Action: "made, removed at the end"},
		{Name: "Service/" + ref.Service, Action: service},
		{Name: "Ingress/" + ref.Ingress, Action: "read only"},
	}
}
