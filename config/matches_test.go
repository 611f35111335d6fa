package config

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config/kruise"
	own "sluice.dev/sluice/config/v1alpha1"
)

// withMatches returns the smallest document of a version with matches, in one
// line, in its first step.
func withMatches(t *testing.T, document, matches string) []byte {
	t.Helper()
	return []byte(edit(t, document, "replicas: 1\n", "replicas: 1\n        matches: "+matches+"\n"))
}

func TestMatchesAccepted(t *testing.T) {
	header := func(kind MatchType, value string) []Match {
		return []Match{{Headers: []ValueMatch{{Name: "x-user", Type: kind, Value: value}}}}
	}
	vip := Match{Cookies: []ValueMatch{{Name: "vip", Type: MatchExact, Value: "always"}}}
	cases := []struct {
		name, document, matches string
		want                    []Match
	}{
		{"exact by default", betaDocument, `[{headers: [{name: x-user, value: a}]}]`, header(MatchExact, "a")},
		{"exact", betaDocument, `[{headers: [{name: x-user, type: Exact, value: "Mozilla/5.0 ~a:b_c-d"}]}]`, header(MatchExact, "Mozilla/5.0 ~a:b_c-d")},
		{"always", betaDocument, `[{headers: [{name: x-user, value: always}]}]`, header(MatchExact, "always")},
		{"expression", alphaDocument, `[{headers: [{name: x-user, type: RegularExpression, value: "^(?i)[a-z]{2}\\d+$"}]}]`, header(MatchRegex, `^(?i)[a-z]{2}\d+$`)},
		{"cookie as in Kruise", alphaDocument, `[{headers: [{name: canary-by-cookie, value: vip}]}]`, []Match{vip}},
		{"cookie", ownDocument, `[{cookies: [{name: vip, value: always}]}]`, []Match{vip}},
		{"header or cookie", ownDocument, `[{headers: [{name: x-user, value: a}]}, {cookies: [{name: vip, value: always}]}]`, append(header(MatchExact, "a"), vip)},
		{"none", betaDocument, `[]`, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, err := ParseOne(withMatches(t, c.document, c.matches), Options{})
			require.NoError(t, err)
			require.Equal(t, c.want, r.Steps[0].Matches)
			require.Equal(t, 10, *r.Steps[0].Weight, "nginx takes a weight beside the matches")
		})
	}
}

func TestMatchesRefused(t *testing.T) {
	const at = "spec.strategy.canary.steps[0].matches"
	long := "[" // 17 matches
	for range 17 {
		long += "{headers: [{name: a, value: b}]}, "
	}
	cases := []struct {
		name, document, matches string
		path, problem           string
	}{
		{"two headers", betaDocument, `[{headers: [{name: a, value: b}]}, {headers: [{name: a, value: c}]}]`, at, "can compare 1 header in one step, the matches ask for 2"},
		{"two cookies", ownDocument, `[{cookies: [{name: a, value: always}]}, {cookies: [{name: b, value: always}]}]`, at, "can compare 1 cookie in one step, the matches ask for 2"},
		{"header and cookie", ownDocument, `[{headers: [{name: a, value: b}], cookies: [{name: c, value: always}]}]`, at + "[0]", "several conditions at once (AND)"},
		{"empty", betaDocument, `[{}]`, at + "[0]", "no condition"},
		{"query", betaDocument, `[{queryParams: [{name: a, value: b}]}]`, at + "[0].queryParams[0]", "cannot compare a query parameter"},
		{"path", betaDocument, `[{path: {value: /a}}]`, at + "[0].path", "cannot compare a path"},
		{"query in alpha", alphaDocument, `[{queryParams: [{name: a, value: b}]}]`, at + "[0].queryParams", "unknown field"},
		{"header without name", betaDocument, `[{headers: [{value: b}]}]`, at + "[0].headers[0].name", "name of the header is missing"},
		{"name of a header", betaDocument, `[{headers: [{name: "a b", value: b}]}]`, at + "[0].headers[0].name", "ignores such a header"},
		{"underscore", betaDocument, `[{headers: [{name: x_user, value: b}]}]`, at + "[0].headers[0].name", "ignores such a header"},
		{"header without value", betaDocument, `[{headers: [{name: a}]}]`, at + "[0].headers[0].value", "missing"},
		{"value with a comma", betaDocument, `[{headers: [{name: a, value: "b,c"}]}]`, at + "[0].headers[0].value", "drop the value"},
		{"value with a space around", betaDocument, `[{headers: [{name: a, value: " b"}]}]`, at + "[0].headers[0].value", "drop the value"},
		{"value with a line break", betaDocument, `[{headers: [{name: a, value: "b\n"}]}]`, at + "[0].headers[0].value", "drop the value"},
		{"never", betaDocument, `[{headers: [{name: a, value: never}]}]`, at + "[0].headers[0].value", "reserved"},
		{"unknown comparison", betaDocument, `[{headers: [{name: a, type: exact, value: b}]}]`, at + "[0].headers[0].type", "unknown way to compare"},
		{"no expression", betaDocument, `[{headers: [{name: a, type: RegularExpression}]}]`, at + "[0].headers[0].value", "regular expression is missing"},
		{"look-ahead", betaDocument, `[{headers: [{name: a, type: RegularExpression, value: "(?=b)"}]}]`, at + "[0].headers[0].value", "not a regular expression of RE2"},
		{"back reference", betaDocument, `[{headers: [{name: a, type: RegularExpression, value: "(b)\\1"}]}]`, at + "[0].headers[0].value", "not a regular expression of RE2"},
		{"possessive", betaDocument, `[{headers: [{name: a, type: RegularExpression, value: "b++"}]}]`, at + "[0].headers[0].value", "not a regular expression of RE2"},
		{"expression with a space", betaDocument, `[{headers: [{name: a, type: RegularExpression, value: "b c"}]}]`, at + "[0].headers[0].value", "drop the expression"},
		{"expression with a comma", betaDocument, `[{headers: [{name: a, type: RegularExpression, value: "b{1,2}"}]}]`, at + "[0].headers[0].value", "drop the expression"},
		{"cookie name", betaDocument, `[{headers: [{name: canary-by-cookie, value: "a b"}]}]`, at + "[0].headers[0].value", "drop the name of the cookie"},
		{"cookie without name", betaDocument, `[{headers: [{name: canary-by-cookie}]}]`, at + "[0].headers[0].value", "name of the cookie is missing"},
		{"cookie by expression", betaDocument, `[{headers: [{name: canary-by-cookie, type: RegularExpression, value: a}]}]`, at + "[0].headers[0].type", "compared exactly"},
		{"cookie as a header", ownDocument, `[{headers: [{name: canary-by-cookie, value: a}]}]`, at + "[0].headers[0].name", "only Kruise documents"},
		{"cookie with a value", ownDocument, `[{cookies: [{name: a, value: yes-please}]}]`, at + "[0].cookies[0].value", "fixed values only"},
		{"too many", betaDocument, long + "]", at, "there are 17 matches"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(withMatches(t, c.document, c.matches), Options{})
			requireProblem(t, err, c.path, c.problem)
		})
	}
}

