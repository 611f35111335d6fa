package preflight

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/activities/workload"
)

// objectsNeeded are the objects that a release creates at its peak, by the names
// that quotas have for them. The third ReplicaSet is that of a revised canary.
var objectsNeeded = map[corev1.ResourceName]int64{
	"services":                          1,
	"count/services":                    1,
	"count/ingresses.networking.k8s.io": 1,
	"count/poddisruptionbudgets.policy": 1,
	"count/deployments.apps":            1,
	"count/replicasets.apps":            3,
}

// checkQuotas refuses a release whose peak does not fit into a quota.
func (i *inspection) checkQuotas() error {
	if i.deployment == nil || i.record != nil {
		return nil
	}
	// The cache cannot fail to list.
	quotas, _ := i.cluster.ResourceQuotas(i.ref.Namespace).List(labels.Everything())
	for _, q := range quotas {
		i.checkQuota(q)
	}
	return nil
}

func (i *inspection) checkQuota(q *corev1.ResourceQuota) {
	pods := workload.PeakPods(i.replicas, i.baseline)
	need := i.needed(int64(pods), quotaApplies(q, &i.template.Spec), len(q.Spec.Scopes) == 0 && q.Spec.ScopeSelector == nil)
	names := make([]string, 0, len(need))
	for name := range need {
		names = append(names, string(name))
	}
	slices.Sort(names)
	for _, name := range names {
		hard, limited := q.Status.Hard[corev1.ResourceName(name)]
		if !limited {
			continue
		}
		free := hard.DeepCopy()
		free.Sub(q.Status.Used[corev1.ResourceName(name)])
		if want := need[corev1.ResourceName(name)]; free.Cmp(want) < 0 {
			i.refuse(fmt.Sprintf("%s %s", i.object("ResourceQuota", q.Name), name),
				fmt.Sprintf("%s more are needed at the peak of the release (%d pods beside the %d of the workload), %s are free", want.String(), pods, i.replicas, free.String()),
				"raise the quota, or scale the workload down for the release")
		}
	}
}

// needed is what the peak takes from a quota: of pods if it counts such pods, of
// objects if it counts objects.
func (i *inspection) needed(pods int64, countsPods, countsObjects bool) map[corev1.ResourceName]resource.Quantity {
	need := map[corev1.ResourceName]resource.Quantity{}
	if countsObjects {
		for name, n := range objectsNeeded {
			need[name] = *resource.NewQuantity(n, resource.DecimalSI)
		}
	}
	if !countsPods {
		return need
	}
	need["pods"] = *resource.NewQuantity(pods, resource.DecimalSI)
	need["count/pods"] = need["pods"]
	requests := podResources(&i.template.Spec, func(c *corev1.Container) corev1.ResourceList { return c.Resources.Requests })
	limits := podResources(&i.template.Spec, func(c *corev1.Container) corev1.ResourceList { return c.Resources.Limits })
	for name, q := range requests {
		q.Mul(pods)
		need["requests."+name] = q
		need[name] = q
	}
	for name, q := range limits {
		q.Mul(pods)
		need["limits."+name] = q
	}
	return need
}

// podResources is what one pod takes: its containers together, or its largest
// init container where that is more; sidecars count beside both.
func podResources(spec *corev1.PodSpec, of func(*corev1.Container) corev1.ResourceList) corev1.ResourceList {
	sum, largest := corev1.ResourceList{}, corev1.ResourceList{}
	for n := range spec.Containers {
		add(sum, of(&spec.Containers[n]))
	}
	sidecars := corev1.ResourceList{}
	for n := range spec.InitContainers {
		c := &spec.InitContainers[n]
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(sum, of(c))
			add(sidecars, of(c))
			continue
		}
		start := sidecars.DeepCopy()
		add(start, of(c))
		raise(largest, start)
	}
	raise(sum, largest)
	add(sum, spec.Overhead)
	return sum
}

func add(into, from corev1.ResourceList) {
	for name, q := range from {
		total := into[name]
		total.Add(q)
		into[name] = total
	}
}

func raise(into, to corev1.ResourceList) {
	for name, q := range to {
		if have := into[name]; have.Cmp(q) < 0 {
			into[name] = q
		}
	}
}

// quotaApplies says whether a quota counts pods of a template.
func quotaApplies(q *corev1.ResourceQuota, spec *corev1.PodSpec) bool {
	for _, scope := range q.Spec.Scopes {
		if !inScope(corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists}, spec) {
			return false
		}
	}
	if q.Spec.ScopeSelector == nil {
		return true
	}
	for _, r := range q.Spec.ScopeSelector.MatchExpressions {
		if !inScope(r, spec) {
			return false
		}
	}
	return true
}

// inScope says whether pods of a template are in one scope. Scopes that depend
// on more than the template count: a refusal too many names its remedy, one too
// few leaves pods pending.
func inScope(r corev1.ScopedResourceSelectorRequirement, spec *corev1.PodSpec) bool {
	switch r.ScopeName {
	case corev1.ResourceQuotaScopeTerminating:
		return spec.ActiveDeadlineSeconds != nil
	case corev1.ResourceQuotaScopeNotTerminating:
		return spec.ActiveDeadlineSeconds == nil
	case corev1.ResourceQuotaScopeBestEffort:
		return bestEffort(spec)
	case corev1.ResourceQuotaScopeNotBestEffort:
		return !bestEffort(spec)
	case corev1.ResourceQuotaScopePriorityClass:
		return hasPriority(r, spec.PriorityClassName)
	}
	return true
}

func hasPriority(r corev1.ScopedResourceSelectorRequirement, class string) bool {
	switch r.Operator {
	case corev1.ScopeSelectorOpIn:
		return slices.Contains(r.Values, class)
	case corev1.ScopeSelectorOpNotIn:
		return !slices.Contains(r.Values, class)
	case corev1.ScopeSelectorOpDoesNotExist:
		return class == ""
	}
	return class != ""
}

func bestEffort(spec *corev1.PodSpec) bool {
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		if len(c.Resources.Requests)+len(c.Resources.Limits) > 0 {
			return false
		}
	}
	return true
}
