package traffic

import (
	"fmt"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/traffic/gateway"
)

// annotationAffinity makes ingress-nginx, and what reads its annotations, send a
// client to the pod that answered it before.
const annotationAffinity = nginxPrefix + "affinity"

// ways refuses a Service that gets requests by a way on which the canary route
// says nothing: while its pods are replaced, those requests would go on to them.
func (c Checker) ways(f *Finding, in Check) {
	adapter, err := adapterOf(c.Gateways, in.Ref.Class)
	kind := c.Gateways.Kind(in.Ref.Class)
	if err != nil || kind == gateway.KindNone {
		return // render has said so, or there is no gateway
	}
	can := adapter.Capabilities()
	for _, ingress := range in.All {
		if ingress.Namespace != in.Ref.Namespace || kube.ClassOf(ingress) != kube.ClassOf(in.Ingress) || ingress.Annotations[nginxCanary] == "true" {
			continue
		}
		object := fmt.Sprintf("Ingress %s/%s", ingress.Namespace, ingress.Name)
		routed := len(canaryRules(ingress, in.Ref)) > 0
		if by := ingress.Annotations[annotationAffinity]; by != "" && routed && can.StickyAtZero && kind != gateway.KindTraefik {
			f.object(object+" annotation "+annotationAffinity,
				fmt.Sprintf("with affinity %q a client stays on the side that answered it first, whatever the weight is: it would go on to pods that are about to stop", by),
				"remove the annotation before a release, or let a gateway whose weights come before its cookies (Traefik) serve the class")
		}
		if routed && ingress.Name != in.Ingress.Name && can.OwnPathsOnly {
			f.object(object, fmt.Sprintf("it routes to Service %s too, and with this class a canary takes requests of its own Ingress only", in.Ref.Service),
				"move its rules into Ingress "+in.Ingress.Name)
		}
		if backend := ingress.Spec.DefaultBackend; backend != nil && backend.Service != nil && backend.Service.Name == in.Ref.Service && kind != gateway.KindNginx {
			f.object(object+" spec.defaultBackend", fmt.Sprintf("it leads to Service %s, and no canary takes requests of a default backend", in.Ref.Service),
				"write it as a rule with path / and pathType Prefix")
		}
	}
}
