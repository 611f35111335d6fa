package traffic

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/config"
)

// The annotations that make up a route.
const (
	nginxPrefix        = "nginx.ingress.kubernetes.io/"
	nginxCanary        = nginxPrefix + "canary"
	nginxWeight        = nginxPrefix + "canary-weight"
	nginxWeightTotal   = nginxPrefix + "canary-weight-total"
	nginxHeader        = nginxPrefix + "canary-by-header"
	nginxHeaderValue   = nginxPrefix + "canary-by-header-value"
	nginxHeaderPattern = nginxPrefix + "canary-by-header-pattern"
	nginxCookie        = nginxPrefix + "canary-by-cookie"
)

// Annotations of the user's Ingress that change what a canary can do.
const (
	nginxPassthrough     = nginxPrefix + "ssl-passthrough"
	nginxServiceUpstream = nginxPrefix + "service-upstream"
)

// routeKeys are all annotations that a route may consist of.
var routeKeys = []string{
	nginxCanary, nginxWeight, nginxWeightTotal, nginxHeader, nginxHeaderValue, nginxHeaderPattern, nginxCookie,
}

// The characters that gateways of this class accept. What is outside is dropped
// by ingress-nginx with nothing but a log line, which turns a comparison into
// the always/never mode: such values must never be written. Names are narrower
// than the validators of ingress-nginx: a slash or colon is in no name, and an
// underscore in the name of a header stands for a dash to ingress-nginx but not
// to others, which would be another header.
var (
	nameChars    = regexp.MustCompile(`^[-A-Za-z0-9]+$`)
	cookieChars  = regexp.MustCompile(`^[-._~A-Za-z0-9]+$`)
	valueChars   = regexp.MustCompile(`^[-._~A-Za-z0-9/: ]+$`)
	patternChars = regexp.MustCompile(`^[-._~A-Za-z0-9/:^$\[\](){}*+?|&=\\]+$`)
)

// cookieAlways is the only value of a cookie that sends a request to canary.
const cookieAlways = "always"

// routeAnnotations returns the annotations of a route. Headers are looked at
// before cookies and these before the weight; a header or cookie that does not
// fit falls through to the next, so that matches and weight are independent.
func routeAnnotations(route Route) (map[string]string, error) {
	if route.Weight < 0 || route.Weight > 100 {
		return nil, unsupported("weight", fmt.Sprintf("%d is not a percentage: use 0 to 100", route.Weight))
	}
	out := map[string]string{nginxCanary: "true", nginxWeight: strconv.Itoa(route.Weight)}
	for i, match := range route.Matches {
		if err := addMatch(out, match, fmt.Sprintf("matches[%d]", i)); err != nil {
			return nil, err
		}
	}
	if _, taken := out[nginxHeader]; route.Nonce != "" && !taken {
		out[nginxHeader], out[nginxHeaderValue] = config.ProbeHeader, route.Nonce
	}
	return out, nil
}

// addMatch adds the annotations of one match, which must be one condition that
// no earlier match has taken the place of.
func addMatch(out map[string]string, match config.Match, field string) error {
	switch {
	case len(match.Query) > 0:
		return unsupported(field+".query", "cannot be compared: use a header or a cookie")
	case match.Path != nil:
		return unsupported(field+".path", "cannot be compared: a canary serves the paths of the Ingress; use a header or a cookie")
	case len(match.Headers)+len(match.Cookies) == 0:
		return unsupported(field, "is empty: name a header or a cookie, or use weight 100 for all requests")
	case len(match.Headers)+len(match.Cookies) > 1:
		return unsupported(field, "has several conditions that must hold at once: only one header or one cookie can be compared")
	case len(match.Headers) == 1:
		return addHeader(out, match.Headers[0], field+".headers[0]")
	default:
		return addCookie(out, match.Cookies[0], field+".cookies[0]")
	}
}

