package cluster

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Evict tells a pod to stop; its controller makes another one.
func (c *Cluster) Evict(p *corev1.Pod) { c.stop(p) }

// Sicken lets the readiness probe of a pod fail for a time. It goes on to answer.
func (c *Cluster) Sicken(p *corev1.Pod, d time.Duration) {
	c.probe(p, corev1.ConditionFalse)
	time.AfterFunc(d, func() { c.probe(p, corev1.ConditionTrue) })
}

// probe takes over what the readiness probe of a pod says.
func (c *Cluster) probe(p *corev1.Pod, status corev1.ConditionStatus) {
	c.kubelet.Lock()
	defer c.kubelet.Unlock()
	c.mu.Lock()
	now, _ := c.objects[key(p)].(*corev1.Pod)
	c.mu.Unlock()
	if now == nil || now.UID != p.UID || now.DeletionTimestamp != nil {
		return
	}
	next := now.DeepCopy()
	setReady(next, status)
	c.Put(next)
	c.publishLater()
}
