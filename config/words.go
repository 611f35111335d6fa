package config

import "strings"

// MatchesText says in words which requests the matches select: conditions of one
// match are joined by "and", matches by "or". It is empty where there are none.
func MatchesText(matches []Match) string {
	alternatives := make([]string, 0, len(matches))
	for _, m := range matches {
		if text := m.text(); text != "" {
			alternatives = append(alternatives, text)
		}
	}
	return strings.Join(alternatives, " or ")
}

func (m Match) text() string {
	var conditions []string
	add := func(kind string, values []ValueMatch) {
		for _, v := range values {
			conditions = append(conditions, kind+" "+v.text())
		}
	}
	add("header", m.Headers)
	add("cookie", m.Cookies)
	add("query", m.Query)
	if m.Path != nil {
		add("path", []ValueMatch{*m.Path})
	}
	return strings.Join(conditions, " and ")
}

func (v ValueMatch) text() string {
	operator := "="
	switch v.Type {
	case MatchRegex:
		operator = "~"
	case MatchPrefix:
		operator = "^="
	case MatchExact:
	}
	if v.Value == "" {
		return v.Name
	}
	return v.Name + operator + v.Value
}