// The rows of classes without renderer must be right before they get one.
func TestCapabilities(t *testing.T) {
	check := func(class string, conditions ...condition) Errors {
		capability, known := CapabilityOf(class)
		require.True(t, known)
		r := newReport(1, "")
		for _, c := range conditions {
			validateMatch(r, capability, c.path, []condition{c})
		}
		validateTogether(r, capability, "step", conditions)
		return r.errs
	}
	header := newCondition(onHeader, "header", ValueMatch{Name: "a", Type: MatchExact, Value: "b"})
	cookie := newCondition(onCookie, "cookie", ValueMatch{Name: "a", Type: MatchExact, Value: "always"})
	query := newCondition(onQuery, "query", ValueMatch{Name: "a", Type: MatchExact, Value: "b"})
	require.Equal(t, []string{"nginx", "higress", "aliyun-alb", "mse"}, Classes())
	require.Empty(t, check("nginx", header, cookie))
	for _, class := range []string{"higress", "aliyun-alb", "mse"} {
		require.Empty(t, check(class, header))
		require.Empty(t, check(class, cookie))
		require.ErrorContains(t, check(class, header, cookie), "cannot compare a header and a cookie")
		require.ErrorContains(t, check(class, header, header), "can compare 1 header")
		capability, _ := CapabilityOf(class)
		require.Equal(t, class == "higress", capability.Supported)
		require.False(t, capability.WeightWithMatch)
	}
	require.Empty(t, check("mse", query))
	require.ErrorContains(t, check("higress", query), "cannot compare a query parameter")
	_, known := CapabilityOf("istio")
	require.False(t, known)
}

// Conditions on queries and paths have no renderer yet, but are read in full.
func TestOtherConditions(t *testing.T) {
	match := own.Match{Match: kruise.Match{
		QueryParams: []kruise.ValueMatch{{Name: "a", Type: new("RegularExpression"), Value: "b+"}},
		Path:        &kruise.PathMatch{},
	}}
	d := draft{}
	conditions := d.conditions(match, "m")
	built := buildMatch(conditions)
	require.Equal(t, Match{
		Query: []ValueMatch{{Name: "a", Type: MatchRegex, Value: "b+"}},
		Path:  &ValueMatch{Type: MatchPrefix, Value: "/"},
	}, built)
	require.Equal(t, built, buildMatch(d.conditions(renderMatch(built), "m")))

	for name, c := range map[string]struct {
		condition condition
		want      string
	}{
		"no name":    {newCondition(onQuery, "q", ValueMatch{Type: MatchExact}), "q.name: the name of the query parameter is missing"},
		"prefix":     {newCondition(onQuery, "q", ValueMatch{Name: "a", Type: MatchPrefix}), "q.type: unknown way to compare; write Exact or RegularExpression"},
		"expression": {newCondition(onPath, "p", ValueMatch{Type: MatchRegex, Value: "("}), "p.value: not a regular expression of RE2"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReport(1, "")
			validateMatch(r, Capability{Query: true, Path: true}, "m", []condition{c.condition})
			require.ErrorContains(t, r.errs, c.want)
		})
	}
}
