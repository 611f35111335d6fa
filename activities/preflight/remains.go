package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// RouteReader reads what canary Ingresses say.
type RouteReader interface {
	// DecodeRoute returns the class of gateways that a canary Ingress is for, the
	// weight of its route in percent, and whether the route sends any ordinary
	// request to canary. The error says what cannot be read.
	DecodeRoute(in *netv1.Ingress) (class string, weight int, carries bool, err error)
}

// InspectRemains reads what an earlier rollout has left on a workload: its
// record and the objects with our labels. All reads are live, because what is
// not seen stays. It refuses, with type Refused and all problems as details
// ([]Problem), what cannot be ended without a person; nothing is written.
func (a *Activities) InspectRemains(ctx context.Context, req RemainsRequest) (Remains, error) {
	l := &leavings{cluster: a.Cluster, routes: a.Routes, req: req}
	if !a.Cluster.Watches(req.Namespace) {
		l.refuse("Namespace "+req.Namespace, "the worker does not watch it", "add it to the namespaces of the worker, or repair from a worker that watches it")
		return Remains{}, l.refusal()
	}
	beat := kube.Beat(ctx)
	for _, step := range []func(context.Context) error{l.readOurs, l.readRecord, l.readMarkedServices, l.identify, l.readWorkload, l.readRoute, l.readSelection, l.readCanary} {
		beat("looking for what a rollout has left on " + l.subject())
		err := step(ctx)
		if err == nil {
			err = l.refusal()
		}
		if err != nil {
			return Remains{}, err
		}
	}
	return l.found, nil
}

// leavings is one look at what is left.
type leavings struct {
	cluster *kube.Cluster
	routes  RouteReader
	req     RemainsRequest

	workload *appsv1.Deployment // nil if it is gone
	record   *release.Record    // nil if there is none
	// The canary objects; more than one of a kind is refused.
	deployments []appsv1.Deployment
	services    []corev1.Service
	ingresses   []netv1.Ingress
	// marked is the user's Service with our record, nil if there is none.
	marked *corev1.Service
	// selection is the record on it.
	selection *release.ServiceRecord
	budgets   []policyv1.PodDisruptionBudget

	found    Remains
	problems []Problem
}

func (l *leavings) refuse(object, problem, remedy string) {
	l.problems = append(l.problems, Problem{Object: object, Problem: problem, Remedy: remedy})
}

func (l *leavings) warn(format string, args ...any) {
	l.found.Observed.Warnings = append(l.found.Observed.Warnings, fmt.Sprintf(format, args...))
}

// refusal is the error for the problems; nil if there are none.
func (l *leavings) refusal() error {
	if len(l.problems) == 0 {
		return nil
	}
	lines := make([]string, len(l.problems))
	for i, p := range l.problems {
		lines[i] = p.String()
	}
	message := fmt.Sprintf("repairing %s is refused, nothing was touched: %s", l.subject(), strings.Join(lines, "; "))
	return temporal.NewNonRetryableApplicationError(message, kube.ErrRefused, nil, l.problems)
}

// subject names the workload for people.
func (l *leavings) subject() string {
	return fmt.Sprintf("%s %s/%s", l.req.Workload.Kind, l.req.Namespace, l.req.Workload.Name)
}

// readOurs reads everything that carries our labels for the workload.
func (l *leavings) readOurs(ctx context.Context) error {
	client, ns := l.cluster.Client(), l.req.Namespace
	ours := metav1.ListOptions{LabelSelector: labels.Set{release.LabelWorkload: kube.LabelValue(l.req.Workload.Name)}.String()}
	deployments, err := client.AppsV1().Deployments(ns).List(ctx, ours)
	if err != nil {
		return kube.Failure(err, "listing canary Deployments in "+ns)
	}
	services, err := client.CoreV1().Services(ns).List(ctx, ours)
	if err != nil {
		return kube.Failure(err, "listing canary Services in "+ns)
	}
	ingresses, err := client.NetworkingV1().Ingresses(ns).List(ctx, ours)
	if err != nil {
		return kube.Failure(err, "listing canary Ingresses in "+ns)
	}
	budgets, err := client.PolicyV1().PodDisruptionBudgets(ns).List(ctx, ours)
	if err != nil {
		return kube.Failure(err, "listing canary PodDisruptionBudgets in "+ns)
	}
	l.deployments, l.services, l.ingresses, l.budgets = deployments.Items, services.Items, ingresses.Items, budgets.Items
	return nil
}

// mark is one object with the rollout that it says it belongs to.
type mark struct {
	object string
	meta   metav1.Object
}

// marks are all canary objects.
func (l *leavings) marks() []mark {
	var all []mark
	for i := range l.ingresses {
		all = append(all, mark{"Ingress " + l.ingresses[i].Name, &l.ingresses[i]})
	}
	for i := range l.deployments {
		all = append(all, mark{"Deployment " + l.deployments[i].Name, &l.deployments[i]})
	}
	for i := range l.services {
		all = append(all, mark{"Service " + l.services[i].Name, &l.services[i]})
	}
	for i := range l.budgets {
		all = append(all, mark{"PodDisruptionBudget " + l.budgets[i].Name, &l.budgets[i]})
	}
	return all
}

// identify finds out which rollout it was, and the last number that it wrote. Of
// several it cannot be told whose canary takes which requests.
func (l *leavings) identify(context.Context) error {
	owners := map[string][]string{}
	if l.record == nil && l.selection == nil && len(l.marks()) == 0 {
		return nil
	}
	l.found.Found = true
	ref := &l.found.Observed.Ref
	*ref = release.Ref{WorkflowID: l.req.WorkflowID, Namespace: l.req.Namespace, Workload: l.req.Workload}
	if l.record != nil {
		owners[l.record.ID] = []string{"the record on " + l.subject()}
		ref.ID, ref.Seq = l.record.ID, l.record.Seq
	}
	if l.selection != nil {
		owners[l.selection.ID] = append(owners[l.selection.ID], "the record on Service "+l.marked.Name)
		ref.ID, ref.Seq = l.selection.ID, max(ref.Seq, l.selection.Seq)
	}
	for _, m := range l.marks() {
		ref.ID = m.meta.GetLabels()[release.LabelRollout]
		owners[ref.ID] = append(owners[ref.ID], m.object)
		ref.Seq = max(ref.Seq, kube.SeqOf(m.meta))
	}
	if len(owners) == 1 && len(l.deployments) <= 1 && len(l.services) <= 1 && len(l.ingresses) <= 1 {
		return nil
	}
	lines := make([]string, 0, len(owners))
	for id, objects := range owners {
		lines = append(lines, fmt.Sprintf("of rollout %q: %s", id, strings.Join(objects, ", ")))
	}
	slices.Sort(lines)
	l.refuse(l.subject(), "several rollouts have left something ("+strings.Join(lines, "; ")+")",
		"remove the objects of all but one by hand, each rollout's Ingress first and its Deployment and Service when its requests have finished, and repair again")
	return nil
}
