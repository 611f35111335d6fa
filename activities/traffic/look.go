package traffic

import (
	networkingv1 "k8s.io/api/networking/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic/gateway"
)

// Look is one look at the route of a release, from the cache.
type Look struct {
	// Ingress of the canary, nil if the cache has none of this rollout.
	Ingress *networkingv1.Ingress
	// Edited says that somebody else has changed it since it was written.
	Edited bool
	// Route that it says; Readable is false where it says none.
	Route    Route
	Readable bool
	// Missing says that the user's Ingress is gone.
	Missing bool
	// Stale says that the user's Ingress has other rules for the Service than the
	// canary Ingress was made from; Rules names those by a hash.
	Stale bool
	Rules string
	// Shadows are requests for other Services that the canary takes, in words.
	Shadows []string
}

// Looker looks at routes. It reads the cache only, and changes nothing.
type Looker struct {
	// Cluster whose cache is read.
	Cluster *kube.Cluster
	// Gateways say which product reads the routes; nil goes by their class, and
	// looks for no shadows.
	Gateways *gateway.Gateways
}

// LookAtRoute returns what the canary Ingress of a release says now, compared
// with what was written and with the user's Ingress.
func (l Looker) LookAtRoute(ref release.Ref) Look {
	var look Look
	base, err := l.Cluster.Ingresses(ref.Namespace).Get(ref.Ingress)
	look.Missing = err != nil
	canary := canaryOf(l.Cluster, ref)
	if canary == nil {
		return look
	}
	look.Ingress, look.Edited = canary, kube.Edited(canary)
	adapter, err := adapterOf(l.Gateways, ref.Class)
	if err != nil {
		return look
	}
	if route, err := adapter.Decode(canary); err == nil {
		look.Route, look.Readable = route, true
	}
	if look.Missing {
		return look
	}
	// What cannot be rendered any more keeps the rules that it has.
	if wanted, err := adapter.Render(base, ref, Route{}); err == nil {
		look.Stale = !apiequality.Semantic.DeepEqual(wanted.Spec.Rules, canary.Spec.Rules)
		look.Rules = kube.Mark(wanted)
	}
	// It is asked after every change of an object, and most routes have no matches.
	if len(look.Route.Matches) == 0 {
		return look
	}
	if all, err := l.Cluster.Ingresses(metav1.NamespaceAll).List(labels.Everything()); err == nil {
		look.Shadows = shadowed(l.Gateways, ref, base, look.Route.Matches, all)
	}
	return look
}

// canaryOf returns the rollout's canary Ingress, as the cache has it; nil where there
// is none, or it is being deleted.
func canaryOf(cluster *kube.Cluster, ref release.Ref) *networkingv1.Ingress {
	in, err := cluster.Ingresses(ref.Namespace).Get(ref.CanaryIngress())
	if err != nil || in.Labels[release.LabelRollout] != ref.ID || in.DeletionTimestamp != nil {
		return nil
	}
	return in
}
