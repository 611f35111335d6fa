package preview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// Marked is a workload that a rollout has marked, whether that one is open or
// lost.
type Marked struct {
	Namespace string
	Workload  config.ObjectRef
}

// FindMarked finds the workloads of a namespace, of all where it is empty, that
// carry the record of a rollout, whose Service does, or for which there are canary
// objects.
func FindMarked(ctx context.Context, clients kubernetes.Interface, namespace string) ([]Marked, error) {
	deployments, err := clients.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing Deployments: %w", err)
	}
	ours := metav1.ListOptions{LabelSelector: release.LabelWorkload}
	services, err := clients.CoreV1().Services(namespace).List(ctx, ours)
	if err != nil {
		return nil, fmt.Errorf("listing canary Services: %w", err)
	}
	ingresses, err := clients.NetworkingV1().Ingresses(namespace).List(ctx, ours)
	if err != nil {
		return nil, fmt.Errorf("listing canary Ingresses: %w", err)
	}
	selected, err := clients.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{LabelSelector: release.LabelSelected})
	if err != nil {
		return nil, fmt.Errorf("listing narrowed Services: %w", err)
	}
	m := marks{names: map[[2]string]string{}, found: map[Marked]bool{}}
	for i := range deployments.Items {
		m.names[[2]string{deployments.Items[i].Namespace, kube.LabelValue(deployments.Items[i].Name)}] = deployments.Items[i].Name
	}
	for i := range deployments.Items {
		d := &deployments.Items[i]
		if _, ok := d.Annotations[release.AnnotationRelease]; ok {
			m.add(d.Namespace, d.Name)
		}
		m.label(d)
	}
	for i := range services.Items {
		m.label(&services.Items[i])
	}
	for i := range ingresses.Items {
		m.label(&ingresses.Items[i])
	}
	for i := range selected.Items {
		s := &selected.Items[i]
		// One that cannot be read is reported where the workload is looked at.
		if record, err := kube.ServiceRecordOf(s); err == nil && record != nil {
			m.add(s.Namespace, record.Workload)
		}
	}
	return m.sorted(), nil
}

// marks collects workloads. Labels that are too long for a name have another
// value; names has the names of Deployments by it.
type marks struct {
	names map[[2]string]string
	found map[Marked]bool
}

func (m marks) add(namespace, name string) {
	m.found[Marked{Namespace: namespace, Workload: config.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: name}}] = true
}

// label adds the workload that an object of ours serves.
func (m marks) label(o metav1.Object) {
	if value := o.GetLabels()[release.LabelWorkload]; value != "" {
		m.add(o.GetNamespace(), cmp.Or(m.names[[2]string{o.GetNamespace(), value}], value))
	}
}

func (m marks) sorted() []Marked {
	list := make([]Marked, 0, len(m.found))
	for one := range m.found {
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b Marked) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Workload.Name, b.Workload.Name))
	})
	return list
}

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
	known.Isolation = found.Observed.Ref.Isolation.Mode
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
