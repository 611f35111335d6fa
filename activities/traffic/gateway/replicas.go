package gateway

import (
	"fmt"
	"net"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// replica is one process of the gateway.
type replica struct {
	// address of the port that is asked, host:port.
	address string
	// secure says that the port speaks TLS.
	secure bool
	// closing says that it is terminating or not ready: clients are not sent to it
	// any more, but it may still finish requests, or come back as it was.
	closing bool
	// meter is the address of its metrics, host:port; empty where it has none.
	meter string
	// doors are the addresses at which it takes the requests of clients, host:port,
	// as far as its Service names them.
	doors []string
}

// portOf chooses the port of the replicas in a slice.
type portOf func(*discoveryv1.EndpointSlice) (number int, secure, found bool)

// replicasOf lists the replicas of a gateway that may route requests, from the
// EndpointSlices of its Service. That one is not ready, or ends, says nothing: one
// that was frozen comes back with what it knew, and one that ends says that it
// does not serve before it stops to take requests. Who takes none any more is
// found out at its doors. None at all is an error that says what was looked for.
func replicasOf(view View, cfg Config, port portOf, name string) (map[string]replica, error) {
	published := view.SlicesOf(cfg.service())
	found := map[string]replica{}
	seen := map[string]bool{}
	open := false
	for _, slice := range published {
		number, secure, ok := port(slice)
		if !ok {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			if len(endpoint.Addresses) == 0 || seen[identity(endpoint)] {
				continue
			}
			seen[identity(endpoint)] = true
			open = open || serving(endpoint)
			address := net.JoinHostPort(endpoint.Addresses[0], strconv.Itoa(number))
			next := replica{address: address, secure: secure, closing: !serving(endpoint) || terminating(endpoint), doors: cfg.doorsOf(slice, endpoint.Addresses[0])}
			if meter, ok := namedPort(slice, cfg.meterPort()); ok {
				next.meter = net.JoinHostPort(endpoint.Addresses[0], strconv.Itoa(meter))
			}
			found[address] = next
		}
	}
	if open {
		return found, nil
	}
	if len(published) == 0 {
		return nil, fmt.Errorf("no replica of the gateway found: Service %s has no EndpointSlices in a namespace that is watched", cfg.Service)
	}
	return nil, fmt.Errorf("no replica of the gateway found: the EndpointSlices of Service %s have no ready endpoint with port %s", cfg.Service, name)
}

func terminating(endpoint discoveryv1.Endpoint) bool {
	return endpoint.Conditions.Terminating != nil && *endpoint.Conditions.Terminating
}

// apiPort is the port of the state API: a number is taken as it is, since the API
// is rarely a port of the Service; a name has to be in the slice.
func (c Config) apiPort(slice *discoveryv1.EndpointSlice) (int, bool, bool) {
	n, ok := namedPort(slice, c.APIPort)
	return n, false, ok
}

// Ports that gateways call those for requests of clients.
var (
	plainNames  = []string{"web", "http", "http2"}
	secureNames = []string{"websecure", "https"}
)

// doors are the ports to try for probes, best first.
func (c Config) doors(secure bool) []string {
	switch {
	case c.ProbePort != "":
		return []string{c.ProbePort}
	case secure:
		return append(slices.Clone(secureNames), plainNames...)
	}
	return append(slices.Clone(plainNames), secureNames...)
}

// door is the port for probes; secure prefers one with TLS.
func (c Config) door(secure bool) portOf {
	return func(slice *discoveryv1.EndpointSlice) (int, bool, bool) {
		for _, name := range c.doors(secure) {
			if n, ok := namedPort(slice, name); ok {
				return n, slices.Contains(secureNames, name) || name == "443" || name == "8443", true
			}
		}
		return 0, false, false
	}
}

// doorsOf are the addresses of one replica at which clients come in: every port of
// its Service but those for its state and its metrics, and the port for probes.
func (c Config) doorsOf(slice *discoveryv1.EndpointSlice, host string) []string {
	own := map[int]bool{}
	for _, port := range []string{c.APIPort, c.meterPort()} {
		if n, ok := namedPort(slice, port); ok && port != "" && port != c.ProbePort {
			own[n] = true
		}
	}
	var found []string
	add := func(n int) {
		if door := net.JoinHostPort(host, strconv.Itoa(n)); !own[n] && !slices.Contains(found, door) {
			found = append(found, door)
		}
	}
	for _, p := range slice.Ports {
		if p.Port != nil && (p.Protocol == nil || *p.Protocol == corev1.ProtocolTCP) {
			add(int(*p.Port))
		}
	}
	if n, ok := namedPort(slice, c.ProbePort); ok && c.ProbePort != "" {
		add(n)
	}
	return found
}

// namedPort returns the number of a port by its name in a slice; a number stands
// for itself.
func namedPort(slice *discoveryv1.EndpointSlice, port string) (int, bool) {
	if n, err := strconv.Atoi(port); err == nil {
		return n, true
	}
	n, ok := slicePort(slice, port)
	return int(n), ok
}
