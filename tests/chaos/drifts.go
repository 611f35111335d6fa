package chaos

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/activities/release"
)

// meddle is what somebody does to an object of the rollout, if it is there.
func (s *sim) meddle() {
	name := release.CanaryName(s.doc.Workload.Name)
	switch s.run.Fault {
	case Unroute:
		for _, k := range s.cluster.Ingresses() {
			if k.Name == name {
				s.watcher.Meddled()
				s.cluster.Delete(k)
			}
		}
	case Reweigh:
		for _, k := range s.cluster.Ingresses() {
			if k.Name == name {
				s.watcher.Meddled()
				k.Annotations = maps.Clone(k.Annotations)
				k.Annotations["nginx.ingress.kubernetes.io/canary-weight"] = "7"
				s.cluster.Put(k)
			}
		}
	case Grow:
		for _, d := range s.cluster.Deployments() {
			if d.Name == name {
				s.watcher.Meddled()
				d.Spec.Replicas = new(*d.Spec.Replicas + 1)
				s.cluster.Put(d)
			}
		}
	case Widen:
		for _, o := range s.cluster.Services() {
			if o.Name == s.doc.Traffic.Service {
				s.watcher.Meddled()
				delete(o.Spec.Selector, "pod-template-hash")
				s.cluster.Put(o)
			}
		}
	default:
	}
}

// editOddly edits the Service of canary and the budget of its pods.
func (s *sim) editOddly() {
	name := release.CanaryName(s.doc.Workload.Name)
	for _, o := range s.cluster.Services() {
		if o.Name == name {
			o.Spec.Ports = append(o.Spec.Ports, corev1.ServicePort{Name: "odd", Port: 99})
			s.cluster.Put(o)
		}
	}
	for _, b := range s.cluster.Budgets() {
		b.Spec.MaxUnavailable = new(intstr.FromInt32(3))
		s.cluster.Put(b)
	}
}
