package traffic

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/config"
)

// FuzzRender feeds Ingresses and routes of every shape: nothing may panic, the
// user's Ingress stays as it is, and what is rendered reads back as the route.
func FuzzRender(f *testing.F) {
	cases, err := filepath.Glob("testdata/*/route.yaml")
	require.NoError(f, err)
	for _, path := range cases {
		f.Add(asJSON(f, filepath.Join(filepath.Dir(path), "ingress.yaml")), asJSON(f, path))
	}
	f.Add([]byte(`{"spec":{"rules":[{},{"http":null},{"http":{"paths":[{},{"backend":{}},{"backend":{"service":{"name":"demo"}}}]}}]}}`), []byte(`{"matches":[{"path":{}},{}]}`))
	f.Fuzz(func(t *testing.T, ingress, route []byte) {
		var base networkingv1.Ingress
		var want Route
		if json.Unmarshal(ingress, &base) != nil || json.Unmarshal(route, &want) != nil {
			return
		}
		before := base.DeepCopy()
		rendered, err := nginx{}.Render(&base, demoRef("demo"), want)
		require.Equal(t, before, &base)
		if err != nil {
			var unsupported *UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			return
		}
		requireOnlyCanaryPaths(t, &base, rendered)
		requireSameRoute(t, want, rendered)
	})
}

func asJSON(f *testing.F, path string) []byte {
	f.Helper()
	data, err := os.ReadFile(path)
	require.NoError(f, err)
	data, err = yaml.YAMLToJSON(data)
	require.NoError(f, err)
	return data
}

// requireOnlyCanaryPaths checks that each path of the canary is one of base that
// leads to the user's Service, with nothing but the Service exchanged.
func requireOnlyCanaryPaths(t *testing.T, base, canary *networkingv1.Ingress) {
	t.Helper()
	type key struct{ host, path, kind, port string }
	paths := func(ingress *networkingv1.Ingress, service string) map[key]int {
		found := map[key]int{}
		for _, rule := range ingress.Spec.Rules {
			if rule.HTTP == nil {
				continue
			}
			for _, p := range rule.HTTP.Paths {
				if p.Backend.Service == nil || p.Backend.Service.Name != service {
					continue
				}
				kind := ""
				if p.PathType != nil {
					kind = string(*p.PathType)
				}
				port, err := json.Marshal(p.Backend.Service.Port)
				require.NoError(t, err)
				found[key{rule.Host, p.Path, kind, string(port)}]++
			}
		}
		return found
	}
	require.Equal(t, paths(base, "demo"), paths(canary, "demo-canary"))
	require.Empty(t, paths(canary, "demo"))
	require.Nil(t, canary.Spec.DefaultBackend)
	require.Nil(t, canary.Spec.TLS)
}

// requireSameRoute reads the route back. Header and cookie have no order.
func requireSameRoute(t *testing.T, want Route, rendered *networkingv1.Ingress) {
	t.Helper()
	got, err := nginx{}.Decode(rendered)
	require.NoError(t, err)
	require.Equal(t, want.Weight, got.Weight)
	require.Len(t, got.Matches, len(want.Matches))
	for _, match := range want.Matches {
		require.Contains(t, normal(got.Matches), normal([]config.Match{match})[0])
	}
}

func normal(matches []config.Match) []string {
	var out []string
	for _, match := range matches {
		data, _ := json.Marshal(match)
		out = append(out, string(data))
	}
	return out
}

// TestRenderEveryExpressibleRoute draws routes that the gateway can express:
// none may be refused, and all read back.
func TestRenderEveryExpressibleRoute(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	base := canaryBase(t)
	for range 2000 {
		route := expressible(random)
		rendered, err := nginx{}.Render(base, demoRef("demo"), route)
		require.NoError(t, err, "%+v", route)
		got, err := nginx{}.Decode(rendered)
		require.NoError(t, err)
		require.Equal(t, route, got)
	}
}

func canaryBase(t *testing.T) *networkingv1.Ingress {
	t.Helper()
	var base networkingv1.Ingress
	readYAML(t, "testdata/seed-weight-0/ingress.yaml", &base)
	return &base
}

func expressible(random *rand.Rand) Route {
	route := Route{Weight: random.IntN(101)}
	if random.IntN(2) == 0 {
		header := config.ValueMatch{Name: word(random, strings.TrimSuffix(nameAlphabet, "_")), Type: config.MatchExact, Value: "v" + word(random, "-._~abcXYZ019/: ") + "v"}
		if random.IntN(2) == 0 {
			patterns := []string{"(?i)android", `^a.*\s[0-9]+$`, "a|b", `x{2}`, `[^=&]*\(`, "(?:a|b)+?"}
			header.Type, header.Value = config.MatchRegex, patterns[random.IntN(len(patterns))]
		}
		route.Matches = append(route.Matches, config.Match{Headers: []config.ValueMatch{header}})
	}
	if random.IntN(2) == 0 {
		cookie := config.ValueMatch{Name: word(random, nameAlphabet+".~"), Type: config.MatchExact, Value: "always"}
		route.Matches = append(route.Matches, config.Match{Cookies: []config.ValueMatch{cookie}})
	}
	return route
}

const nameAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

func word(random *rand.Rand, alphabet string) string {
	out := make([]byte, 1+random.IntN(12))
	for i := range out {
		out[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(out)
}
