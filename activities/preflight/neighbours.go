package preflight

import (
	"fmt"

	netv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/activities/release"
)

// checkNames refuses objects that have the names of ours and are not.
func (i *inspection) checkNames() error {
	deployment, err := i.cluster.Deployments(i.ref.Namespace).Get(i.ref.CanaryDeployment())
	i.checkName("Deployment", deployment, err)
	service, err := i.cluster.Services(i.ref.Namespace).Get(i.ref.CanaryService())
	i.checkName("Service", service, err)
	ingress, err := i.cluster.Ingresses(i.ref.Namespace).Get(i.ref.CanaryIngress())
	i.checkName("Ingress", ingress, err)
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
		i.refuse(i.object("NetworkPolicy", p.Name), fmt.Sprintf("%s selects stable pods, but not canary pods, whose label %s is %s", field, i.ref.Isolation.Key, i.ref.Isolation.Value),
			fmt.Sprintf("let it select both, for example by matchExpressions {key: %s, operator: In, values: [%s, %s]}", i.ref.Isolation.Key, stable[i.ref.Isolation.Key], i.ref.Isolation.Value))
	}
	return nil
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

// checkScalers tells of an autoscaler: it goes on to scale the stable side.
func (i *inspection) checkScalers() error {
	if i.deployment == nil {
		return nil
	}
	// The cache cannot fail to list.
	scalers, _ := i.cluster.HorizontalPodAutoscalers(i.ref.Namespace).List(labels.Everything())
	for _, h := range scalers {
		target := h.Spec.ScaleTargetRef
		if target.Kind == "Deployment" && target.Name == i.deployment.Name {
			i.warn("%s: it scales the stable pods only; the canary follows when the number of replicas changes", i.object("HorizontalPodAutoscaler", h.Name))
		}
	}
	return nil
}
