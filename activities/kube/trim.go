package kube

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/release"
)

// trim drops from an object what nobody here reads before it is cached: the
// memory of a worker is mostly the pods of its clusters. Objects from the cache
// must therefore never be sent back; EditDeployment and Ensure take care.
func trim(obj any) (any, error) {
	m, ok := obj.(metav1.Object)
	if !ok {
		return obj, nil
	}
	trimMeta(m)
	switch o := obj.(type) {
	case *corev1.Pod:
		trimPod(o)
	case *appsv1.ReplicaSet:
		trimReplicaSet(o)
	case *discoveryv1.EndpointSlice:
		trimSlice(o)
	case *appsv1.Deployment:
		o.Status.CollisionCount = nil
	}
	return obj, nil
}

// trimMeta keeps who wrote an object and when, without the list of fields. The
// last applied configuration is emptied, not deleted: patches are computed from
// cached objects and have to know that the map of annotations exists.
func trimMeta(m metav1.Object) {
	if _, pod := m.(*corev1.Pod); pod {
		m.SetManagedFields(nil)
		m.SetAnnotations(nil)
		return
	}
	entries := m.GetManagedFields()
	for i := range entries {
		entries[i].FieldsV1 = nil
	}
	if a := m.GetAnnotations(); a[corev1.LastAppliedConfigAnnotation] != "" {
		a[corev1.LastAppliedConfigAnnotation] = ""
	}
}

// trimReplicaSet drops the templates of retired revisions, of which every
// Deployment keeps ten, and those of canaries, which nobody returns to.
func trimReplicaSet(rs *appsv1.ReplicaSet) {
	rs.ManagedFields = nil
	active := rs.Status.Replicas > 0 || rs.Spec.Replicas == nil || *rs.Spec.Replicas > 0
	if _, ours := rs.Labels[release.LabelRollout]; ours || !active {
		rs.Spec.Template = corev1.PodTemplateSpec{}
	}
}

func trimSlice(s *discoveryv1.EndpointSlice) {
	s.ManagedFields = nil
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		e.NodeName, e.Zone, e.Hints, e.Hostname, e.DeprecatedTopology = nil, nil, nil, nil, nil
	}
}

func trimPod(p *corev1.Pod) {
	p.Spec = corev1.PodSpec{NodeName: p.Spec.NodeName, ReadinessGates: p.Spec.ReadinessGates}
	p.Status = corev1.PodStatus{
		Phase:                 p.Status.Phase,
		Reason:                p.Status.Reason,
		Message:               p.Status.Message,
		PodIP:                 p.Status.PodIP,
		Conditions:            p.Status.Conditions,
		InitContainerStatuses: trimStatuses(p.Status.InitContainerStatuses),
		ContainerStatuses:     trimStatuses(p.Status.ContainerStatuses),
	}
}

// trimStatuses keeps what tells people why a container does not run.
func trimStatuses(in []corev1.ContainerStatus) []corev1.ContainerStatus {
	for i := range in {
		in[i] = corev1.ContainerStatus{
			Name:                 in[i].Name,
			Ready:                in[i].Ready,
			Started:              in[i].Started,
			RestartCount:         in[i].RestartCount,
			State:                in[i].State,
			LastTerminationState: in[i].LastTerminationState,
		}
	}
	return in
}
