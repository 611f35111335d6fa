package preview

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// InspectRemains reads what rollouts have left on a workload, as the repair does.
func InspectRemains(ctx context.Context, clients kubernetes.Interface, request preflight.RemainsRequest) (preflight.Remains, error) {
	cluster := kube.New(kube.Options{Client: clients, Namespaces: []string{request.Namespace}, Logger: slog.New(slog.DiscardHandler)})
	found, err := (&preflight.Activities{Cluster: cluster, Routes: traffic.Reader{}}).InspectRemains(ctx, request)
	return found, plain(err)
}

// Repair is what a repair would do.
type Repair struct {
	Cluster   string            `json:"cluster"`
	Namespace string            `json:"namespace"`
	Workload  config.ObjectRef  `json:"workload"`
	Remains   preflight.Remains `json:"remains"`
	// Left says in words what is left.
	Left string `json:"left"`
	// Completes says that the new revision becomes stable; otherwise the old one
	// is returned to.
	Completes bool `json:"completes"`
	// Operations in order.
	Operations []Operation `json:"operations"`
}

// MakeRepair simulates the repair of what was found. It fails where nothing was.
func MakeRepair(cluster string, doc *config.Rollout, found preflight.Remains) (Repair, error) {
	r := Repair{
		Cluster: cluster, Namespace: doc.Namespace, Workload: doc.Workload,
		Remains: found, Left: found.String(), Completes: plan.Completes(found),
	}
	if !found.Found {
		return r, errors.New("no rollout has left anything on the workload")
	}
	known := *doc
	known.Isolation, known.Traffic.Grace = found.Observed.Ref.Isolation.Mode, plan.GraceOf(doc, found)
	doc = &known
	s := &simulation{doc: doc, observed: found.Observed, world: plan.WorldOf(found)}
	operations, err := s.run(func() []plan.Operation { return plan.Repair(doc, s.world, r.Completes) })
	if err != nil {
		return r, fmt.Errorf("planning the repair: %w", err)
	}
	for i := range operations {
		operations[i].What, operations[i].Waits = repairing(operations[i])
	}
	r.Operations = operations
	return r, nil
}

// repairing says what an operation does to what was left, and what it waits for.
func repairing(op Operation) (what, waits string) {
	switch {
	case op.Kind == plan.EnsureCanary:
		return fmt.Sprintf("pods of canary to %d", op.Replicas), op.Waits
	case op.Kind == plan.SetRoute && op.Route.Weight == 0:
		return "let stable take every request", op.Waits
	case op.Kind == plan.SetRoute:
		return "let canary take every request", op.Waits
	case op.Kind == plan.PromoteStable:
		return "let the workload finish replacing its pods", op.Waits
	case op.Kind == plan.RestoreTemplate && op.Settle:
		return op.What, "all stable, ready and in the EndpointSlices; the gateway confirms"
	case op.Kind == plan.RestoreTemplate:
		return op.What, "no pod runs another template"
	}
	return op.What, op.Waits
}
