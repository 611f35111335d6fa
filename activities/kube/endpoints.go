package kube

import (
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Endpoint is one pod as the EndpointSlices of a Service publish it.
type Endpoint struct {
	// Pod by name; empty for an endpoint that is no pod.
	Pod string
	// Ready to take new requests in every address family of the Service: ready, and
	// not on its way out.
	Ready bool
	// Terminating says that it is on its way out. It may still serve.
	Terminating bool
}

// Endpoints returns the published endpoints of a Service by the UID of their
// pods: the union of its EndpointSlices. A pod that one slice publishes as ready
// is ready for the clients of its address family; it counts as ready where it is
// so in every family that the Service has.
func (c *Cluster) Endpoints(namespace, service string) map[types.UID]Endpoint {
	families := map[discoveryv1.AddressType]map[types.UID]Endpoint{}
	for _, slice := range c.SlicesOf(namespace, service) {
		found := families[slice.AddressType]
		if found == nil {
			found = map[types.UID]Endpoint{}
			families[slice.AddressType] = found
		}
		for i := range slice.Endpoints {
			uid, e := endpointOf(&slice.Endpoints[i])
			if known, ok := found[uid]; uid != "" && (!ok || !known.Ready) {
				found[uid] = e
			}
		}
	}
	all := map[types.UID]Endpoint{}
	for _, found := range families {
		for uid, e := range found {
			for _, other := range families {
				e.Ready = e.Ready && other[uid].Ready
			}
			all[uid] = e
		}
	}
	return all
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
