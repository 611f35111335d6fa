package preflight

import (
	"fmt"
	"slices"

	netv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
)

// checkNames refuses objects that have the names of ours and are not.
func (i *inspection) checkNames() error {
	deployment, err := i.cluster.Deployments(i.ref.Namespace).Get(i.ref.CanaryDeployment())
	i.checkName("Deployment", deployment, err)
	service, err := i.cluster.Services(i.ref.Namespace).Get(i.ref.CanaryService())
	i.checkName("Service", service, err)
	ingress, err := i.cluster.Ingresses(i.ref.Namespace).Get(i.ref.CanaryIngress())
	i.checkName("Ingress", ingress, err)
	budget, err := i.cluster.Budgets(i.ref.Namespace).Get(i.ref.CanaryBudget())
	i.checkName("PodDisruptionBudget", budget, err)
	return nil
}

func (i *inspection) checkName(kind string, obj metav1.Object, err error) {
	if apierrors.IsNotFound(err) || err != nil {
		return
	}
	id, marked := obj.GetLabels()[release.LabelRollout]
	object := i.object(kind, obj.GetName())
	switch {
	case id == i.req.ID:
	case marked:
		i.refuse(object, "it belongs to rollout "+id, "end that rollout (sluice abort), or, if its workflow is gone, run sluice repair")
	default:
		i.refuse(object, "it exists, and the release needs its name for the canary", "rename or remove it")
	}
}

// checkPolicies refuses a release whose canary pods would live under other
// network rules than the stable ones.
func (i *inspection) checkPolicies() error {
	canary := labels.Set(i.canaryLabels())
	if len(canary) == 0 {
		return nil
	}
	stable := labels.Set(i.deployment.Spec.Template.Labels)
	// The cache cannot fail to list.
	policies, _ := i.cluster.NetworkPolicies(i.ref.Namespace).List(labels.Everything())
	for _, p := range policies {
		field := ""
		switch {
		case differ(&p.Spec.PodSelector, stable, canary):
			field = "spec.podSelector"
		case peersDiffer(p, stable, canary):
			field = "the podSelector of a peer"
		default:
			continue
		}
		i.refusePolicy(p, field, stable)
	}
	return nil
}

// refusePolicy says how canary pods can live under a policy.
func (i *inspection) refusePolicy(p *netv1.NetworkPolicy, field string, stable labels.Set) {
	object, by := i.object("NetworkPolicy", p.Name), i.ref.Isolation
	if by.BySelector() {
		i.refuse(object, field+" selects stable pods, but not canary pods, which have the same labels and those of patchPodTemplateMetadata and sluice.dev/",
			"let it select both")
		return
	}
	i.refuse(object, fmt.Sprintf("%s selects stable pods, but not canary pods, whose label %s is %s", field, by.Key, by.Value),
		fmt.Sprintf("write isolation: selector (spec.strategy.canary.isolation; in a Kruise document the annotation %s), with which canary pods keep the labels of the workload; "+
			"or let it select both, for example by matchExpressions {key: %s, operator: In, values: [%s, %s]}", config.AnnotationIsolation, by.Key, stable[by.Key], by.Value))
}

// differ says whether a selector selects stable pods but not canary pods. One
// that cannot be read would not have been stored.
func differ(s *metav1.LabelSelector, stable, canary labels.Set) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(stable) && !selector.Matches(canary)
}

// peersDiffer looks at those whom the rules of a policy allow, in its namespace.
func peersDiffer(p *netv1.NetworkPolicy, stable, canary labels.Set) bool {
	var peers []netv1.NetworkPolicyPeer
	for _, rule := range p.Spec.Ingress {
		peers = append(peers, rule.From...)
	}
	for _, rule := range p.Spec.Egress {
		peers = append(peers, rule.To...)
	}
	for _, peer := range peers {
		if peer.PodSelector != nil && peer.NamespaceSelector == nil && differ(peer.PodSelector, stable, canary) {
			return true
		}
	}
	return false
}

// checkScalers tells of an autoscaler: it goes on to scale the stable side up.
func (i *inspection) checkScalers() error {
	if i.deployment == nil {
		return nil
	}
	for _, h := range i.cluster.AutoscalersOf(i.ref.Namespace, i.deployment.Name) {
		i.scaled = true
		about := "it scales the stable pods only; the canary follows when the number of replicas changes"
		if i.ref.Isolation.BySelector() {
			about = "it takes the average over canary pods too, because they have the labels of the workload: it may scale the stable pods too high during the release (isolation: label keeps them out)"
		}
		i.warn("%s: %s; it may not scale down until the end of the release (spec.behavior.scaleDown.selectPolicy)", i.object("HorizontalPodAutoscaler", h.Name), about)
	}
	return nil
}

// autoscalers names those that will be kept from scaling the workload down.
func (i *inspection) autoscalers() []string {
	var names []string
	for _, h := range i.cluster.AutoscalersOf(i.ref.Namespace, i.deployment.Name) {
		if workload.Freezes(h) {
			names = append(names, h.Name)
		}
	}
	slices.Sort(names)
	return names
}

// budget names that of the user which covers canary pods.
func (i *inspection) budget() string {
	return workload.Budget(i.cluster, i.ref, i.canaryLabels())
}
