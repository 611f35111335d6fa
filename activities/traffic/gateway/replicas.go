package gateway

import (
	"fmt"
	"net"
	"strconv"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// replica is one process of the gateway.
type replica struct {
	// address of its API, host:port.
	address string
	// leaving says that it is terminating: it may still finish requests.
	leaving bool
}

// replicasOf lists the replicas of a gateway that may serve requests, from the
// EndpointSlices of its Service. Terminating ones count while they serve: they
// still route requests, by what they know. None at all is an error that says
// what was looked for.
func replicasOf(view View, cfg Config) (map[string]replica, error) {
	namespace, name := cfg.service()
	slices := view.SlicesOf(namespace, name)
	found := map[string]replica{}
	seen := map[string]bool{}
	for _, slice := range slices {
		port, ok := apiPort(slice, cfg.APIPort)
		if !ok {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			if !serving(endpoint) || seen[identity(endpoint)] {
				continue
			}
			seen[identity(endpoint)] = true
			address := net.JoinHostPort(endpoint.Addresses[0], strconv.Itoa(port))
			found[address] = replica{address: address, leaving: endpoint.Conditions.Terminating != nil && *endpoint.Conditions.Terminating}
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	if len(slices) == 0 {
		return nil, fmt.Errorf("no replica of the gateway found: Service %s has no EndpointSlices in a namespace that is watched", cfg.Service)
	}
	return nil, fmt.Errorf("no replica of the gateway found: the EndpointSlices of Service %s have no ready endpoint with port %s", cfg.Service, cfg.APIPort)
}

// apiPort returns the number of the API port: a number is taken as it is, since
// the API is rarely a port of the Service; a name has to be in the slice.
func apiPort(slice *discoveryv1.EndpointSlice, port string) (int, bool) {
	if n, err := strconv.Atoi(port); err == nil {
		return n, true
	}
	n, ok := slicePort(slice, port)
	return int(n), ok
}
