package kube

import (
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Endpoint is one pod as the EndpointSlices of a Service publish it.
type Endpoint struct {
	// Pod by name; empty for an endpoint that is no pod.
	Pod string
	// Ready to take new requests: ready, and not on its way out.
	Ready bool
	// Terminating says that it is on its way out. It may still serve.
	Terminating bool
}

// Endpoints returns the published endpoints of a Service by the UID of their
// pods: the union of its EndpointSlices of all address families. A pod that one
// slice publishes as ready is ready. Endpoints that are no pods have no UID and
// are left out.
func (c *Cluster) Endpoints(namespace, service string) map[types.UID]Endpoint {
	found := map[types.UID]Endpoint{}
	for _, slice := range c.SlicesOf(namespace, service) {
		for i := range slice.Endpoints {
			uid, e := endpointOf(&slice.Endpoints[i])
			if uid == "" {
				continue
			}
			if known, ok := found[uid]; !ok || !known.Ready {
				found[uid] = e
			}
		}
	}
	return found
}

// endpointOf reads one endpoint. An unknown readiness counts as ready, as the
// API says.
func endpointOf(e *discoveryv1.Endpoint) (types.UID, Endpoint) {
	if e.TargetRef == nil || e.TargetRef.Kind != "Pod" {
		return "", Endpoint{}
	}
	terminating := e.Conditions.Terminating != nil && *e.Conditions.Terminating
	ready := (e.Conditions.Ready == nil || *e.Conditions.Ready) && !terminating
	return e.TargetRef.UID, Endpoint{Pod: e.TargetRef.Name, Ready: ready, Terminating: terminating}
}
