package cluster

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const hashLabel = appsv1.DefaultDeploymentUniqueLabelKey

// deploy does what the Deployment controller does in one look: a paused
// Deployment is only scaled, any other replaces its pods by the bounds of its
// strategy.
func (c *Cluster) deploy(d *appsv1.Deployment) {
	sets := c.setsOf(d)
	current := currentOf(d, sets)
	if current == nil && !d.Spec.Paused {
		c.Put(newSet(d))
		return
	}
	if d.Spec.Paused {
		for _, rs := range sets {
			if *rs.Spec.Replicas > 0 {
				c.resize(rs, *d.Spec.Replicas)
				return
			}
		}
		return
	}
	c.roll(d, current, sets)
	c.forget(d, current)
}

// roll moves replicas from the old ReplicaSets to the current one.
func (c *Cluster) roll(d *appsv1.Deployment, current *appsv1.ReplicaSet, sets []*appsv1.ReplicaSet) {
	want := *d.Spec.Replicas
	surge, unavailable := bounds(d)
	var total, available int32
	for _, rs := range sets {
		total += *rs.Spec.Replicas
		available += rs.Status.AvailableReplicas
	}
	switch {
	case *current.Spec.Replicas > want:
		c.resize(current, want)
		return
	case *current.Spec.Replicas < want && total < want+surge:
		c.resize(current, min(want, *current.Spec.Replicas+want+surge-total))
		return
	}
	fresh := *current.Spec.Replicas - current.Status.AvailableReplicas
	spare := min(total-(want-unavailable)-fresh, available-(want-unavailable))
	for _, rs := range sets {
		if rs.Name == current.Name || *rs.Spec.Replicas == 0 || spare <= 0 {
			continue
		}
		less := min(spare, *rs.Spec.Replicas)
		c.resize(rs, *rs.Spec.Replicas-less)
		spare -= less
	}
}

// forget deletes empty old ReplicaSets of a Deployment that keeps none.
func (c *Cluster) forget(d *appsv1.Deployment, current *appsv1.ReplicaSet) {
	if d.Spec.RevisionHistoryLimit == nil || *d.Spec.RevisionHistoryLimit > 0 {
		return
	}
	for _, rs := range c.setsOf(d) {
		if rs.Name != current.Name && *rs.Spec.Replicas == 0 && rs.Status.Replicas == 0 {
			c.Delete(rs)
		}
	}
}

func (c *Cluster) resize(rs *appsv1.ReplicaSet, n int32) {
	if *rs.Spec.Replicas == n {
		return
	}
	next := rs.DeepCopy()
	next.Spec.Replicas = &n
	c.Put(next)
}

// report writes the status, unless somebody has written meanwhile.
func (c *Cluster) report(ctx context.Context, d *appsv1.Deployment) {
	status := appsv1.DeploymentStatus{ObservedGeneration: d.Generation}
	sets := c.setsOf(d)
	for _, rs := range sets {
		status.Replicas += rs.Status.Replicas
		status.ReadyReplicas += rs.Status.ReadyReplicas
		status.AvailableReplicas += rs.Status.AvailableReplicas
	}
	if current := currentOf(d, sets); current != nil {
		status.UpdatedReplicas = current.Status.Replicas
	}
	status.UnavailableReplicas = max(0, *d.Spec.Replicas-status.AvailableReplicas)
	if reflect.DeepEqual(d.Status, status) {
		return
	}
	d.Status = status
	if _, err := c.AppsV1().Deployments(d.Namespace).UpdateStatus(ctx, d, metav1.UpdateOptions{}); err != nil {
		c.stir()
	}
}

func (c *Cluster) setsOf(d *appsv1.Deployment) []*appsv1.ReplicaSet {
	var found []*appsv1.ReplicaSet
	for _, rs := range list[*appsv1.ReplicaSet](c) {
		if metav1.IsControlledBy(rs, d) {
			found = append(found, rs)
		}
	}
	return found
}

// currentOf returns the ReplicaSet that has the template of the Deployment.
func currentOf(d *appsv1.Deployment, sets []*appsv1.ReplicaSet) *appsv1.ReplicaSet {
	for _, rs := range sets {
		template := rs.Spec.Template.DeepCopy()
		delete(template.Labels, hashLabel)
		if apiequality.Semantic.DeepEqual(*template, d.Spec.Template) {
			return rs
		}
	}
	return nil
}

func newSet(d *appsv1.Deployment) *appsv1.ReplicaSet {
	hash := hashOf(d.Spec.Template)
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: d.Name + "-" + hash, Namespace: d.Namespace, Labels: maps.Clone(d.Spec.Template.Labels),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: new(int32), Selector: d.Spec.Selector.DeepCopy(), Template: *d.Spec.Template.DeepCopy()},
	}
	rs.Labels[hashLabel], rs.Spec.Template.Labels[hashLabel], rs.Spec.Selector.MatchLabels[hashLabel] = hash, hash, hash
	return rs
}

func hashOf(t corev1.PodTemplateSpec) string {
	h := fnv.New32a()
	fmt.Fprint(h, t.Labels, t.Annotations, t.Spec.String())
	return fmt.Sprintf("%08x", h.Sum32())
}

// bounds of a rolling update: surge is rounded up, unavailable down.
func bounds(d *appsv1.Deployment) (surge, unavailable int32) {
	rolling := d.Spec.Strategy.RollingUpdate
	if rolling == nil {
		return 1, 0
	}
	of := func(v *intstr.IntOrString, up bool) int32 {
		n, err := intstr.GetScaledValueFromIntOrPercent(v, int(*d.Spec.Replicas), up)
		if v == nil || err != nil {
			return 0
		}
		return int32(n)
	}
	surge, unavailable = of(rolling.MaxSurge, true), of(rolling.MaxUnavailable, false)
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, unavailable
}
