package kube

import (
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// Topic narrows a wait to the changes of a few objects, so that hundreds of
// rollouts in one namespace do not wake each other.
type Topic struct{ kind, name string }

// AboutWorkload is every change of a Deployment, its ReplicaSets and its pods.
func AboutWorkload(name string) Topic { return Topic{"workload", name} }

// AboutService is every change of a Service and its EndpointSlices.
func AboutService(name string) Topic { return Topic{"service", name} }

// AboutIngress is every change of an Ingress.
func AboutIngress(name string) Topic { return Topic{"ingress", name} }

// hub wakes waits when objects change. A wait that is late misses nothing: it
// looks at the caches, never at the events.
type hub struct {
	mu    sync.Mutex
	waits map[string]map[*listener]struct{} // by namespace
}

// listener is one wait.
type listener struct {
	topics []Topic // all where empty
	wake   func()
}

func newHub() *hub { return &hub{waits: map[string]map[*listener]struct{}{}} }

// Follow calls wake after every change of a namespace that concerns one of the
// topics, or after all where there are none, until forget is called. The caches
// have the change already. Wake must return at once and must not call forget.
func (c *Cluster) Follow(namespace string, topics []Topic, wake func()) (forget func()) {
	return c.hub.listen(namespace, topics, wake)
}

// listen registers a wait until the returned function is called.
func (h *hub) listen(namespace string, topics []Topic, wake func()) func() {
	l := &listener{topics: topics, wake: wake}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waits[namespace] == nil {
		h.waits[namespace] = map[*listener]struct{}{}
	}
	h.waits[namespace][l] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.waits[namespace], l)
		if len(h.waits[namespace]) == 0 {
			delete(h.waits, namespace)
		}
	}
}

// publish wakes the waits that an object concerns.
func (h *hub) publish(obj any) {
	if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = gone.Obj
	}
	m, ok := obj.(metav1.Object)
	if !ok {
		return
	}
	topic := topicOf(m)
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := range h.waits[m.GetNamespace()] {
		if len(l.topics) == 0 || slices.Contains(l.topics, topic) {
			l.wake()
		}
	}
}

func (h *hub) handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    h.publish,
		UpdateFunc: func(_, now any) { h.publish(now) },
		DeleteFunc: h.publish,
	}
}

// topicOf says which topic an object belongs to. A pod leads to its Deployment
// through the name of its ReplicaSet, which is that of the Deployment and a
// hash: a look-up would miss ReplicaSets that are deleted already.
func topicOf(m metav1.Object) Topic {
	switch m.(type) {
	case *appsv1.Deployment:
		return AboutWorkload(m.GetName())
	case *appsv1.ReplicaSet:
		return AboutWorkload(ownerName(m, "Deployment"))
	case *corev1.Pod:
		name := ownerName(m, "ReplicaSet")
		return AboutWorkload(name[:max(0, strings.LastIndexByte(name, '-'))])
	case *policyv1.PodDisruptionBudget:
		// One of ours has the name of the Deployment whose pods it is for.
		return AboutWorkload(m.GetName())
	case *corev1.Service:
		return AboutService(m.GetName())
	case *discoveryv1.EndpointSlice:
		return AboutService(m.GetLabels()[discoveryv1.LabelServiceName])
	case *netv1.Ingress:
		return AboutIngress(m.GetName())
	}
	// What is only read in the preflight wakes those who wait for everything.
	return Topic{}
}

func ownerName(m metav1.Object, kind string) string {
	if owner := metav1.GetControllerOfNoCopy(m); owner != nil && owner.Kind == kind {
		return owner.Name
	}
	return ""
}
