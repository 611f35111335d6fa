package traffic

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config"
)

func header(kind config.MatchType, value string) config.Match {
	return config.Match{Headers: []config.ValueMatch{{Name: "user-agent", Type: kind, Value: value}}}
}

func crumb(name string) config.Match {
	return config.Match{Cookies: []config.ValueMatch{{Name: name, Type: config.MatchExact, Value: "always"}}}
}

func TestHigressAnnotations(t *testing.T) {
	cases := map[string]struct {
		route Route
		want  map[string]string
	}{
		"nothing":    {Route{}, map[string]string{nginxCanary: "true", nginxWeight: "0"}},
		"everything": {Route{Weight: 100}, map[string]string{nginxCanary: "true", nginxWeight: "100"}},
		"weight":     {Route{Weight: 53}, map[string]string{nginxCanary: "true", nginxWeight: "531", nginxWeightTotal: "1000"}},
		"exact": {Route{Matches: []config.Match{header(config.MatchExact, "a.b")}},
			map[string]string{nginxCanary: "true", nginxWeight: "0", nginxHeader: "user-agent", nginxHeaderPattern: `^a\.b$`}},
		"pattern": {Route{Matches: []config.Match{header(config.MatchRegex, "foo|bar")}},
			map[string]string{nginxCanary: "true", nginxWeight: "0", nginxHeader: "user-agent", nginxHeaderPattern: "(?:foo|bar)"}},
		"cookie": {Route{Matches: []config.Match{crumb("tester")}},
			map[string]string{nginxCanary: "true", nginxWeight: "0", nginxCookie: "tester"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			rendered, err := higress{}.Render(canaryBase(t), demoRef("demo"), c.route)
			require.NoError(t, err)
			got := map[string]string{}
			for _, key := range routeKeys {
				if value, ok := rendered.Annotations[key]; ok {
					got[key] = value
				}
			}
			require.Equal(t, c.want, got)
			decoded, err := higress{}.Decode(rendered)
			require.NoError(t, err)
			require.Equal(t, c.route, decoded)
		})
	}
}

func TestHigressRefusesWhatItWouldIgnore(t *testing.T) {
	cases := map[string]struct {
		route Route
		field string
	}{
		"weight beside a match": {Route{Weight: 10, Matches: []config.Match{crumb("tester")}}, "weight"},
		"header and cookie":     {Route{Matches: []config.Match{header(config.MatchExact, "x"), crumb("tester")}}, "matches[1]"},
		"cookie with a dot":     {Route{Matches: []config.Match{crumb("a.b")}}, "matches[0].cookies[0].name"},
		"weight of 101":         {Route{Weight: 101}, "weight"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := higress{}.Render(canaryBase(t), demoRef("demo"), c.route)
			var unsupported *UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			require.Equal(t, ClassHigress, unsupported.Class)
			require.Equal(t, c.field, unsupported.Field)
		})
	}
}

// TestHigressWeightsSurviveItsArithmetic repeats how Higress cuts a weight to
// whole percents.
func TestHigressWeightsSurviveItsArithmetic(t *testing.T) {
	for weight := range 101 {
		notes, err := higressAnnotations(Route{Weight: weight})
		require.NoError(t, err)
		total := 100
		if text, ok := notes[nginxWeightTotal]; ok {
			total, err = strconv.Atoi(text)
			require.NoError(t, err)
		}
		written, err := strconv.Atoi(notes[nginxWeight])
		require.NoError(t, err)
		require.Equal(t, weight, int(float32(written)/float32(total)*100))
	}
}

// TestHigressLeavesNothingOfTheOldRoute draws routes one after the other on one
// Ingress: each reads back as itself.
func TestHigressLeavesNothingOfTheOldRoute(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	live, err := higress{}.Render(canaryBase(t), demoRef("demo"), Route{})
	require.NoError(t, err)
	accepted := 0
	for range 2000 {
		route := expressible(random)
		next, err := higress{}.Reroute(live, demoRef("demo"), route)
		if err != nil {
			continue
		}
		accepted++
		got, err := higress{}.Decode(next)
		require.NoError(t, err)
		require.Equal(t, route, got)
		live = next
	}
	require.Greater(t, accepted, 300)
}
