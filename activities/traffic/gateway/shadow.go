package gateway

import (
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/config"
)

// Annotations that change the rules that Traefik makes of an Ingress.
const (
	annotationUseRegex = "nginx.ingress.kubernetes.io/use-regex"
	annotationRewrite  = "nginx.ingress.kubernetes.io/rewrite-target"
	annotationAlias    = "nginx.ingress.kubernetes.io/server-alias"
)

// Shadow is a path that would lose requests to a canary.
type Shadow struct {
	// Ingress that the path belongs to, as namespace/name.
	Ingress string
	// Host and Path of it; no host means all hosts.
	Host string
	Path string
	// CanaryPath of the canary that takes the requests.
	CanaryPath string
}

// String says which requests are lost.
func (s Shadow) String() string {
	return fmt.Sprintf("Ingress %s: requests for %s%s that match would go to the canary of path %s", s.Ingress, s.Host, s.Path, s.CanaryPath)
}

// Shadowed returns the paths of other Services that would lose matching requests
// to a canary of base in Traefik. The longest rule wins there, and the rule of a
// canary with a match is that of its path with the match added: it may become
// longer than the rule of a more specific path. A canary by weight alone has no
// rule of its own. All is every Ingress that the gateway reads.
func Shadowed(base *networkingv1.Ingress, service string, matches []config.Match, all []*networkingv1.Ingress) []Shadow {
	if len(matches) == 0 {
		return nil
	}
	var found []Shadow
	for _, own := range places(base) {
		if own.service != service {
			continue
		}
		canary := len("() && ()") + len(own.rule) + len(traefikRule(matches))
		for _, ingress := range all {
			for _, other := range places(ingress) {
				same := ingress.Namespace == base.Namespace && other.service == service
				if !same && len(other.rule) > len(own.rule) && len(other.rule) <= canary && own.meets(other) {
					found = append(found, Shadow{
						Ingress: ingress.Namespace + "/" + ingress.Name, Host: other.host, Path: other.path, CanaryPath: own.host + own.path,
					})
				}
			}
		}
	}
	return found
}

// place is one host and path of an Ingress.
type place struct {
	host, path, service, rule string
	exact                     bool
}

// places returns the places of an Ingress that is no canary.
func places(ingress *networkingv1.Ingress) []place {
	if ingress.Annotations["nginx.ingress.kubernetes.io/canary"] == "true" {
		return nil
	}
	var found []place
	for _, rule := range ingress.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for _, path := range rule.HTTP.Paths {
			if path.Backend.Service == nil {
				continue
			}
			p := place{host: rule.Host, path: path.Path, service: path.Backend.Service.Name}
			p.exact = path.PathType != nil && *path.PathType == networkingv1.PathTypeExact
			p.rule = strings.Join(slices.DeleteFunc([]string{hostRule(ingress, p.host), pathRule(ingress, p)}, func(s string) bool { return s == "" }), " && ")
			found = append(found, p)
		}
	}
	return found
}

// hostRule writes the rule of a host as Traefik does.
func hostRule(ingress *networkingv1.Ingress, host string) string {
	if host == "" {
		return ""
	}
	hosts := []string{fmt.Sprintf("Host(%q)", host)}
	for alias := range strings.SplitSeq(ingress.Annotations[annotationAlias], ",") {
		if alias = strings.TrimSpace(alias); alias != "" {
			hosts = append(hosts, fmt.Sprintf("Host(%q)", alias))
		}
	}
	if len(hosts) == 1 {
		return hosts[0]
	}
	return "(" + strings.Join(hosts, " || ") + ")"
}

// pathRule writes the rule of a path as Traefik does.
func pathRule(ingress *networkingv1.Ingress, p place) string {
	regex := ingress.Annotations[annotationUseRegex] == "true" || ingress.Annotations[annotationRewrite] != ""
	switch {
	case p.path == "":
		return ""
	case p.exact:
		return fmt.Sprintf("Path(%q)", p.path)
	case regex:
		return fmt.Sprintf("PathRegexp(%q)", "(?i)^"+p.path)
	case p.path == "/":
		return `PathPrefix("/")`
	}
	path := strings.TrimSuffix(p.path, "/")
	return fmt.Sprintf("(Path(%q) || PathPrefix(%q))", path, path+"/")
}

// meets reports whether a request exists that both places are for.
func (p place) meets(other place) bool {
	return hostsMeet(p.host, other.host) && (p.holds(other.path) || other.holds(p.path))
}

// holds reports whether a path is one that the place is for.
func (p place) holds(path string) bool {
	if p.exact {
		return p.path == path
	}
	prefix := strings.TrimSuffix(p.path, "/")
	return prefix == "" || path == prefix || strings.HasPrefix(path, prefix+"/")
}

// hostsMeet compares hosts of rules: none means all, and a wildcard stands for
// one label.
func hostsMeet(a, b string) bool {
	if a == "" || b == "" || a == b {
		return true
	}
	covers := func(pattern, host string) bool {
		suffix, wild := strings.CutPrefix(pattern, "*")
		label, fits := strings.CutSuffix(host, suffix)
		return wild && fits && label != "" && !strings.Contains(label, ".")
	}
	return covers(a, b) || covers(b, a)
}
