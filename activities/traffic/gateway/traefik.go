package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/config"
)

// traefikProvider is the provider of Traefik that reads the annotations of
// ingress-nginx, as its API calls it.
const traefikProvider = "kubernetesingressnginx"

// traefik reads the state of Traefik's replicas. Everything that is asked for
// one verdict may come from different configurations, but these follow each
// other: what an earlier answer showed is not undone in a later one.
type traefik struct {
	client *http.Client
	view   View
}

func pending(format string, args ...any) (verdict, error) {
	return verdict{seen: fmt.Sprintf(format, args...)}, nil
}

// look compares the state of one replica with what is wanted.
func (t traefik) look(ctx context.Context, address string, want Want) (verdict, error) {
	api := traefikAPI{client: t.client, address: address}
	result := verdict{done: true}
	for _, backend := range want.Backends {
		names := traefikNames(want, backend)
		v, err := t.lookAt(ctx, api, want, backend, names)
		if err != nil || !v.done {
			return v, err
		}
		result.blind = result.blind || v.blind
	}
	return result, nil
}

func (t traefik) lookAt(ctx context.Context, api traefikAPI, want Want, backend Backend, names names) (verdict, error) {
	switch {
	case want.Servers:
		return t.servers(ctx, api, want.Namespace, want.Service, backend.Port, names.stable, "stable")
	case want.CanaryServers:
		return t.servers(ctx, api, want.Namespace, want.CanaryService, backend.Port, names.canary, "canary")
	case want.Absent:
		return t.absent(ctx, api, want, backend, names)
	default:
		return t.route(ctx, api, want, backend, names)
	}
}

// route compares weight, matches and servers of the canary.
func (t traefik) route(ctx context.Context, api traefikAPI, want Want, backend Backend, names names) (verdict, error) {
	ready, err := published(t.view, want.Namespace, want.CanaryService, backend.Port)
	if err != nil && (want.toCanary() || want.Backed) {
		return verdict{seen: err.Error()}, nil
	}
	// The way back must not wait for a Service that somebody has deleted: without
	// it the canary has no endpoints.
	split, err := api.service(ctx, names.split)
	if errors.Is(err, errAbsent) || err == nil && split.Weighted == nil {
		// Traefik drops a canary without endpoints, and sends all to stable.
		if len(ready) == 0 && !want.toCanary() {
			return verdict{done: true, blind: true}, nil
		}
		return pending("has no canary yet")
	}
	if err != nil {
		return verdict{}, err
	}
	weight, known := split.Weighted.weight(names.canary)
	rest, knownRest := split.Weighted.weight(names.stable)
	if !known || !knownRest || weight != want.Weight || weight+rest != 100 {
		return pending("has weight %d", weight)
	}
	if v, err := t.matches(ctx, api, want, names); err != nil || !v.done {
		return v, err
	}
	if want.Indirect {
		return verdict{done: true}, nil
	}
	if want.Backed {
		return listed(ctx, api, names.canary, "canary", exactly(ready), ready)
	}
	if !want.toCanary() {
		return verdict{done: true}, nil
	}
	return listed(ctx, api, names.canary, "canary", func(open servers) bool { return len(ready) > 0 && open.missing(ready) == 0 }, ready)
}

// matches compares the router that sends matched requests to the canary. All
// routers are made from the same state, so that one of them is enough.
func (t traefik) matches(ctx context.Context, api traefikAPI, want Want, names names) (verdict, error) {
	router, err := api.router(ctx, names.router)
	rule := traefikRule(want.matched())
	switch {
	case errors.Is(err, errAbsent) && rule == "":
		return verdict{done: true}, nil
	case errors.Is(err, errAbsent):
		return pending("has no rule for the match yet")
	case err != nil:
		return verdict{}, err
	case rule == "":
		return pending("still has the rule of a match")
	case !strings.HasSuffix(router.Rule, " && ("+rule+")"):
		return pending("has another rule for the match")
	case router.Status == "disabled":
		return pending("refuses the rule of the match: %s", strings.Join(router.Errors, "; "))
	}
	return verdict{done: true}, nil
}

// absent wants nothing of a canary to be left.
func (t traefik) absent(ctx context.Context, api traefikAPI, want Want, backend Backend, names names) (verdict, error) {
	for _, name := range []string{names.split, names.canary} {
		if _, err := api.service(ctx, name); err == nil {
			return pending("still has the canary")
		} else if !errors.Is(err, errAbsent) {
			return verdict{}, err
		}
	}
	if v, err := t.matches(ctx, api, Want{}, names); err != nil || !v.done {
		return v, err
	}
	// Without endpoints Traefik drops a canary whether its Ingress exists or not.
	ready, err := published(t.view, want.Namespace, want.CanaryService, backend.Port)
	return verdict{done: true, blind: err != nil || len(ready) == 0}, nil
}

// servers wants exactly the ready endpoints of a Service, behind what Traefik
// calls name.
func (t traefik) servers(ctx context.Context, api traefikAPI, namespace, service string, port networkingv1.ServiceBackendPort, name, side string) (verdict, error) {
	ready, err := published(t.view, namespace, service, port)
	if err != nil {
		return verdict{seen: err.Error()}, nil
	}
	return listed(ctx, api, name, side, exactly(ready), ready)
}

// exactly wants those servers and no others.
func exactly(ready servers) func(open servers) bool {
	return func(open servers) bool { return len(open) == len(ready) && open.missing(ready) == 0 }
}

// listed compares the servers that get new requests with those that are wanted.
func listed(ctx context.Context, api traefikAPI, name, side string, enough func(servers) bool, ready servers) (verdict, error) {
	service, err := api.service(ctx, name)
	if err != nil && !errors.Is(err, errAbsent) {
		return verdict{}, err
	}
	open := servers{}
	if service.LoadBalancer != nil {
		open = service.LoadBalancer.open()
	}
	if enough(open) {
		return verdict{done: true}, nil
	}
	return pending("has %d servers of %s, %d of the %d that are ready", len(open), side, len(ready)-open.missing(ready), len(ready))
}

// names are the names that Traefik gives to what it makes from an Ingress.
type names struct{ stable, canary, split, router string }

func traefikNames(want Want, backend Backend) names {
	stable := traefikName(want.Namespace, want.Ingress, want.Service, portText(backend.Port))
	return names{
		stable: stable,
		canary: stable + "-canary",
		split:  stable + "-wrr",
		router: traefikName(want.Namespace, want.Ingress, "rule", strconv.Itoa(backend.Rule), "path", strconv.Itoa(backend.Path)) + "-canary",
	}
}

// traefikName joins the parts as Traefik does: everything that is neither letter
// nor digit becomes one dash.
func traefikName(parts ...string) string {
	other := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }
	return strings.Join(strings.FieldsFunc(strings.Join(parts, "-"), other), "-")
}

// traefikRule writes the conditions of the matches as Traefik does: headers
// before cookies.
func traefikRule(matches []config.Match) string {
	var headers, cookies []string
	for _, match := range matches {
		for _, h := range match.Headers {
			matcher := "Header"
			if h.Type == config.MatchRegex {
				matcher = "HeaderRegexp"
			}
			headers = append(headers, fmt.Sprintf("%s(%q, %q)", matcher, h.Name, h.Value))
		}
		for _, c := range match.Cookies {
			cookies = append(cookies, fmt.Sprintf(`HeaderRegexp("Cookie", %q)`, `(^|;\s*)`+regexp.QuoteMeta(c.Name)+`=always(;|$)`))
		}
	}
	return strings.Join(slices.Concat(headers, cookies), " || ")
}
