package traffic

import (
	"fmt"
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// nginx is the adapter of everything that reads the canary annotations of
// ingress-nginx: ingress-nginx itself and the provider of that name in Traefik.
// Where these differ it accepts only what both understand alike.
type nginx struct{}

// Capabilities is the row of ingress-nginx in the matrix, with the worse of both
// implementations in every column.
func (nginx) Capabilities() Capabilities {
	return Capabilities{Headers: 1, Cookies: 1, WeightWithMatches: true, StablePods: 1, StickyAtZero: true}
}

// Render builds the canary Ingress from the paths of base that lead to the
// user's Service. Nothing else of base is copied but the class: labels and
// annotations belong to the tools that put them there, which would claim, prune
// or duplicate the copy; TLS is served by base.
func (n nginx) Render(base *networkingv1.Ingress, ref release.Ref, route Route) (*networkingv1.Ingress, error) {
	if base.Annotations[nginxCanary] == "true" {
		return nil, unsupported("Ingress "+base.Namespace+"/"+base.Name,
			"is a canary Ingress itself: name the Ingress that it belongs to")
	}
	if base.Annotations[nginxPassthrough] == "true" {
		return nil, unsupported("Ingress "+base.Namespace+"/"+base.Name,
			"passes TLS through unread, so that no request can be told from another: remove annotation "+nginxPassthrough)
	}
	rules := canaryRules(base, ref)
	if len(rules) == 0 {
		return nil, noRule(base, ref)
	}
	canary := &networkingv1.Ingress{
		TypeMeta:   metav1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "Ingress"},
		ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.CanaryIngress()},
		Spec:       networkingv1.IngressSpec{Rules: rules},
	}
	// The API server refuses to create an Ingress that names its class twice.
	if base.Spec.IngressClassName != nil {
		name := *base.Spec.IngressClassName
		canary.Spec.IngressClassName = &name
	} else if class, ok := base.Annotations[kube.AnnotationClass]; ok {
		canary.Annotations = map[string]string{kube.AnnotationClass: class}
	}
	return n.Reroute(canary, ref, route)
}

// Reroute replaces every annotation that carries a part of a route, so that a
// rule of an earlier step cannot stay behind.
func (nginx) Reroute(live *networkingv1.Ingress, ref release.Ref, route Route) (*networkingv1.Ingress, error) {
	wanted, err := routeAnnotations(route)
	if err != nil {
		return nil, err
	}
	out := live.DeepCopy()
	if out.Annotations == nil {
		out.Annotations = map[string]string{}
	}
	for _, key := range routeKeys {
		delete(out.Annotations, key)
	}
	for key, value := range wanted {
		out.Annotations[key] = value
	}
	out.Annotations[release.AnnotationSeq] = strconv.FormatInt(ref.Seq, 10)
	if out.Labels == nil {
		out.Labels = map[string]string{}
	}
	for key, value := range ownLabels(ref) {
		out.Labels[key] = value
	}
	return out, nil
}

// ownLabels mark an object as one of the release's.
func ownLabels(ref release.Ref) map[string]string {
	return map[string]string{
		release.LabelRollout:  ref.ID,
		release.LabelWorkload: kube.LabelValue(ref.Workload.Name),
	}
}

// canaryRules returns the rules of base with only those paths that lead to the
// user's Service, with the canary Service in its place. Host, path and path type
// stay letter by letter: that is what gateways match a canary by.
func canaryRules(base *networkingv1.Ingress, ref release.Ref) []networkingv1.IngressRule {
	var rules []networkingv1.IngressRule
	for _, rule := range base.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		var paths []networkingv1.HTTPIngressPath
		for _, path := range rule.HTTP.Paths {
			if path.Backend.Service == nil || path.Backend.Service.Name != ref.Service {
				continue
			}
			own := *path.DeepCopy()
			own.Backend.Service.Name = ref.CanaryService()
			paths = append(paths, own)
		}
		if len(paths) > 0 {
			rules = append(rules, networkingv1.IngressRule{
				Host:             rule.Host,
				IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: paths}},
			})
		}
	}
	return rules
}

// noRule explains why base has nothing that a canary can take a share of.
func noRule(base *networkingv1.Ingress, ref release.Ref) error {
	field := fmt.Sprintf("Ingress %s/%s", base.Namespace, base.Name)
	if backend := base.Spec.DefaultBackend; backend != nil && backend.Service != nil && backend.Service.Name == ref.Service {
		return unsupported(field, fmt.Sprintf("routes to Service %s only by its defaultBackend, which no canary can take a share of: "+
			"add a rule with path / and pathType Prefix for it", ref.Service))
	}
	return unsupported(field, fmt.Sprintf("has no rule for Service %s: name the Ingress that routes to it, or add a rule", ref.Service))
}

// unsupported is an error of this class of gateways.
func unsupported(field, reason string) error {
	return &UnsupportedError{Class: ClassNginx, Field: field, Reason: reason}
}
