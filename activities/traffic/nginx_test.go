package traffic

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// demoRef is the release of the Service demo behind an Ingress.
func demoRef(ingress string) release.Ref {
	return release.Ref{
		ID:        "r-1",
		Namespace: "default",
		Workload:  config.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "demo"},
		Service:   "demo",
		Ingress:   ingress,
		Class:     ClassNginx,
		Seq:       7,
	}
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(data, into))
}

func TestRenderGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/*/route.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	for _, path := range cases {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var base networkingv1.Ingress
			var route Route
			readYAML(t, filepath.Join(dir, "ingress.yaml"), &base)
			readYAML(t, path, &route)
			before := base.DeepCopy()

			name, got := "want.yaml", ""
			rendered, err := nginx{}.Render(&base, demoRef(base.Name), route)
			if err != nil {
				var unsupported *UnsupportedError
				require.ErrorAs(t, err, &unsupported)
				name, got = "want.err", err.Error()+"\n"
			} else {
				data, err := yaml.Marshal(rendered)
				require.NoError(t, err)
				got = strings.ReplaceAll(string(data), "status:\n  loadBalancer: {}\n", "")
				decoded, err := nginx{}.Decode(rendered)
				require.NoError(t, err)
				require.Equal(t, route, decoded, "Decode(Render(route))")
			}
			require.Equal(t, before, &base, "the user's Ingress must not be changed")
			golden(t, filepath.Join(dir, name), got)
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestRerouteLeavesNothingOfTheOldRoute(t *testing.T) {
	live := &networkingv1.Ingress{}
	live.Namespace, live.Name, live.ResourceVersion = "default", "demo-canary", "5"
	live.Labels = map[string]string{"team": "shop"}
	live.Annotations = map[string]string{
		kube.AnnotationClass: "nginx",
		"example.com/note":   "keep",
		nginxCanary:          "true", nginxWeight: "30", nginxWeightTotal: "1000",
		nginxHeader: "a", nginxHeaderPattern: "x.*", nginxHeaderValue: "x", nginxCookie: "c",
	}
	got, err := nginx{}.Reroute(live, demoRef("demo"), Route{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		kube.AnnotationClass:  "nginx",
		"example.com/note":    "keep",
		nginxCanary:           "true",
		nginxWeight:           "0",
		release.AnnotationSeq: "7",
	}, got.Annotations)
	require.Equal(t, map[string]string{"team": "shop", release.LabelRollout: "r-1", release.LabelWorkload: "demo"}, got.Labels)
	require.Equal(t, "30", live.Annotations[nginxWeight], "the live object is not changed")
}

func TestDecodeRefusesWhatARouteCannotSay(t *testing.T) {
	good := map[string]string{nginxCanary: "true", nginxWeight: "10"}
	cases := map[string]struct{ key, value, want string }{
		"not a canary":         {nginxCanary, "false", nginxCanary},
		"no weight":            {nginxWeight, "", nginxWeight},
		"weight too large":     {nginxWeight, "101", nginxWeight},
		"weight is text":       {nginxWeight, "ten", nginxWeight},
		"total":                {nginxWeightTotal, "1000", nginxWeightTotal},
		"header without value": {nginxHeader, "x-canary", nginxHeader},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			live := &networkingv1.Ingress{}
			live.Annotations = map[string]string{}
			for key, value := range good {
				live.Annotations[key] = value
			}
			live.Annotations[c.key] = c.value
			_, err := nginx{}.Decode(live)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestAdapterFor(t *testing.T) {
	adapter, err := AdapterFor("nginx")
	require.NoError(t, err)
	require.Equal(t, Capabilities{Headers: 1, Cookies: 1, WeightWithMatches: true, StablePods: 1, StickyAtZero: true}, adapter.Capabilities())

	_, err = AdapterFor("haproxy")
	var unsupported *UnsupportedError
	require.ErrorAs(t, err, &unsupported)
	require.EqualError(t, err, `class "haproxy": class is not a known class of gateways: use one of higress, nginx`)
}
