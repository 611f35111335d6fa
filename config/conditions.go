package config

import (
	"sluice.dev/sluice/config/kruise"
	own "sluice.dev/sluice/config/v1alpha1"
)

// conditionKind is what of a request a condition looks at.
type conditionKind string

const (
	onHeader conditionKind = "header"
	onCookie conditionKind = "cookie"
	onQuery  conditionKind = "query parameter"
	onPath   conditionKind = "path"
)

// condition is one condition of a match with the place where it is written.
type condition struct {
	kind conditionKind
	path string
	// nameAt is the path of the name that is compared.
	nameAt string
	ValueMatch
}

func newCondition(kind conditionKind, path string, value ValueMatch) condition {
	return condition{kind: kind, path: path, nameAt: path + ".name", ValueMatch: value}
}

// conditions lists the conditions of a match, in the order of the document's
// fields.
func (d *draft) conditions(match own.Match, path string) []condition {
	var list []condition
	for i, m := range match.Headers {
		list = append(list, d.headerCondition(m, indexPath(path+".headers", i)))
	}
	for i, m := range match.Cookies {
		list = append(list, newCondition(onCookie, indexPath(path+".cookies", i), valueMatch(m)))
	}
	for i, m := range match.QueryParams {
		list = append(list, newCondition(onQuery, indexPath(path+".queryParams", i), valueMatch(m)))
	}
	if p := match.Path; p != nil {
		value := ValueMatch{Type: MatchPrefix, Value: "/"}
		if p.Type != nil {
			value.Type = MatchType(*p.Type)
		}
		if p.Value != nil {
			value.Value = *p.Value
		}
		list = append(list, newCondition(onPath, path+".path", value))
	}
	return list
}

// headerCondition understands the header that stands for a cookie in Kruise
// documents.
func (d *draft) headerCondition(m kruise.ValueMatch, path string) condition {
	if !d.kruise || m.Name != kruise.CookieHeader {
		return newCondition(onHeader, path, valueMatch(m))
	}
	value := valueMatch(m)
	cookie := newCondition(onCookie, path, ValueMatch{Name: value.Value, Type: value.Type, Value: CookieAlways})
	cookie.nameAt = path + ".value"
	return cookie
}

func valueMatch(m kruise.ValueMatch) ValueMatch {
	converted := ValueMatch{Name: m.Name, Type: MatchExact, Value: m.Value}
	if m.Type != nil {
		converted.Type = MatchType(*m.Type)
	}
	return converted
}

// buildMatch groups conditions by what they look at.
func buildMatch(conditions []condition) Match {
	var m Match
	for _, c := range conditions {
		switch c.kind {
		case onHeader:
			m.Headers = append(m.Headers, c.ValueMatch)
		case onCookie:
			m.Cookies = append(m.Cookies, c.ValueMatch)
		case onQuery:
			m.Query = append(m.Query, c.ValueMatch)
		case onPath:
			m.Path = &c.ValueMatch
		}
	}
	return m
}
