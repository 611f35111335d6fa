package gateway

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config"
)

// recorded is what a real Traefik 3.7.5 told of its routers and services, for
// the Ingress default/demo with five stable pods and two canary pods.
type recorded struct {
	Routers  map[string]json.RawMessage `json:"routers"`
	Services map[string]json.RawMessage `json:"services"`
}

func replay(t *testing.T, name string) *traefikReplica {
	t.Helper()
	data, err := os.ReadFile("testdata/traefik-3.7.5/" + name + ".json")
	require.NoError(t, err)
	var from recorded
	require.NoError(t, json.Unmarshal(data, &from))
	r := &traefikReplica{objects: map[string]any{}}
	for kind, objects := range map[string]map[string]json.RawMessage{"routers": from.Routers, "services": from.Services} {
		for id, object := range objects {
			r.objects[kind+"/"+id[:len(id)-len("@"+traefikProvider)]] = object
		}
	}
	return r
}

// TestLookAtRecordedState looks for every wanted state in every recorded one:
// exactly the right pairs must be confirmed.
func TestLookAtRecordedState(t *testing.T) {
	matched := func(weight int, matches ...config.Match) Want {
		return demoWant(func(w *Want) { w.Weight, w.Matches = weight, matches })
	}
	exact, pattern := header(config.MatchExact, "android"), header(config.MatchRegex, `^(?i)ANDR.id\s[0-9]+$`)
	wants := map[string]Want{
		"absent":                  demoWant(func(w *Want) { w.Absent = true }),
		"weight-0":                weight(0),
		"weight-10":               weight(10),
		"weight-30":               weight(30),
		"weight-100":              weight(100),
		"header-exact":            matched(0, exact),
		"header-pattern":          matched(0, pattern),
		"cookie":                  matched(0, cookie("beta.user")),
		"header-cookie-weight-20": matched(20, exact, cookie("beta.user")),
	}
	states := []string{"absent", "weight-0", "weight-10", "weight-30", "weight-100", "header-exact", "header-pattern",
		"cookie", "header-cookie-weight-20", "pattern-refused"}
	view := newView()
	view.endpoints("default", "demo-canary", "http", 8080, "10.244.1.5", "10.244.1.7")
	for _, state := range states {
		look := traefik{client: client(wires{"10.0.0.1:8080": replay(t, state)}), view: view}
		for name, want := range wants {
			v, err := look.look(t.Context(), "10.0.0.1:8080", want)
			require.NoError(t, err)
			require.Equal(t, name == state, v.done, "%s wanted, %s recorded: %s", name, state, v.seen)
			require.False(t, v.blind)
		}
	}
}

// TestLookAtRecordedCanaryWithoutReadyPods is the state after the canary was
// scaled to zero at weight 20: at first both pods are terminating, which costs
// 20 % of the requests, and then Traefik drops the canary.
func TestLookAtRecordedCanaryWithoutReadyPods(t *testing.T) {
	cases := map[string]struct {
		state string
		want  Want
		done  bool
		blind bool
	}{
		"fenced canary at its weight": {"fenced-weight-20", weight(20), false, false},
		"fenced canary not at 0 yet":  {"fenced-weight-20", weight(0), false, false},
		"fenced canary not gone":      {"fenced-weight-20", demoWant(func(w *Want) { w.Absent = true }), false, false},
		"dropped canary at a weight":  {"empty-weight-20", weight(20), false, false},
		"dropped canary at 0":         {"empty-weight-20", weight(0), true, true},
		"dropped canary is gone":      {"empty-weight-20", demoWant(func(w *Want) { w.Absent = true }), true, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			view := newView()
			view.endpoints("default", "demo-canary", "http", 8080)
			look := traefik{client: client(wires{"10.0.0.1:8080": replay(t, c.state)}), view: view}
			v, err := look.look(t.Context(), "10.0.0.1:8080", c.want)
			require.NoError(t, err)
			require.Equal(t, c.done, v.done, v.seen)
			require.Equal(t, c.blind, v.blind)
		})
	}
}

func TestLookAtRecordedServers(t *testing.T) {
	view := newView()
	servers := demoWant(func(w *Want) { w.Servers = true })
	look := traefik{client: client(wires{"10.0.0.1:8080": replay(t, "weight-30")}), view: view}

	view.endpoints("default", "demo", "http", 8080, "10.244.1.1", "10.244.1.2", "10.244.1.3", "10.244.1.4", "10.244.1.6")
	v, err := look.look(t.Context(), "10.0.0.1:8080", servers)
	require.NoError(t, err)
	require.True(t, v.done, v.seen)

	view.endpoints("default", "demo", "http", 8080, "10.244.1.1", "10.244.1.2", "10.244.1.3", "10.244.1.4", "10.244.1.7")
	v, err = look.look(t.Context(), "10.0.0.1:8080", servers)
	require.NoError(t, err)
	require.Equal(t, "has 5 servers of stable, 4 of the 5 that are ready", v.seen)
}

func TestTraefikNames(t *testing.T) {
	want := Want{Namespace: "shop.eu", Ingress: "web--x", Service: "web"}
	backend := Backend{Rule: 2, Path: 1}
	backend.Port.Name = "http"
	require.Equal(t, names{
		stable: "shop-eu-web-x-web-http",
		canary: "shop-eu-web-x-web-http-canary",
		split:  "shop-eu-web-x-web-http-wrr",
		router: "shop-eu-web-x-rule-2-path-1-canary",
	}, traefikNames(want, backend))
}
