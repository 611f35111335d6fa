package gateway

import (
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/config"
)

// Want is what the gateway shall do with the requests of one Ingress.
type Want struct {
	// Namespace and Ingress name the user's Ingress.
	Namespace string
	Ingress   string
	// Backends of the Ingress that lead to the user's Service.
	Backends []Backend
	// Service of the user and CanaryService beside it.
	Service       string
	CanaryService string
	// Weight in percent and Matches of the canary.
	Weight  int
	Matches []config.Match
	// Nonce is the value of the probe's header by which the route sends requests to
	// canary, too; empty where it does not.
	Nonce string
	// Absent wants no canary at all; Weight and Matches mean nothing then.
	Absent bool
	// Servers wants the endpoints of Service instead of a route: exactly those
	// that are ready and published.
	Servers bool
	// CanaryServers wants exactly the ready endpoints of CanaryService, whatever the
	// route is.
	CanaryServers bool
	// Backed wants exactly the ready endpoints of CanaryService behind the route,
	// also where it sends no request there.
	Backed bool
	// Unsure says that the change before was not confirmed: a replica that shows
	// what is wanted may show it from before that one, and do that one still.
	Unsure bool
	// Indirect says that the gateway sends requests to the Service's own address,
	// so that the endpoints are none of its state.
	Indirect bool

	// Level that is pinned; the best that there is where empty.
	Level Level
	// Probe is how to see from outside that the change is in force; nil where
	// there is no way.
	Probe *Probe
	// Waited is how long of a grace is over for certain.
	Waited time.Duration
}

// Backend is one port of the user's Service that the Ingress routes to.
type Backend struct {
	// Port as the Ingress names it.
	Port networkingv1.ServiceBackendPort
	// Rule and Path are the position of the first path that leads to the port.
	Rule int
	Path int
}

// BackendsOf returns the backends of an Ingress that lead to a Service: each
// port once.
func BackendsOf(ingress *networkingv1.Ingress, service string) []Backend {
	var found []Backend
	seen := map[networkingv1.ServiceBackendPort]bool{}
	for r, rule := range ingress.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for p, path := range rule.HTTP.Paths {
			backend := path.Backend.Service
			if backend == nil || backend.Name != service || seen[backend.Port] {
				continue
			}
			seen[backend.Port] = true
			found = append(found, Backend{Port: backend.Port, Rule: r, Path: p})
		}
	}
	return found
}

// toCanary reports whether any request shall reach the canary.
func (w Want) toCanary() bool { return !w.Absent && (w.Weight > 0 || len(w.Matches) > 0) }

// matched are all conditions by which requests reach the canary whatever its weight
// is: those of users, and that of the nonce.
func (w Want) matched() []config.Match {
	if w.Nonce == "" {
		return w.Matches
	}
	header := config.ValueMatch{Name: config.ProbeHeader, Type: config.MatchExact, Value: w.Nonce}
	return append([]config.Match{{Headers: []config.ValueMatch{header}}}, w.Matches...)
}
