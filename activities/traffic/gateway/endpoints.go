package gateway

import (
	"fmt"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
)

// View is what is read from the cluster, from a cache.
type View interface {
	// Services of a namespace.
	Services(namespace string) corelisters.ServiceNamespaceLister
	// SlicesOf returns the EndpointSlices of a Service.
	SlicesOf(namespace, service string) []*discoveryv1.EndpointSlice
}

// servers is a set of addresses, host:port.
type servers map[string]struct{}

// missing returns how many of want are not in s.
func (s servers) missing(want servers) int {
	n := 0
	for address := range want {
		if _, ok := s[address]; !ok {
			n++
		}
	}
	return n
}

// published returns the ready endpoints of a Service behind the port that an
// Ingress names, as its EndpointSlices publish them.
func published(view View, namespace, service string, port networkingv1.ServiceBackendPort) (servers, error) {
	found, err := view.Services(namespace).Get(service)
	if err != nil {
		return nil, fmt.Errorf("reading Service %s/%s: %w", namespace, service, err)
	}
	name, ok := portName(found, port)
	if !ok {
		return nil, fmt.Errorf("reading Service %s/%s: it has no port %s", namespace, service, portText(port))
	}
	out := servers{}
	for _, slice := range view.SlicesOf(namespace, service) {
		number, ok := slicePort(slice, name)
		if !ok {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			if !ready(endpoint) {
				continue
			}
			for _, address := range endpoint.Addresses {
				out[net.JoinHostPort(address, strconv.Itoa(int(number)))] = struct{}{}
			}
		}
	}
	return out, nil
}

// ReadyEndpoints counts the endpoints of a Service that are published as ready:
// pods that are terminating are not.
func ReadyEndpoints(slices []*discoveryv1.EndpointSlice) int {
	seen := map[string]struct{}{}
	for _, slice := range slices {
		for _, endpoint := range slice.Endpoints {
			if ready(endpoint) {
				seen[identity(endpoint)] = struct{}{}
			}
		}
	}
	return len(seen)
}

// ready reports whether an endpoint takes new requests.
func ready(endpoint discoveryv1.Endpoint) bool {
	c := endpoint.Conditions
	return len(endpoint.Addresses) > 0 && (c.Ready == nil || *c.Ready) && (c.Terminating == nil || !*c.Terminating)
}

// serving reports whether an endpoint may still answer requests, although it may
// be terminating.
func serving(endpoint discoveryv1.Endpoint) bool {
	c := endpoint.Conditions
	if len(endpoint.Addresses) == 0 {
		return false
	}
	if c.Serving != nil {
		return *c.Serving
	}
	return c.Ready == nil || *c.Ready
}

// identity tells pods apart, also where a pod has addresses of both families in
// slices of their own.
func identity(endpoint discoveryv1.Endpoint) string {
	if ref := endpoint.TargetRef; ref != nil {
		return ref.Kind + "/" + ref.Namespace + "/" + ref.Name + "/" + string(ref.UID)
	}
	return endpoint.Addresses[0]
}

// portName returns the name of the port of a Service that an Ingress names by
// name or number; slices know ports by name only.
func portName(service *corev1.Service, port networkingv1.ServiceBackendPort) (string, bool) {
	for _, p := range service.Spec.Ports {
		if (port.Name != "" && p.Name == port.Name) || (port.Name == "" && p.Port == port.Number) {
			return p.Name, true
		}
	}
	return "", false
}

// slicePort returns the number of a port of an EndpointSlice.
func slicePort(slice *discoveryv1.EndpointSlice, name string) (int32, bool) {
	for _, p := range slice.Ports {
		if p.Port != nil && (p.Name == nil && name == "" || p.Name != nil && *p.Name == name) {
			return *p.Port, true
		}
	}
	return 0, false
}

// portText writes a port as the Ingress does.
func portText(port networkingv1.ServiceBackendPort) string {
	if port.Name != "" {
		return port.Name
	}
	return strconv.Itoa(int(port.Number))
}
