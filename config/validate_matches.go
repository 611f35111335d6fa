package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice.dev/sluice/config/kruise"
	own "sluice.dev/sluice/config/v1alpha1"
)

// validateMatches checks the matches of a step by themselves and against what
// the class of the route can express.
func validateMatches(r *report, d *draft, path string, step own.Step) {
	if len(step.Matches) == 0 {
		return
	}
	if len(step.Matches) > MaxMatches {
		r.add(path+".matches", fmt.Sprintf("there are %d matches", len(step.Matches)), fmt.Sprintf("write at most %d", MaxMatches))
	}
	capability := d.capability()
	var all []condition
	for i, match := range step.Matches {
		at := indexPath(path+".matches", i)
		conditions := d.conditions(match, at)
		validateMatch(r, capability, at, conditions)
		all = append(all, conditions...)
	}
	validateTogether(r, capability, path, all)
	if step.Traffic != nil && !capability.WeightWithMatch {
		r.add(path+"."+d.weight, fmt.Sprintf("Ingresses of class %s cannot have a weight and matches in one step", capability.Class), "put them in steps of their own")
	}
}

// capability returns what the route can express; where its class is wrong or
// missing, which is reported elsewhere, the default's.
func (d *draft) capability() Capability {
	class := DefaultClass
	if routes := d.doc.Spec.Strategy.Canary.TrafficRoutings; len(routes) > 0 && routes[0].Ingress != nil {
		class = routes[0].Ingress.ClassType
	}
	if c, known := CapabilityOf(class); known {
		return c
	}
	c, _ := CapabilityOf(DefaultClass)
	return c
}

func validateMatch(r *report, capability Capability, path string, conditions []condition) {
	switch {
	case len(conditions) == 0 && r.brokenBelow(path):
	case len(conditions) == 0:
		r.add(path, "the match has no condition", "write at least one, or remove the match")
	case len(conditions) > maxConditions:
		r.add(path, fmt.Sprintf("there are %d conditions", len(conditions)), fmt.Sprintf("write at most %d", maxConditions))
	case len(conditions) > 1:
		r.add(path, fmt.Sprintf("Ingresses of class %s cannot ask for several conditions at once (AND)", capability.Class),
			"write one condition per match; a request that fits any match is sent to canary (OR)")
	}
	for _, c := range conditions {
		switch c.kind {
		case onHeader:
			validateHeader(r, capability, c)
		case onCookie:
			validateCookie(r, capability, c)
		case onQuery:
			validateFree(r, c, capability.Query, capability.Class, MatchExact, MatchRegex)
		case onPath:
			validateFree(r, c, capability.Path, capability.Class, MatchPrefix, MatchExact, MatchRegex)
		}
	}
}

// validateTogether checks what all matches of a step ask for.
func validateTogether(r *report, capability Capability, path string, all []condition) {
	count := map[conditionKind]int{}
	for _, c := range all {
		count[c.kind]++
	}
	at := path + ".matches"
	if count[onHeader] > capability.Headers {
		r.add(at, fmt.Sprintf("Ingresses of class %s can compare %d header in one step, the matches ask for %d", capability.Class, capability.Headers, count[onHeader]),
			"keep one; several values of one header can be one regular expression, such as ^(android|ios)$")
	}
	if count[onCookie] > capability.Cookies {
		r.add(at, fmt.Sprintf("Ingresses of class %s can compare %d cookie in one step, the matches ask for %d", capability.Class, capability.Cookies, count[onCookie]), "keep one")
	}
	if count[onHeader] > 0 && count[onCookie] > 0 && !capability.HeaderOrCookie {
		r.add(at, fmt.Sprintf("Ingresses of class %s cannot compare a header and a cookie in one step", capability.Class), "keep one of them")
	}
}

func validateHeader(r *report, capability Capability, c condition) {
	switch {
	case c.Name == "":
		r.add(c.nameAt, "the name of the header is missing", "")
	case c.Name == kruise.CookieHeader:
		r.add(c.nameAt, "only Kruise documents compare a cookie in this way", "write it in cookies, with its name and the value always")
	case strings.EqualFold(c.Name, ProbeHeader):
		r.add(c.nameAt, "the header is reserved for probes of the gateway", "choose another one")
	case !capability.HeaderName.Accept(c.Name):
		r.add(c.nameAt, "the gateway ignores such a header", "allowed: "+capability.HeaderName.Allowed)
	}
	at := c.path + ".value"
	switch c.Type {
	case MatchExact:
		switch {
		case c.Value == "":
			r.add(at, "the value to compare with is missing", "")
		case slices.Contains(capability.ReservedValues, c.Value):
			r.add(at, "the value is reserved: to the gateway it means that the request is not for canary", "choose another one")
		case !capability.HeaderValue.Accept(c.Value):
			r.add(at, "the gateway would drop the value and with it the rule", "allowed: "+capability.HeaderValue.Allowed)
		}
	case MatchRegex:
		validatePattern(r, at, c.Value)
		if c.Value != "" && !capability.HeaderPattern.Accept(c.Value) {
			r.add(at, "the gateway would drop the expression and with it the rule", "allowed: "+capability.HeaderPattern.Allowed)
		}
	default:
		unknownType(r, c, MatchExact, MatchRegex)
	}
}

// validatePattern accepts what both kinds of gateways understand alike: those
// with PCRE (nginx) and those with RE2 (Traefik, Envoy).
func validatePattern(r *report, path, pattern string) {
	if pattern == "" {
		r.add(path, "the regular expression is missing", "")
		return
	}
	if _, err := regexp.Compile(pattern); err != nil {
		r.add(path, "not a regular expression of RE2: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "),
			"look-around, back references and possessive quantifiers of PCRE do not work on every gateway")
	}
}

func validateCookie(r *report, capability Capability, c condition) {
	switch {
	case c.Name == "":
		r.add(c.nameAt, "the name of the cookie is missing", "")
	case !capability.CookieName.Accept(c.Name):
		r.add(c.nameAt, "the gateway would drop the name of the cookie and with it the rule", "allowed: "+capability.CookieName.Allowed)
	}
	if c.Type != MatchExact {
		r.add(c.path+".type", "a cookie can only be compared exactly", "write Exact or leave it out")
	}
	if !slices.Contains(capability.CookieValues, c.Value) {
		r.add(c.path+".value", "the gateway compares a cookie with fixed values only", "write "+strings.Join(capability.CookieValues, " or "))
	}
}

// validateFree checks a condition on something that not every class can look
// at.
func validateFree(r *report, c condition, able bool, class string, types ...MatchType) {
	if !able {
		r.add(c.path, fmt.Sprintf("Ingresses of class %s cannot compare a %s", class, c.kind), "compare a header or a cookie")
		return
	}
	if c.kind == onQuery && c.Name == "" {
		r.add(c.nameAt, "the name of the query parameter is missing", "")
	}
	if !slices.Contains(types, c.Type) {
		unknownType(r, c, types...)
	}
	if c.Type == MatchRegex {
		validatePattern(r, c.path+".value", c.Value)
	}
}

func unknownType(r *report, c condition, types ...MatchType) {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = string(t)
	}
	r.add(c.path+".type", "unknown way to compare", "write "+strings.Join(names, " or "))
}
