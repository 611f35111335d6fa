package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/config"
)

// ingressOf builds an Ingress with one path; a path that ends in = is exact.
func ingressOf(name, host, path, service string) *networkingv1.Ingress {
	kind := networkingv1.PathTypePrefix
	if n := len(path) - 1; n >= 0 && path[n] == '=' {
		kind, path = networkingv1.PathTypeExact, path[:n]
	}
	ingress := &networkingv1.Ingress{}
	ingress.Namespace, ingress.Name, ingress.Annotations = "default", name, map[string]string{}
	ingress.Spec.Rules = []networkingv1.IngressRule{{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{
		HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
			Path: path, PathType: &kind,
			Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: service}},
		}}},
	}}}
	return ingress
}

func TestShadowed(t *testing.T) {
	android := []config.Match{header(config.MatchExact, "android")}
	cases := map[string]struct {
		base    *networkingv1.Ingress
		other   *networkingv1.Ingress
		matches []config.Match
		want    bool
	}{
		"path below the canary's":        {ingressOf("a", "h", "/", "demo"), ingressOf("b", "h", "/api", "api"), android, true},
		"exact path below":               {ingressOf("a", "h", "/", "demo"), ingressOf("b", "h", "/api/orders=", "api"), android, true},
		"shadowed without the canary":    {ingressOf("a", "h", "/", "demo"), ingressOf("b", "h", "/api=", "api"), android, false},
		"host behind a canary of all":    {ingressOf("a", "", "/version=", "demo"), ingressOf("b", "shop.example.com", "/", "shop"), android, true},
		"host behind a wildcard":         {ingressOf("a", "*.example.com", "/", "demo"), ingressOf("b", "shop.example.com", "/api", "shop"), android, true},
		"wildcard is one label":          {ingressOf("a", "*.example.com", "/", "demo"), ingressOf("b", "a.b.example.com", "/api", "shop"), android, false},
		"no match":                       {ingressOf("a", "h", "/", "demo"), ingressOf("b", "h", "/api", "api"), nil, false},
		"same Service":                   {ingressOf("a", "h", "/", "demo"), ingressOf("b", "h", "/api", "demo"), android, false},
		"other host":                     {ingressOf("a", "h", "/", "demo"), ingressOf("b", "i", "/api", "api"), android, false},
		"other path":                     {ingressOf("a", "h", "/x", "demo"), ingressOf("b", "h", "/xy", "api"), android, false},
		"exact paths differ":             {ingressOf("a", "h", "/x=", "demo"), ingressOf("b", "h", "/y=", "api"), android, false},
		"less specific than the canary":  {ingressOf("a", "h", "/api", "demo"), ingressOf("b", "h", "/", "root"), android, false},
		"long enough to be above it all": {ingressOf("a", "h", "/", "demo"), ingressOf("b", "h", "/a/very/long/path/that/makes/a/long/rule", "api"), android, false},
		"canary of somebody":             {ingressOf("a", "h", "/", "demo"), canaryOf(ingressOf("b", "h", "/api", "api")), android, false},
		"empty rules":                    {ingressOf("a", "h", "/", "demo"), &networkingv1.Ingress{Spec: networkingv1.IngressSpec{Rules: make([]networkingv1.IngressRule, 1)}}, android, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			found := Shadowed(c.base, "demo", c.matches, []*networkingv1.Ingress{c.base, c.other})
			require.Equal(t, c.want, len(found) == 1, "%v", found)
		})
	}
}

func canaryOf(ingress *networkingv1.Ingress) *networkingv1.Ingress {
	ingress.Annotations["nginx.ingress.kubernetes.io/canary"] = "true"
	return ingress
}

func TestShadowedSays(t *testing.T) {
	base, other := ingressOf("a", "h", "/", "demo"), ingressOf("b", "h", "/api", "api")
	found := Shadowed(base, "demo", []config.Match{cookie("beta")}, []*networkingv1.Ingress{base, other})
	require.Len(t, found, 1)
	require.Equal(t, "Ingress default/b: requests for h/api that match would go to the canary of path h/", found[0].String())
}

func TestPlacesWriteTheRulesOfTraefik(t *testing.T) {
	regex := ingressOf("a", "h", "/x", "demo")
	regex.Annotations[annotationUseRegex] = "true"
	alias := ingressOf("a", "h", "/x=", "demo")
	alias.Annotations[annotationAlias] = "i, j"
	for rule, ingress := range map[string]*networkingv1.Ingress{
		`Path("/version")`: ingressOf("a", "", "/version=", "demo"),
		`Host("h") && (Path("/api") || PathPrefix("/api/"))`:  ingressOf("a", "h", "/api/", "demo"),
		`Host("h") && PathPrefix("/")`:                        ingressOf("a", "h", "/", "demo"),
		`Host("h")`:                                           ingressOf("a", "h", "", "demo"),
		`Host("h") && PathRegexp("(?i)^/x")`:                  regex,
		`(Host("h") || Host("i") || Host("j")) && Path("/x")`: alias,
	} {
		require.Equal(t, rule, places(ingress)[0].rule)
	}
}
