package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// findService reads the Service and makes sure that it selects the workload.
func (i *inspection) findService() error {
	s, err := i.cluster.Services(i.ref.Namespace).Get(i.ref.Service)
	object := i.object("Service", i.ref.Service)
	switch {
	case apierrors.IsNotFound(err):
		i.refuse(object, "it does not exist", "create it, or correct trafficRoutings[].service")
		return nil
	case err != nil:
		return fmt.Errorf("reading the cache: %w", err)
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		i.refuse(object+" spec.type", "ExternalName has no pods", "name the Service that selects the pods of the workload")
	case len(s.Spec.Selector) == 0:
		i.refuse(object+" spec.selector", "it is empty", "name the Service that selects the pods of the workload")
	case i.deployment != nil && !labels.SelectorFromSet(kube.OwnSelector(s)).Matches(labels.Set(i.deployment.Spec.Template.Labels)):
		i.refuse(object+" spec.selector", fmt.Sprintf("%s does not select the pods of Deployment %s", labels.Set(s.Spec.Selector), i.deployment.Name), "name the Service of this workload, or correct its selector")
	default:
		i.service = s
		return i.checkForeignPods()
	}
	return nil
}

// checkForeignPods tells of pods behind the Service that are not the workload's.
func (i *inspection) checkForeignPods() error {
	if i.stable == nil {
		return nil
	}
	own := map[string]bool{}
	for _, rs := range i.cluster.ReplicaSetsOf(i.deployment) {
		for _, p := range i.cluster.PodsOf(rs) {
			own[p.Name] = true
		}
	}
	var foreign []string
	for _, e := range i.cluster.Endpoints(i.ref.Namespace, i.ref.Service) {
		if !own[e.Pod] {
			foreign = append(foreign, e.Pod)
		}
	}
	slices.Sort(foreign)
	switch {
	case len(foreign) == 0:
	case i.req.Rollout.BySelector():
		i.refuse(i.object("Service", i.ref.Service)+" spec.selector", fmt.Sprintf("it also selects pods of other workloads (%s), which would get no requests while it is narrowed to one revision", strings.Join(foreign, ", ")),
			"write isolation: label, or let the Service select the pods of the workload only")
	default:
		i.warn("%s: it also selects pods of other workloads (%s): they take their part of the stable requests", i.object("Service", i.ref.Service), strings.Join(foreign, ", "))
	}
	return nil
}

// isolate chooses the label that keeps canary pods out of the Service and the
// workload: one that both select by, that no other Service needs in order to
// leave canary pods alone, and rather not the name of the application, by which
// people and dashboards find pods.
func (i *inspection) isolate() error {
	if i.service == nil || i.deployment == nil {
		return nil
	}
	if i.req.Rollout.BySelector() {
		i.isolateBySelector()
		return nil
	}
	best, score := "", -1
	for _, key := range slices.Sorted(maps.Keys(i.service.Spec.Selector)) {
		if n := i.rate(key); n > score {
			best, score = key, n
		}
	}
	i.ref.Isolation = i.isolation(best)
	if _, both := i.deployment.Spec.Selector.MatchLabels[best]; !both {
		i.warn("%s: its selector does not use label %s: what counts pods by that selector counts canary pods too", i.object("Deployment", i.deployment.Name), best)
	}
	return nil
}

// rate says how well a label is suited, the higher the better.
func (i *inspection) rate(key string) int {
	n := 0
	if _, both := i.deployment.Spec.Selector.MatchLabels[key]; both {
		n += 4
	}
	i.ref.Isolation = i.isolation(key)
	if len(i.otherServices()) == 0 {
		n += 2
	}
	if key != "app" && key != "app.kubernetes.io/name" {
		n++
	}
	return n
}

func (i *inspection) isolation(key string) release.Isolation {
	return release.Isolation{Key: key, Value: canaryValue(i.service.Spec.Selector[key])}
}

// canaryValue derives the value of a label on canary pods.
func canaryValue(stable string) string {
	const mark, longest = "canary", 63
	if stable == "" {
		return mark
	}
	cut := stable[:min(len(stable), longest-len(mark)-1)]
	return strings.TrimRight(cut, "-_.") + "-" + mark
}

// checkMetadata refuses labels on canary pods that would undo their isolation.
func (i *inspection) checkMetadata() error {
	if i.service == nil || i.deployment == nil {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(i.req.Rollout.CanaryMetadata.Labels)) {
		_, service := i.service.Spec.Selector[key]
		_, workload := i.deployment.Spec.Selector.MatchLabels[key]
		if service || workload || strings.HasPrefix(key, "sluice.dev/") {
			i.refuse("patchPodTemplateMetadata.labels", fmt.Sprintf("label %s decides which pods belong to whom", key), "take another label for canary pods")
		}
	}
	return nil
}

// checkOtherServices refuses a release whose canary pods somebody else's Service
// would select at once, before any step allows requests to them.
func (i *inspection) checkOtherServices() error {
	remedy := fmt.Sprintf("let it select by label %s too, or remove it", i.ref.Isolation.Key)
	if i.ref.Isolation.BySelector() {
		remedy = "write isolation: label, or remove it"
	}
	for _, name := range i.otherServices() {
		if i.ref.Isolation.BySelector() && i.headless(name) {
			i.warn("%s: it has no address of its own and lists canary pods too, from their start", i.object("Service", name))
			continue
		}
		i.refuse(i.object("Service", name), "it selects canary pods, so that they would get its requests before their step", remedy)
	}
	return nil
}

// otherServices names the Services that select canary pods and are not ours.
func (i *inspection) otherServices() []string {
	set := labels.Set(i.canaryLabels())
	if len(set) == 0 {
		return nil
	}
	// The cache cannot fail to list.
	services, _ := i.cluster.Services(i.ref.Namespace).List(labels.Everything())
	var names []string
	for _, s := range services {
		ours := s.Labels[release.LabelRollout] == i.req.ID
		ours = ours || i.ref.Isolation.BySelector() && s.Name == i.ref.Service
		if !ours && len(s.Spec.Selector) > 0 && labels.SelectorFromSet(s.Spec.Selector).Matches(set) {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names
}
