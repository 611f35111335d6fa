package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/release"
)

// Snapshot is everything in a namespace that a rollout may touch, without what
// every write changes, as JSON. The objects are there by kind and name, such as
// "Service demo". What controllers make of them is there by whose it is: "Templates
// of demo" are those of its ReplicaSets that have pods, with how many; "ReplicaSets
// of demo" are the names of all, and "Pods of demo" the pods that are to stay;
// "EndpointSlices of demo" is what they publish for the Service.
type Snapshot map[string]string

// Snapshot reads the namespace. The reads are not one: what controllers are about
// to change may be there half.
func (b *Bed) Snapshot(ctx context.Context, namespace string) (Snapshot, error) {
	s := Snapshot{}
	for _, read := range []func(context.Context, string, Snapshot) error{
		b.snapWorkloads, b.snapRoutes, b.snapGuards, b.snapDerived,
	} {
		if err := read(ctx, namespace, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Objects is the snapshot without what controllers make of them.
func (s Snapshot) Objects() Snapshot {
	objects := Snapshot{}
	for key, text := range s {
		if !strings.Contains(key, derived) {
			objects[key] = text
		}
	}
	return objects
}

// Without is the snapshot without some kinds of what controllers make.
func (s Snapshot) Without(kinds ...string) Snapshot {
	rest := Snapshot{}
	for key, text := range s {
		kind, _, is := strings.Cut(key, derived)
		if !is || !slices.Contains(kinds, kind) {
			rest[key] = text
		}
	}
	return rest
}

// derived is in the keys of what controllers make: the names of objects have no
// spaces.
const derived = " of "

func (b *Bed) snapWorkloads(ctx context.Context, namespace string, s Snapshot) error {
	deployments, err := b.Kube.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing Deployments: %w", err)
	}
	for _, d := range deployments.Items {
		s.add("Deployment", d.ObjectMeta, d.Spec)
	}
	return nil
}

func (b *Bed) snapRoutes(ctx context.Context, namespace string, s Snapshot) error {
	services, err := b.Kube.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing Services: %w", err)
	}
	for _, v := range services.Items {
		s.add("Service", v.ObjectMeta, v.Spec)
	}
	ingresses, err := b.Kube.NetworkingV1().Ingresses(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing Ingresses: %w", err)
	}
	for _, v := range ingresses.Items {
		s.add("Ingress", v.ObjectMeta, v.Spec)
	}
	return nil
}

func (b *Bed) snapGuards(ctx context.Context, namespace string, s Snapshot) error {
	budgets, err := b.Kube.PolicyV1().PodDisruptionBudgets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing PodDisruptionBudgets: %w", err)
	}
	for _, v := range budgets.Items {
		s.add("PodDisruptionBudget", v.ObjectMeta, v.Spec)
	}
	scalers, err := b.Kube.AutoscalingV2().HorizontalPodAutoscalers(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing HorizontalPodAutoscalers: %w", err)
	}
	for _, v := range scalers.Items {
		s.add("HorizontalPodAutoscaler", v.ObjectMeta, v.Spec)
	}
	return nil
}

// revisionAnnotation is counted up by the Deployment controller.
const revisionAnnotation = "deployment.kubernetes.io/revision"

func (s Snapshot) add(kind string, meta metav1.ObjectMeta, spec any) {
	delete(meta.Annotations, revisionAnnotation)
	var ours []string
	for _, entry := range meta.ManagedFields {
		if entry.Manager == release.FieldManager {
			ours = append(ours, entry.Manager+" "+entry.Subresource)
		}
	}
	s[kind+" "+meta.Name] = text(map[string]any{
		"labels": meta.Labels, "annotations": meta.Annotations, "finalizers": meta.Finalizers,
		"owners": meta.OwnerReferences, "managedByUs": ours, "spec": spec,
	})
}

// text is JSON of data that came from JSON; it cannot fail to become JSON.
func text(value any) string {
	encoded, _ := json.MarshalIndent(value, "", "  ")
	return string(encoded)
}

func (b *Bed) snapDerived(ctx context.Context, namespace string, s Snapshot) error {
	sets, err := b.Kube.AppsV1().ReplicaSets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing ReplicaSets: %w", err)
	}
	pods, err := b.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing pods: %w", err)
	}
	published, err := b.Kube.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing EndpointSlices: %w", err)
	}
	stay := staying(pods.Items)
	s.addReplicaSets(sets.Items)
	s.addPods(stay, sets.Items)
	return s.addEndpoints(published.Items, stay)
}

// addAll keeps lists by whose they are.
func (s Snapshot) addAll(kind string, lists map[string][]string) {
	for owner, list := range lists {
		slices.Sort(list)
		s[kind+derived+owner] = strings.Join(list, "\n")
	}
}

// Published says that n pods run under the Deployment of a name, and that a
// Service of the same name publishes them, all of them ready.
func (s Snapshot) Published(name string, n int) bool {
	var p publication
	if err := json.Unmarshal([]byte(s[endpointSlices+derived+name]), &p); err != nil {
		return false
	}
	pods := strings.Split(s[Pods+derived+name], "\n")
	return len(pods) == n && len(p.Endpoints) == 1 && p.Endpoints[conditions(discoveryv1.EndpointConditions{})] == n && len(p.Wrong) == 0
}
