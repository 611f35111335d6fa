package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	netv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// controllers are those that read a dialect of annotations, by their names in
// IngressClasses.
var controllers = map[string][]string{"nginx": {"k8s.io/ingress-nginx"}, "higress": {"higress.io/higress-controller"}}

// findIngress reads the Ingress and makes sure that it routes to the Service.
func (i *inspection) findIngress() error {
	in, err := i.cluster.Ingresses(i.ref.Namespace).Get(i.ref.Ingress)
	object := i.object("Ingress", i.ref.Ingress)
	switch {
	case apierrors.IsNotFound(err):
		i.refuse(object, "it does not exist", "create it, or correct trafficRoutings[].ingress.name")
		return nil
	case err != nil:
		return fmt.Errorf("reading the cache: %w", err)
	case isCanary(in):
		i.refuse(object, "it is a canary Ingress itself", "name the Ingress of the stable Service")
	case len(routes(in, i.ref.Service)) == 0:
		i.refuse(object+" spec.rules", "no rule has Service "+i.ref.Service+" as its backend", "add one, or correct trafficRoutings[].service")
	default:
		i.ingress = in
	}
	return nil
}

// checkClass refuses an Ingress whose gateway does not read the annotations that
// the document names.
func (i *inspection) checkClass() error {
	if i.ingress == nil {
		return nil
	}
	object, class := i.object("Ingress", i.ingress.Name), kube.ClassOf(i.ingress)
	field := object + " annotation " + kube.AnnotationClass
	if i.ingress.Annotations[kube.AnnotationClass] == "" {
		field = object + " spec.ingressClassName"
	}
	switch {
	case class == "":
		i.warn("%s: it names no class: the default class of the cluster must be one that reads %s annotations", object, i.ref.Class)
	case class != i.ref.Class:
		i.class, i.classField = class, field
	}
	return nil
}

// resolveClass asks whose class it is that is not called like its dialect. That
// is rare, and the only thing for which IngressClasses would be watched.
func (a *Activities) resolveClass(ctx context.Context, i *inspection) error {
	if i.class == "" {
		return nil
	}
	class, err := a.Cluster.Client().NetworkingV1().IngressClasses().Get(ctx, i.class, metav1.GetOptions{})
	if err == nil && slices.Contains(controllers[i.ref.Class], class.Spec.Controller) {
		return nil
	}
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		return kube.Failure(err, "reading IngressClass "+i.class)
	}
	i.refuse(i.classField, fmt.Sprintf("class %s is not known to read %s annotations", i.class, i.ref.Class), "set ingress.classType to the dialect of its gateway, or correct the class of the Ingress")
	return nil
}

// checkOtherCanaries refuses a second canary for the same requests: a gateway
// takes one of them and says nothing. It attaches a canary to the Service that it
// belongs to, so that one of another Ingress to the Service counts, too.
func (i *inspection) checkOtherCanaries() error {
	if i.ingress == nil {
		return nil
	}
	taken := map[string]bool{}
	// The cache cannot fail to list.
	all, _ := i.cluster.Ingresses(i.ref.Namespace).List(labels.Everything())
	for _, in := range all {
		if isCanary(in) || kube.ClassOf(in) != kube.ClassOf(i.ingress) {
			continue
		}
		for _, key := range routes(in, i.ref.Service) {
			taken[key] = true
		}
	}
	for _, in := range all {
		if !isCanary(in) || in.Name == i.ref.CanaryIngress() || in.Labels[release.LabelRollout] == i.req.ID {
			continue
		}
		for _, key := range routes(in, "") {
			if taken[key] {
				i.refuse(i.object("Ingress", in.Name), "it is another canary for "+key, "remove it, or end the rollout that it belongs to")
				break
			}
		}
	}
	return nil
}

// isCanary says whether an Ingress is a canary of another one in any dialect of
// the annotations.
func isCanary(in *netv1.Ingress) bool {
	for key, value := range in.Annotations {
		if strings.HasSuffix(key, "/canary") && value == "true" {
			return true
		}
	}
	return false
}

// routes names the host and path of each rule to a Service; to any where it is
// empty.
func routes(in *netv1.Ingress, service string) []string {
	var keys []string
	for _, rule := range in.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for _, path := range rule.HTTP.Paths {
			if path.Backend.Service != nil && (service == "" || path.Backend.Service.Name == service) {
				keys = append(keys, rule.Host+path.Path)
			}
		}
	}
	return keys
}
