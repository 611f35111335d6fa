package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// provider of Traefik that reads canary annotations, as its API names it.
const provider = "@kubernetesingressnginx"

// API answers, as the transport of an HTTP client, for the state APIs of
// replicas by their addresses, in the words of Traefik's. Requests to addresses
// of no replica are refused.
type API []*Replica

// RoundTrip answers one request.
func (a API) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, g := range a {
		if g.Address == r.URL.Host {
			return g.answer(r)
		}
	}
	return nil, fmt.Errorf("connecting to %s: nobody is there", r.URL.Host)
}

func (g *Replica) answer(r *http.Request) (*http.Response, error) {
	objects := g.objects()
	object, ok := objects[strings.TrimPrefix(r.URL.Path, "/api/http/")]
	code := http.StatusOK
	if !ok {
		code, object = http.StatusNotFound, map[string]string{"message": "not found: " + r.URL.Path}
	}
	body, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("answering %s: %w", r.URL.Path, err)
	}
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), Request: r, ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

var other = regexp.MustCompile(`[^a-zA-Z0-9]+`)

func named(parts ...string) string {
	return strings.Trim(other.ReplaceAllString(strings.Join(parts, "-"), "-"), "-")
}

// objects are the services and routers that Traefik would make of what the
// replica knows.
func (g *Replica) objects() map[string]any {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := map[string]any{}
	for _, name := range sortedKeys(g.ingresses) {
		ingress := g.ingresses[name]
		if ingress.Annotations[prefix+"canary"] == "true" {
			continue
		}
		for _, found := range routesOf(ingress) {
			g.describe(out, ingress.Namespace, ingress.Name, g.route(found.path))
		}
	}
	return out
}

func (g *Replica) describe(out map[string]any, namespace, ingress string, r *route) {
	stable := named(namespace, ingress, r.service, r.port)
	router := named(namespace, ingress, "rule", fmt.Sprint(r.rule), "path", fmt.Sprint(r.place))
	path := fmt.Sprintf("Path(%q)", r.path)
	if !r.exact {
		path = fmt.Sprintf("PathPrefix(%q)", r.path)
	}
	out["services/"+stable+provider] = balancer(r.stable)
	out["routers/"+router+provider] = map[string]any{"rule": path, "status": "enabled"}
	if r.notes == nil || r.canaryDropped(Traefik) {
		return
	}
	weight, total := r.weight()
	out["services/"+stable+"-canary"+provider] = balancer(r.canary)
	out["services/"+stable+"-wrr"+provider] = map[string]any{"weighted": map[string]any{"services": []map[string]any{
		{"name": stable, "weight": total - weight}, {"name": stable + "-canary", "weight": weight},
	}}}
	if rule := matchRule(r.notes); rule != "" {
		out["routers/"+router+"-canary"+provider] = map[string]any{"rule": fmt.Sprintf("(%s) && (%s)", path, rule), "status": "enabled"}
	}
}

func balancer(s side) any {
	servers := []map[string]any{}
	for _, ip := range s.open {
		servers = append(servers, map[string]any{"url": "http://" + ip + ":8080"})
	}
	for _, ip := range s.closed {
		servers = append(servers, map[string]any{"url": "http://" + ip + ":8080", "fenced": true})
	}
	return map[string]any{"loadBalancer": map[string]any{"servers": servers}}
}

// matchRule is the rule of a canary's match in Traefik's language.
func matchRule(notes map[string]string) string {
	var rules []string
	if name := notes[prefix+"canary-by-header"]; name != "" {
		switch value, pattern := notes[prefix+"canary-by-header-value"], notes[prefix+"canary-by-header-pattern"]; {
		case value != "":
			rules = append(rules, fmt.Sprintf("Header(%q, %q)", name, value))
		case pattern != "":
			rules = append(rules, fmt.Sprintf("HeaderRegexp(%q, %q)", name, pattern))
		default:
			rules = append(rules, fmt.Sprintf("Header(%q, %q)", name, "always"))
		}
	}
	if name := notes[prefix+"canary-by-cookie"]; name != "" {
		rules = append(rules, fmt.Sprintf("HeaderRegexp(%q, %q)", "Cookie", `(^|;\s*)`+regexp.QuoteMeta(name)+`=always(;|$)`))
	}
	return strings.Join(rules, " || ")
}
