package gateway

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/tests/chaos/oracle"
)

const prefix = "nginx.ingress.kubernetes.io/"

// route is what a replica knows of one path.
type route struct {
	ingress, service, port string
	rule, place            int
	path                   string
	exact                  bool
	stable, canary         side
	// notes are the annotations of the canary Ingress, nil if there is none.
	notes map[string]string
}

// side are the endpoints of one Service: open ones get requests; fenced ones are
// known but get none.
type side struct {
	open   []string
	fenced int
	closed []string
}

// route finds what a path leads to: the longest one that fits.
func (g *Replica) route(path string) *route {
	var best *route
	for _, name := range sortedKeys(g.ingresses) {
		ingress := g.ingresses[name]
		if ingress.Annotations[prefix+"canary"] == "true" {
			continue
		}
		for _, found := range routesOf(ingress) {
			if found.fits(path) && (best == nil || len(found.path) > len(best.path)) {
				best = found
			}
		}
	}
	if best == nil {
		return nil
	}
	namespace, _, _ := strings.Cut(best.ingress, "/")
	best.stable = g.side(namespace, best.service)
	for _, name := range sortedKeys(g.ingresses) {
		ingress := g.ingresses[name]
		if ingress.Annotations[prefix+"canary"] != "true" || ingress.Namespace != namespace {
			continue
		}
		for _, found := range routesOf(ingress) {
			if found.path == best.path && found.exact == best.exact && best.notes == nil {
				best.notes, best.canary = ingress.Annotations, g.side(namespace, found.service)
			}
		}
	}
	return best
}

func routesOf(ingress *netv1.Ingress) []*route {
	var found []*route
	for r, rule := range ingress.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for p, path := range rule.HTTP.Paths {
			if path.Backend.Service == nil {
				continue
			}
			port := path.Backend.Service.Port.Name
			if port == "" {
				port = strconv.Itoa(int(path.Backend.Service.Port.Number))
			}
			found = append(found, &route{
				ingress: ingress.Namespace + "/" + ingress.Name, service: path.Backend.Service.Name, port: port, rule: r, place: p,
				path: path.Path, exact: path.PathType != nil && *path.PathType == netv1.PathTypeExact,
			})
		}
	}
	return found
}

func (r *route) fits(path string) bool {
	if r.exact {
		return path == r.path
	}
	plain := strings.TrimSuffix(r.path, "/")
	return plain == "" || path == plain || strings.HasPrefix(path, plain+"/")
}

// side collects the endpoints of a Service as the personality counts them.
func (g *Replica) side(namespace, service string) side {
	var s side
	for _, name := range sortedKeys(g.slices) {
		slice := g.slices[name]
		if slice.Namespace != namespace || slice.Labels[discoveryv1.LabelServiceName] != service {
			continue
		}
		for _, e := range slice.Endpoints {
			c := e.Conditions
			terminating := c.Terminating != nil && *c.Terminating
			ready := (c.Ready == nil || *c.Ready) && !terminating
			serving := ready || c.Serving != nil && *c.Serving
			switch {
			case ready:
				s.open = append(s.open, e.Addresses[0])
			case serving && g.personality == Traefik:
				s.fenced++
				s.closed = append(s.closed, e.Addresses[0])
			}
		}
	}
	slices.Sort(s.open)
	s.open = slices.Compact(s.open) // an endpoint may stand in two slices
	return s
}

// canaryDropped says whether a personality leaves a canary without endpoints out.
func (r *route) canaryDropped(p Personality) bool {
	switch p {
	case Nginx:
		return len(r.canary.open) == 0
	case Traefik:
		return len(r.canary.open)+r.canary.fenced == 0
	case GatewayAPI:
	}
	return false
}

func (r *route) weight() (weight, total int) {
	weight, _ = strconv.Atoi(r.notes[prefix+"canary-weight"])
	total, _ = strconv.Atoi(r.notes[prefix+"canary-weight-total"])
	total = max(total, 100)
	return min(max(0, weight), total), total
}

func (r *route) matches() bool { return Match(r.notes) != "" }

// Match returns the rule of canary annotations that requests of clients may meet
// whatever the weight is, empty where there is none. The header of a probe is
// none: no client has it.
func Match(notes map[string]string) string {
	rule := ""
	for _, name := range []string{"canary-by-header", "canary-by-header-value", "canary-by-header-pattern"} {
		if v := notes[prefix+name]; v != "" && notes[prefix+"canary-by-header"] != config.ProbeHeader {
			rule += name + "=" + v + " "
		}
	}
	if cookie := notes[prefix+"canary-by-cookie"]; cookie != "" {
		rule += "canary-by-cookie=" + cookie
	}
	return rule
}

// edf spreads shares evenly: the side whose next turn comes first gets it.
type edf struct{ stable, canary float64 }

// turn says whether it is the turn of canary.
func (g *Replica) turn(service string, d oracle.Decision) bool {
	e := g.shares[service]
	if e == nil {
		e = &edf{stable: 1 / float64(d.Total-d.Share), canary: 1 / float64(d.Share)}
		g.shares[service] = e
	}
	if e.canary < e.stable {
		e.canary += 1 / float64(d.Share)
		return true
	}
	e.stable += 1 / float64(d.Total-d.Share)
	return false
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
