package preflight

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
)

// Marked is a workload that a rollout has marked, whether that one is open or
// lost.
type Marked struct {
	Namespace string           `json:"namespace"`
	Workload  config.ObjectRef `json:"workload"`
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
	budgets, err := clients.PolicyV1().PodDisruptionBudgets(namespace).List(ctx, ours)
	if err != nil {
		return nil, fmt.Errorf("listing canary PodDisruptionBudgets: %w", err)
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
	for i := range budgets.Items {
		m.label(&budgets.Items[i])
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
