package harness

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// The kinds of what controllers make, in a Snapshot.
const (
	// Templates of ReplicaSets that have pods, ReplicaSets that there are, and Pods
	// that are to stay, of a Deployment.
	Templates   = "Templates"
	ReplicaSets = "ReplicaSets"
	Pods        = "Pods"
	// endpointSlices of a Service.
	endpointSlices = "EndpointSlices"
)

// ownerOf names the controller of an object; itself where there is none.
func ownerOf(meta metav1.Object) string {
	if owner := metav1.GetControllerOf(meta); owner != nil {
		return owner.Name
	}
	return meta.GetName()
}

func (s Snapshot) addReplicaSets(sets []appsv1.ReplicaSet) {
	names, running := map[string][]string{}, map[string][]string{}
	for _, set := range sets {
		owner := ownerOf(&set)
		names[owner] = append(names[owner], set.Name)
		if *set.Spec.Replicas == 0 && set.Status.Replicas == 0 {
			continue
		}
		delete(set.Spec.Template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
		running[owner] = append(running[owner], text(map[string]any{
			"template": set.Spec.Template, "replicas": set.Spec.Replicas, "pods": set.Status.Replicas, "ready": set.Status.ReadyReplicas,
		}))
	}
	s.addAll(ReplicaSets, names)
	s.addAll(Templates, running)
}

// staying are the pods that nobody has told to stop.
func staying(pods []corev1.Pod) []corev1.Pod {
	return slices.DeleteFunc(pods, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
}

func (s Snapshot) addPods(pods []corev1.Pod, sets []appsv1.ReplicaSet) {
	owners := map[string]string{}
	for _, set := range sets {
		owners[set.Name] = ownerOf(&set)
	}
	lists := map[string][]string{}
	for _, p := range pods {
		owner, known := owners[ownerOf(&p)]
		if !known {
			owner = ownerOf(&p)
		}
		lists[owner] = append(lists[owner], p.Name+" "+string(p.UID))
	}
	s.addAll(Pods, lists)
}

// publication is what the EndpointSlices of one Service say, however many they
// are.
type publication struct {
	// Kinds are the different labels and ports.
	Kinds []json.RawMessage `json:"kinds"`
	// Endpoints are how many there are, by their conditions.
	Endpoints map[string]int `json:"endpoints"`
	// Wrong are addresses that are told ready and are those of no ready pod with the
	// label that the Service selects, or the other way round.
	Wrong []string `json:"wrong,omitempty"`
}

func (s Snapshot) addEndpoints(all []discoveryv1.EndpointSlice, pods []corev1.Pod) error {
	byService := map[string][]discoveryv1.EndpointSlice{}
	for _, slice := range all {
		service := slice.Labels[discoveryv1.LabelServiceName]
		byService[service] = append(byService[service], slice)
	}
	for service, own := range byService {
		selector, err := s.selectorOf(service)
		if err != nil {
			return err
		}
		s[endpointSlices+derived+service] = text(publicationOf(own, selector, pods))
	}
	return nil
}

// selectorOf is what a Service of the snapshot selects; nothing where it is gone.
func (s Snapshot) selectorOf(service string) (labels.Selector, error) {
	object, is := s["Service "+service]
	if !is {
		return labels.Nothing(), nil
	}
	var read struct{ Spec corev1.ServiceSpec }
	if err := json.Unmarshal([]byte(object), &read); err != nil {
		return nil, fmt.Errorf("reading Service %s of a snapshot: %w", service, err)
	}
	if len(read.Spec.Selector) == 0 {
		return labels.Nothing(), nil
	}
	return labels.SelectorFromSet(read.Spec.Selector), nil
}

func publicationOf(all []discoveryv1.EndpointSlice, selector labels.Selector, pods []corev1.Pod) publication {
	p := publication{Endpoints: map[string]int{}}
	kinds, odd := map[string]bool{}, map[string]bool{}
	for _, slice := range all {
		kinds[text(map[string]any{"labels": slice.Labels, "addresses": slice.AddressType, "ports": slice.Ports})] = true
		for _, e := range slice.Endpoints {
			p.Endpoints[conditions(e.Conditions)]++
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				odd[e.Addresses[0]] = true
			}
		}
	}
	for _, pod := range pods {
		if selector.Matches(labels.Set(pod.Labels)) && readyPod(pod) {
			if odd[pod.Status.PodIP] {
				delete(odd, pod.Status.PodIP)
				continue
			}
			odd[pod.Status.PodIP] = true
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		p.Kinds = append(p.Kinds, json.RawMessage(kind))
	}
	p.Wrong = slices.Sorted(maps.Keys(odd))
	return p
}

// conditions of an endpoint in words; those that are not there have defaults.
func conditions(c discoveryv1.EndpointConditions) string {
	is := func(value *bool, otherwise bool) bool {
		if value == nil {
			return otherwise
		}
		return *value
	}
	ready := is(c.Ready, true)
	return fmt.Sprintf("ready %v, serving %v, terminating %v", ready, is(c.Serving, ready), is(c.Terminating, false))
}

func readyPod(p corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