// addHeader adds the comparison of a header, exact or by pattern.
func addHeader(out map[string]string, header config.ValueMatch, field string) error {
	if _, taken := out[nginxHeader]; taken {
		return unsupported(field, "is a second header: only one can be compared; for several values of one header use one RegularExpression")
	}
	if strings.EqualFold(header.Name, config.ProbeHeader) {
		return unsupported(field+".name", fmt.Sprintf("%q is reserved for probes: use another header", header.Name))
	}
	if !nameChars.MatchString(header.Name) {
		return unsupported(field+".name", fmt.Sprintf("%q has characters that are not accepted: use letters, digits and -", header.Name))
	}
	out[nginxHeader] = header.Name
	switch header.Type {
	case config.MatchExact:
		out[nginxHeaderValue] = header.Value
		return checkValue(header.Value, field+".value")
	case config.MatchRegex:
		out[nginxHeaderPattern] = header.Value
		return checkPattern(header.Value, field+".value")
	default:
		return unsupported(field+".type", fmt.Sprintf("%q cannot be compared: use %s or %s", header.Type, config.MatchExact, config.MatchRegex))
	}
}

// checkValue accepts what every gateway of this class compares letter by letter.
func checkValue(value, field string) error {
	switch {
	case value == "never":
		return unsupported(field, fmt.Sprintf("%q asks the gateway for stable wherever no value is compared: use another value", value))
	case !valueChars.MatchString(value):
		return unsupported(field, fmt.Sprintf("%q has characters that are not accepted: use letters, digits, spaces and - . _ ~ / :", value))
	case strings.TrimSpace(value) != value:
		return unsupported(field, fmt.Sprintf("%q begins or ends with a space, which no header does: remove it", value))
	}
	return nil
}

// checkPattern accepts what all gateways of this class understand alike, whether
// their regular expressions are PCRE or RE2. The pattern is searched for
// anywhere in the value: ^ and $ are the user's to write.
func checkPattern(pattern, field string) error {
	if !patternChars.MatchString(pattern) {
		return unsupported(field, fmt.Sprintf(
			`%q has characters that are not accepted: use letters, digits and - . _ ~ / : ^ $ [ ] ( ) { } * + ? | & = \ (for a space write \s)`, pattern))
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return unsupported(field, fmt.Sprintf("%q is not a regular expression that all gateways of this class understand: "+
			"write it in RE2, without look-around and back-references (%v)", pattern, err))
	}
	return nil
}

// addCookie adds the one comparison of a cookie that exists: equal to always.
func addCookie(out map[string]string, cookie config.ValueMatch, field string) error {
	switch {
	case out[nginxCookie] != "":
		return unsupported(field, "is a second cookie: only one can be compared")
	case !cookieChars.MatchString(cookie.Name):
		return unsupported(field+".name", fmt.Sprintf("%q has characters that are not accepted: use letters, digits and - . _ ~", cookie.Name))
	case cookie.Type != config.MatchExact || cookie.Value != cookieAlways:
		return unsupported(field+".value", fmt.Sprintf("%q cannot be compared: only type %s with the value %s can", cookie.Value, config.MatchExact, cookieAlways))
	}
	out[nginxCookie] = cookie.Name
	return nil
}

// Decode reads a route back from the annotations of a canary Ingress.
func (nginx) Decode(live *networkingv1.Ingress) (Route, error) {
	notes := live.Annotations
	failed := func(key string) (Route, error) {
		return Route{}, fmt.Errorf("reading the route of canary Ingress %s/%s: annotation %s is %q",
			live.Namespace, live.Name, key, notes[key])
	}
	if notes[nginxCanary] != "true" {
		return failed(nginxCanary)
	}
	weight, err := strconv.Atoi(notes[nginxWeight])
	if err != nil || weight < 0 || weight > 100 {
		return failed(nginxWeight)
	}
	if notes[nginxWeightTotal] != "" {
		return failed(nginxWeightTotal)
	}
	route := Route{Weight: weight}
	if name := notes[nginxHeader]; name == config.ProbeHeader && notes[nginxHeaderValue] != "" {
		route.Nonce = notes[nginxHeaderValue]
	} else if name != "" {
		header := config.ValueMatch{Name: name, Type: config.MatchExact, Value: notes[nginxHeaderValue]}
		if header.Value == "" {
			header.Type, header.Value = config.MatchRegex, notes[nginxHeaderPattern]
		}
		if header.Value == "" {
			return failed(nginxHeader)
		}
		route.Matches = append(route.Matches, config.Match{Headers: []config.ValueMatch{header}})
	}
	if name := notes[nginxCookie]; name != "" {
		cookie := config.ValueMatch{Name: name, Type: config.MatchExact, Value: cookieAlways}
		route.Matches = append(route.Matches, config.Match{Cookies: []config.ValueMatch{cookie}})
	}
	return route, nil
}
