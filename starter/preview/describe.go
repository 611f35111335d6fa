package preview

import (
	"fmt"

	"sluice.dev/sluice/activities/preflight"
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
func touched(op plan.Operation, o preflight.Observed) []string {
	workload := append([]string{o.Ref.Workload.Kind + "/" + o.Ref.Workload.Name}, scalers(o)...)
	canary := []string{"Deployment/" + o.Ref.CanaryDeployment(), "Service/" + o.Ref.CanaryService()}
	if o.Budget == "" {
		canary = append(canary, "PodDisruptionBudget/"+o.Ref.CanaryBudget())
	}
	switch op.Kind {
	case plan.HoldRevision:
		return workload
	case plan.PromoteStable, plan.RestoreTemplate, plan.HaltPromotion:
		return workload[:1]
	case plan.EnsureCanary, plan.RemoveCanary:
		return canary
	case plan.NarrowService, plan.WidenService:
		return []string{"Service/" + o.Ref.Service}
	case plan.SetRoute, plan.RemoveRoute:
		return []string{"Ingress/" + o.Ref.CanaryIngress()}
	case plan.ReleaseWorkload:
		all := append(canary, workload...)
		if o.Ref.Isolation.BySelector() {
			all = append(all, "Service/"+o.Ref.Service)
		}
		return all
	case plan.Drain:
	}
	return []string{}
}

// scalers names the autoscalers that are kept from scaling down.
func scalers(o preflight.Observed) []string {
	var names []string
	for _, name := range o.Autoscalers {
		names = append(names, "HorizontalPodAutoscaler/"+name)
	}
	return names
}

// objects names everything that a rollout touches.
func objects(o preflight.Observed) []Object {
	const made = "made, removed at the end"
	service := "read only"
	if o.Ref.Isolation.BySelector() {
		service = "its selector narrowed and restored"
	}
	all := []Object{{Name: o.Ref.Workload.Kind + "/" + o.Ref.Workload.Name, Action: "changed and restored, but for its new template"}}
	for _, name := range scalers(o) {
		all = append(all, Object{Name: name, Action: "may not scale down until the end, restored"})
	}
	budget := Object{Name: "PodDisruptionBudget/" + o.Ref.CanaryBudget(), Action: made}
	if o.Budget != "" {
		budget = Object{Name: "PodDisruptionBudget/" + o.Budget, Action: "read only: it covers canary pods, too"}
	}
	return append(all,
		Object{Name: "Deployment/" + o.Ref.CanaryDeployment(), Action: made},
		Object{Name: "Service/" + o.Ref.CanaryService(), Action: made},
		budget,
		Object{Name: "Ingress/" + o.Ref.CanaryIngress(), Action: made},
		Object{Name: "Service/" + o.Ref.Service, Action: service},
		Object{Name: "Ingress/" + o.Ref.Ingress, Action: "read only"},
	)
}
