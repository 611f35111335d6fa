package traffic

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
)

// higress is the adapter of Higress, which reads the annotations of
// ingress-nginx but understands some of them in another way: every comparison is
// a regular expression, a match hides the weight and a header hides a cookie,
// and a weight is cut to whole percents by arithmetic that is not exact.
type higress struct{}

// ClassHigress is the class of Higress.
const ClassHigress = "higress"

// higressTotal is what weights are of, so that ten times the weight and a bit
// more is still the weight when it has been cut to whole percents.
const higressTotal = 1000

// cookieWord is a name that means itself in a regular expression.
var cookieWord = regexp.MustCompile(`^[-_A-Za-z0-9]+$`)

// Capabilities is the row of Higress in the matrix.
func (higress) Capabilities() Capabilities {
	return Capabilities{Headers: 1, Cookies: 1, StablePods: 1, OwnPathsOnly: true}
}

// Render builds the canary Ingress as for ingress-nginx, with the annotations
// that mean the same to Higress.
func (h higress) Render(base *networkingv1.Ingress, ref release.Ref, route Route) (*networkingv1.Ingress, error) {
	if _, err := higressAnnotations(route); err != nil {
		return nil, err
	}
	canary, err := nginx{}.Render(base, ref, Route{})
	if err != nil {
		return nil, ofHigress(err)
	}
	return h.Reroute(canary, ref, route)
}

// Reroute replaces every annotation that carries a part of a route.
func (higress) Reroute(live *networkingv1.Ingress, ref release.Ref, route Route) (*networkingv1.Ingress, error) {
	wanted, err := higressAnnotations(route)
	if err != nil {
		return nil, err
	}
	out, err := nginx{}.Reroute(live, ref, Route{})
	if err != nil {
		return nil, ofHigress(err)
	}
	maps.Copy(out.Annotations, wanted)
	return out, nil
}

// Decode reads a route back.
func (higress) Decode(live *networkingv1.Ingress) (Route, error) {
	plain := live.DeepCopy()
	if plain.Annotations[nginxWeightTotal] == strconv.Itoa(higressTotal) {
		delete(plain.Annotations, nginxWeightTotal)
		if tenfold, err := strconv.Atoi(plain.Annotations[nginxWeight]); err == nil {
			plain.Annotations[nginxWeight] = strconv.Itoa(tenfold / (higressTotal / 100))
		}
	}
	route, err := nginx{}.Decode(plain)
	if err != nil {
		return Route{}, err
	}
	for _, match := range route.Matches {
		for i, header := range match.Headers {
			match.Headers[i] = higressHeader(header)
		}
	}
	return route, nil
}

// higressAnnotations returns the annotations of a route.
func higressAnnotations(route Route) (map[string]string, error) {
	out, err := routeAnnotations(route)
	if err != nil {
		return nil, ofHigress(err)
	}
	switch {
	case route.Weight > 0 && len(route.Matches) > 0:
		return nil, &UnsupportedError{Class: ClassHigress, Field: "weight",
			Reason: "would be ignored beside a match: put them in steps of their own"}
	case len(route.Matches) > 1:
		return nil, &UnsupportedError{Class: ClassHigress, Field: "matches[1]",
			Reason: "would be ignored: a header and a cookie cannot be compared in one step"}
	case out[nginxCookie] != "" && !cookieWord.MatchString(out[nginxCookie]):
		return nil, &UnsupportedError{Class: ClassHigress, Field: "matches[0].cookies[0].name",
			Reason: fmt.Sprintf("%q has characters that are not accepted: use letters, digits, - and _", out[nginxCookie])}
	}
	// A value would also be met by the word always; a pattern is only itself.
	if value, exact := out[nginxHeaderValue]; exact {
		delete(out, nginxHeaderValue)
		out[nginxHeaderPattern] = "^" + regexp.QuoteMeta(value) + "$"
	} else if pattern, ok := out[nginxHeaderPattern]; ok {
		out[nginxHeaderPattern] = "(?:" + pattern + ")"
	}
	if route.Weight > 0 && route.Weight < 100 {
		out[nginxWeight] = strconv.Itoa(route.Weight*higressTotal/100 + 1)
		out[nginxWeightTotal] = strconv.Itoa(higressTotal)
	}
	return out, nil
}

// higressHeader is the comparison that a pattern of ours stands for; another
// one's stays what it is.
func higressHeader(header config.ValueMatch) config.ValueMatch {
	if header.Type != config.MatchRegex {
		return header
	}
	if inner, ok := strings.CutPrefix(header.Value, "(?:"); ok && strings.HasSuffix(inner, ")") {
		header.Value = strings.TrimSuffix(inner, ")")
		return header
	}
	if inner, ok := strings.CutPrefix(header.Value, "^"); ok && strings.HasSuffix(inner, "$") {
		value := unquoted(strings.TrimSuffix(inner, "$"))
		if "^"+regexp.QuoteMeta(value)+"$" == header.Value {
			header.Type, header.Value = config.MatchExact, value
		}
	}
	return header
}

// unquoted undoes regexp.QuoteMeta.
func unquoted(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

// ofHigress names the right class in an error of the shared rendering.
func ofHigress(err error) error {
	var unsupported *UnsupportedError
	if errors.As(err, &unsupported) {
		own := *unsupported
		own.Class = ClassHigress
		return &own
	}
	return err
}
