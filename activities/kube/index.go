package kube

import (
	"cmp"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"sluice.dev/sluice/activities/release"
)

// The indexes of the caches.
const (
	// byOwner finds objects by the UID of their controller.
	byOwner = "owner"
	// byRollout finds pods by namespace/rollout.
	byRollout = "rollout"
	// byService finds EndpointSlices by namespace/service.
	byService = "service"
)

func ownerKeys(obj any) ([]string, error) {
	m, ok := obj.(metav1.Object)
	if !ok {
		return nil, nil
	}
	if owner := metav1.GetControllerOfNoCopy(m); owner != nil {
		return []string{string(owner.UID)}, nil
	}
	return nil, nil
}

func serviceKeys(obj any) ([]string, error) {
	m, ok := obj.(metav1.Object)
	if !ok {
		return nil, nil
	}
	if name := m.GetLabels()[discoveryv1.LabelServiceName]; name != "" {
		return []string{m.GetNamespace() + "/" + name}, nil
	}
	return nil, nil
}

func rolloutKeys(obj any) ([]string, error) {
	m, ok := obj.(metav1.Object)
	if !ok {
		return nil, nil
	}
	if id := m.GetLabels()[release.LabelRollout]; id != "" {
		return []string{m.GetNamespace() + "/" + id}, nil
	}
	return nil, nil
}

// ReplicaSetsOf returns the ReplicaSets that a Deployment controls, newest
// first. Their templates are kept only while they have replicas: see
// LiveReplicaSet.
func (c *Cluster) ReplicaSetsOf(d *appsv1.Deployment) []*appsv1.ReplicaSet {
	v := c.view(d.Namespace)
	if v == nil {
		return nil
	}
	sets := indexed[*appsv1.ReplicaSet](v.indexer(replicaSets), byOwner, string(d.UID))
	slices.SortFunc(sets, func(a, b *appsv1.ReplicaSet) int {
		if n := b.CreationTimestamp.Compare(a.CreationTimestamp.Time); n != 0 {
			return n
		}
		return compare(a.Name, b.Name)
	})
	return sets
}

// PodsOf returns the pods that a ReplicaSet controls, by name.
func (c *Cluster) PodsOf(rs *appsv1.ReplicaSet) []*corev1.Pod {
	v := c.view(rs.Namespace)
	if v == nil {
		return nil
	}
	found := indexed[*corev1.Pod](v.indexer(pods), byOwner, string(rs.UID))
	slices.SortFunc(found, func(a, b *corev1.Pod) int { return compare(a.Name, b.Name) })
	return found
}

// PodsOfRollout returns the canary pods of a rollout, by name, whatever controls
// them and even if nothing does any more.
func (c *Cluster) PodsOfRollout(namespace, id string) []*corev1.Pod {
	v := c.view(namespace)
	if v == nil {
		return nil
	}
	found := indexed[*corev1.Pod](v.indexer(pods), byRollout, namespace+"/"+id)
	slices.SortFunc(found, func(a, b *corev1.Pod) int { return compare(a.Name, b.Name) })
	return found
}

// SlicesOf returns the EndpointSlices of a Service, by name.
func (c *Cluster) SlicesOf(namespace, service string) []*discoveryv1.EndpointSlice {
	v := c.view(namespace)
	if v == nil {
		return nil
	}
	found := indexed[*discoveryv1.EndpointSlice](v.indexer(endpointSlices), byService, namespace+"/"+service)
	slices.SortFunc(found, func(a, b *discoveryv1.EndpointSlice) int { return compare(a.Name, b.Name) })
	return found
}

// indexed reads an index. An index that does not exist is a bug of addIndexers
// that every test meets, so that the error can only be nil here.
func indexed[T any](indexer cache.Indexer, index, key string) []T {
	objects, _ := indexer.ByIndex(index, key)
	found := make([]T, 0, len(objects))
	for _, o := range objects {
		if t, ok := o.(T); ok {
			found = append(found, t)
		}
	}
	return found
}

func compare(a, b string) int { return cmp.Compare(a, b) }
