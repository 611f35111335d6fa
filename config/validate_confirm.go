package config

import (
	"regexp"
	"strings"

	own "sluice.dev/sluice/config/v1alpha1"
)

// ProbeHeader is the header by which a probe asks for canary. No match of a
// document may use it.
const ProbeHeader = "X-Sluice-Probe"

// placeholders finds single words in braces; a JSON text has quotes there.
var placeholders = regexp.MustCompile(`\{([A-Za-z]+(?::[a-z0-9-]*)?)\}`)

// validateConfirm checks how changes of a route are confirmed.
func validateConfirm(r *report, d *draft, path string, route own.TrafficRouting) {
	if route.Confirm == nil {
		return
	}
	level := d.settingPath(path+".confirm.level", AnnotationConfirm)
	switch ConfirmLevel(route.Confirm.Level) {
	case "", ConfirmState, ConfirmGrace:
	case ConfirmProbe:
		if route.Confirm.Probe == nil {
			r.add(level, "the level probe needs a probe: how to see which side answers",
				"write "+annotationOr(d, AnnotationProbe, "confirm.probe")+", such as {path: /version, header: X-Version}, or {metrics: true} with Traefik")
		}
	case confirmRoute:
		r.add(level, "an Ingress reports no status of its routes", "write state, probe or grace, or leave it out for the best that there is")
	default:
		r.add(level, "unknown level of confirmation", "write state, probe or grace, or leave it out for the best that there is")
	}
	if route.Confirm.Probe != nil {
		validateProbe(r, d.settingPath(path+".confirm.probe", AnnotationProbe), *route.Confirm.Probe)
	}
}

func annotationOr(d *draft, annotation, field string) string {
	if d.kruise {
		return "annotation " + annotation
	}
	return field
}

func validateProbe(r *report, path string, probe own.Probe) {
	if probe.Path != "" && !strings.HasPrefix(probe.Path, "/") {
		r.add(path+".path", "a path begins with /", "write /"+probe.Path)
	}
	if strings.ContainsAny(probe.Host, "/: *") {
		r.add(path+".host", "not the name of a host", "write it without scheme, port and wildcard, such as shop.example.com")
	}
	if probe.Header != "" && probe.JSON != "" {
		r.add(path+".json", "header and json cannot both be looked at", "keep one of them")
	}
	if probe.Equals != "" && probe.Contains != "" {
		r.add(path+".contains", "equals and contains cannot both be set", "keep one of them")
	}
	if probe.Metrics && (probe.Header != "" || probe.JSON != "" || probe.Equals != "" || probe.Contains != "") {
		r.add(path+".metrics", "metrics take the place of the answer", "keep metrics, or what to look at in the answer")
	}
	validatePlaceholders(r, path+".equals", probe.Equals)
	validatePlaceholders(r, path+".contains", probe.Contains)
}

func validatePlaceholders(r *report, path, text string) {
	for _, found := range placeholders.FindAllStringSubmatch(text, -1) {
		name, _, _ := strings.Cut(found[1], ":")
		if found[1] != PlaceholderPod && name != PlaceholderTag {
			r.add(path, "unknown placeholder "+found[0], "known are {tag}, {tag:CONTAINER} and {pod}")
		}
	}
}
