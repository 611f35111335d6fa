package watcher

import (
	"encoding/json"
	"maps"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/tests/chaos/gateway"
)

// hashKey is the one key that a rollout which isolates by selector may add to
// the selector of the user's Service, selected the label that counts such writes.
const (
	hashKey  = appsv1.DefaultDeploymentUniqueLabelKey
	selected = own + "selected"
)

// ofCanary says whether the canary Deployment made a pod. Its labels do not tell:
// where the Service is narrowed they are those of the workload's pods.
func (w *Watcher) ofCanary(pod string) bool {
	return strings.HasPrefix(pod, w.Document.Workload.Name+"-canary-")
}

// unselected is a Service without what the rollout may write to it: nothing,
// unless it isolates by selector and the Service is that of the document. The
// key has to be that of the record on the Service, by which a repair would know
// whose it is.
func (w *Watcher) unselected(s *corev1.Service) *corev1.Service {
	if !w.Document.BySelector() || s.Name != w.Document.Traffic.Service {
		return s
	}
	s = s.DeepCopy()
	delete(s.Labels, selected)
	if len(s.Labels) == 0 {
		s.Labels = nil
	}
	var record struct{ Hash string }
	_ = json.Unmarshal([]byte(s.Annotations[own+"release"]), &record) // without a record every key is a stranger's
	if s.Spec.Selector[hashKey] == record.Hash {
		delete(s.Spec.Selector, hashKey)
	}
	return s
}

// narrowed is I6: when the user's Service is narrowed, none but canary's pods
// leave it, and some stay.
func (w *Watcher) narrowed(s *corev1.Service) {
	before := w.objects.service
	w.objects.service = s
	hash, narrow := s.Spec.Selector[hashKey]
	if before == nil || !narrow || maps.Equal(before.Spec.Selector, s.Spec.Selector) {
		return
	}
	was, now := labels.SelectorFromSet(before.Spec.Selector), labels.SelectorFromSet(s.Spec.Selector)
	stay := 0
	for _, p := range w.Cluster.Pods() {
		switch {
		case p.Namespace != s.Namespace || p.DeletionTimestamp != nil || !podReady(p):
		case now.Matches(labels.Set(p.Labels)):
			stay++
		case was.Matches(labels.Set(p.Labels)) && !w.ofCanary(p.Name):
			w.breaks("I6", "pod %s, which is none of canary, leaves Service %s when it is narrowed to %s", p.Name, s.Name, hash)
		}
	}
	if stay == 0 {
		w.breaks("I6", "Service %s is narrowed to %s, which no ready pod has", s.Name, hash)
	}
}

// mixed is I17 for the pods behind stable: none of canary's gets requests that
// are meant for stable, whatever labels it has.
func (w *Watcher) mixed(name string, e gateway.Exposure) {
	for _, ip := range e.OpenToStable {
		if pod := w.Cluster.NameOf(ip); w.ofCanary(pod) {
			w.breaks("I17", "%s sends requests for stable to %s", name, pod)
		}
	}
}

func podReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
