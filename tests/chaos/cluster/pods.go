package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// scale creates and stops pods until a ReplicaSet has as many as it wants.
func (c *Cluster) scale(rs *appsv1.ReplicaSet) {
	pods := c.podsOf(rs)
	want := int(*rs.Spec.Replicas)
	for range want - len(pods) {
		c.create(rs)
	}
	if len(pods) > want {
		// The ones that serve least are stopped first, of the others the youngest.
		slices.SortStableFunc(pods, func(a, b *corev1.Pod) int {
			if ready(a) != ready(b) {
				if ready(b) {
					return -1
				}
				return 1
			}
			return strings.Compare(b.Name, a.Name)
		})
		for _, p := range pods[:len(pods)-want] {
			c.stop(p)
		}
	}
	var total, up int32
	for _, p := range c.podsOf(rs) {
		total++
		if ready(p) {
			up++
		}
	}
	if s := rs.Status; s.Replicas != total || s.ReadyReplicas != up {
		rs.Status.Replicas, rs.Status.ReadyReplicas, rs.Status.AvailableReplicas = total, up, up
		c.Put(rs)
	}
}

// podsOf returns the pods of a ReplicaSet that were not told to stop.
func (c *Cluster) podsOf(rs *appsv1.ReplicaSet) []*corev1.Pod {
	return slices.DeleteFunc(list[*corev1.Pod](c), func(p *corev1.Pod) bool {
		return !metav1.IsControlledBy(p, rs) || p.DeletionTimestamp != nil
	})
}

// create starts a pod, which becomes ready in its time.
func (c *Cluster) create(rs *appsv1.ReplicaSet) {
	c.ips++
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s-%04d", rs.Name, c.ips), Namespace: rs.Namespace, UID: types.UID(fmt.Sprintf("pod-%d", c.ips)),
			Labels:          maps.Clone(rs.Spec.Template.Labels),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))},
		},
		Spec:   *rs.Spec.Template.Spec.DeepCopy(),
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: fmt.Sprintf("10.1.%d.%d", c.ips/250, 1+c.ips%250)},
	}
	setReady(p, corev1.ConditionFalse)
	l := &life{name: p.Name, created: time.Now(), image: p.Spec.Containers[0].Image}
	c.mu.Lock()
	c.pods[p.UID], c.byIP[p.Status.PodIP] = l, l
	c.mu.Unlock()
	c.Put(p)
	time.AfterFunc(c.delays.PodReady, func() { c.becomeReady(p) })
}

func (c *Cluster) becomeReady(p *corev1.Pod) {
	c.kubelet.Lock()
	defer c.kubelet.Unlock()
	c.mu.Lock()
	now, _ := c.objects[key(p)].(*corev1.Pod)
	l := c.pods[p.UID]
	if now == nil || now.UID != p.UID || !l.stopped.IsZero() {
		c.mu.Unlock()
		return
	}
	l.ready = time.Now()
	c.mu.Unlock()
	next := now.DeepCopy()
	setReady(next, corev1.ConditionTrue)
	c.Put(next)
	c.publishLater()
}

// stop tells a pod to end; its object goes some time after that.
func (c *Cluster) stop(p *corev1.Pod) {
	if p.DeletionTimestamp != nil {
		return
	}
	c.kubelet.Lock()
	defer c.kubelet.Unlock()
	for _, tell := range c.orders {
		tell(p)
	}
	c.mu.Lock()
	latest, _ := c.objects[key(p)].(*corev1.Pod)
	if l := c.pods[p.UID]; l != nil && l.stopped.IsZero() {
		l.stopped = time.Now()
	}
	c.mu.Unlock()
	if latest == nil || latest.DeletionTimestamp != nil {
		return
	}
	next := latest.DeepCopy()
	next.DeletionTimestamp = new(metav1.Now())
	c.Put(next)
	c.publishLater()
	time.AfterFunc(max(c.delays.PodGone, c.delays.PodAnswers), func() {
		c.Delete(next)
		c.publishLater()
	})
}

// Answers reports whether the pod with an address takes a request now.
func (c *Cluster) Answers(ip string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.byIP[ip]
	return l != nil && l.answers(time.Now(), c.delays)
}

// ImageOf returns the image of the pod with an address.
func (c *Cluster) ImageOf(ip string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.byIP[ip]; l != nil {
		return l.image
	}
	return ""
}

// NameOf returns the name of the pod with an address.
func (c *Cluster) NameOf(ip string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.byIP[ip]; l != nil {
		return l.name
	}
	return ""
}

func (l *life) answers(now time.Time, d Delays) bool {
	if l.ready.IsZero() || now.Before(l.ready) {
		return false
	}
	return l.stopped.IsZero() || now.Before(l.stopped.Add(d.PodAnswers))
}

func setReady(p *corev1.Pod, status corev1.ConditionStatus) {
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
	p.Status.ContainerStatuses = nil
	for _, container := range p.Spec.Containers {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: container.Name, Ready: status == corev1.ConditionTrue})
	}
}

func ready(p *corev1.Pod) bool {
	for _, condition := range p.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

func selects(selector map[string]string, p *corev1.Pod) bool {
	return len(selector) > 0 && labels.SelectorFromSet(selector).Matches(labels.Set(p.Labels))
}

func sortByName[T runtime.Object](objects []T) {
	slices.SortFunc(objects, func(a, b T) int { return strings.Compare(key(a), key(b)) })
}
