package preflight

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
)

// guessNames finds the user's Service and Ingress from the names of the canary's:
// without the record only these say what the rollout was about. What has left
// nothing stays unnamed.
func (l *leavings) guessNames(ctx context.Context) error {
	client, ns, ref := l.cluster.Client(), l.req.Namespace, &l.found.Observed.Ref
	ref.Class = cmp.Or(ref.Class, config.DefaultClass)
	services, err := client.CoreV1().Services(ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return kube.Failure(err, "listing Services in "+ns)
	}
	ingresses, err := client.NetworkingV1().Ingresses(ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return kube.Failure(err, "listing Ingresses in "+ns)
	}
	var names []string
	for _, s := range services.Items {
		names = append(names, s.Name)
	}
	if canary := l.canaryService(); canary != "" {
		ref.Service = l.original("Service", canary, names)
	}
	names = nil
	for i := range ingresses.Items {
		in := &ingresses.Items[i]
		names = append(names, in.Name)
		if ref.Ingress == "" && ref.Service != "" && !isCanary(in) && len(routes(in, ref.Service)) > 0 {
			ref.Ingress = in.Name
		}
	}
	if len(l.ingresses) == 1 {
		ref.Ingress = l.original("Ingress", l.ingresses[0].Name, names)
	}
	return nil
}

// canaryService is the name of the canary Service, or the one that the canary
// Ingress leads to.
func (l *leavings) canaryService() string {
	if len(l.services) == 1 {
		return l.services[0].Name
	}
	for _, in := range l.ingresses {
		for _, rule := range in.Spec.Rules {
			if rule.HTTP != nil && len(rule.HTTP.Paths) > 0 && rule.HTTP.Paths[0].Backend.Service != nil {
				return rule.HTTP.Paths[0].Backend.Service.Name
			}
		}
	}
	return ""
}

// original is the name whose canary has a name: that of an object that is there,
// or what the name was made of.
func (l *leavings) original(kind, canary string, names []string) string {
	if i := slices.IndexFunc(names, func(name string) bool { return release.CanaryName(name) == canary }); i >= 0 {
		return names[i]
	}
	name := strings.TrimSuffix(canary, release.CanaryName(""))
	if release.CanaryName(name) != canary {
		l.refuse(fmt.Sprintf("%s %s/%s", kind, l.req.Namespace, canary), "the "+kind+" that it was made for is gone, and its name cannot be told",
			"remove it by hand, an Ingress before its Service and Deployment, and repair again")
	}
	return name
}
