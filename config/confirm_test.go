package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// confirmDocument is a document of our own version with more fields of its route.
func confirmDocument(route string) string {
	return strings.ReplaceAll(`apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  strategy:
    canary:
      steps: [{traffic: 10%, replicas: 1}]
      trafficRoutings:
      - service: web
        ingress: {name: web}
        ROUTE
`, "ROUTE", route)
}

// annotatedDocument is the same of Kruise with annotations.
func annotatedDocument(annotations string) string {
	text := strings.NewReplacer("sluice.dev/v1alpha1", "rollouts.kruise.io/v1beta1", "{name: web}\nspec", "\n  name: web\n  annotations:\n    "+annotations+"\nspec",
		"    canary:", "    canary:\n      enableExtraWorkloadForCanary: true").Replace(confirmDocument(""))
	return text
}

func TestConfirmIsRead(t *testing.T) {
	probe := &Probe{Path: "/version", Header: "X-Version", Equals: "{tag}"}
	cases := map[string]struct {
		document string
		want     Confirm
	}{
		"nothing":         {confirmDocument(""), Confirm{}},
		"level":           {confirmDocument("confirm: {level: grace}"), Confirm{Level: ConfirmGrace}},
		"probe":           {confirmDocument("confirm: {level: probe, probe: {path: /version, header: X-Version, equals: '{tag}'}}"), Confirm{ConfirmProbe, probe}},
		"probe, no pin":   {confirmDocument("confirm: {probe: {json: app.version}}"), Confirm{Probe: &Probe{JSON: "app.version"}}},
		"metrics":         {confirmDocument("confirm: {level: probe, probe: {metrics: true}}"), Confirm{ConfirmProbe, &Probe{Metrics: true}}},
		"json as text":    {confirmDocument(`confirm: {probe: {contains: '{"version":"v2"}'}}`), Confirm{Probe: &Probe{Contains: `{"version":"v2"}`}}},
		"kruise, level":   {annotatedDocument("sluice.dev/confirm: state"), Confirm{Level: ConfirmState}},
		"kruise, probe":   {annotatedDocument("sluice.dev/confirm: probe\n    sluice.dev/probe: '{path: /version, header: X-Version, equals: \"{tag}\"}'"), Confirm{ConfirmProbe, probe}},
		"kruise, no path": {annotatedDocument("sluice.dev/probe: '{}'"), Confirm{Probe: &Probe{}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, err := ParseOne([]byte(c.document), Options{})
			require.NoError(t, err)
			require.Equal(t, c.want, r.Traffic.Confirm)
			requireRoundTrip(t, r)
		})
	}
}

func TestConfirmIsRefused(t *testing.T) {
	const route = "spec.strategy.canary.trafficRoutings[0].confirm"
	cases := map[string]struct{ document, path, says string }{
		"level":            {confirmDocument("confirm: {level: sleep}"), route + ".level", "write state, probe or grace"},
		"route":            {confirmDocument("confirm: {level: route}"), route + ".level", "an Ingress reports no status"},
		"no probe":         {confirmDocument("confirm: {level: probe}"), route + ".level", "write confirm.probe"},
		"path":             {confirmDocument("confirm: {probe: {path: version}}"), route + ".probe.path", "write /version"},
		"host":             {confirmDocument("confirm: {probe: {host: 'http://a'}}"), route + ".probe.host", "without scheme"},
		"two places":       {confirmDocument("confirm: {probe: {header: a, json: b}}"), route + ".probe.json", "keep one"},
		"metrics and more": {confirmDocument("confirm: {probe: {metrics: true, header: a}}"), route + ".probe.metrics", "keep metrics"},
		"two answers":      {confirmDocument("confirm: {probe: {equals: a, contains: b}}"), route + ".probe.contains", "keep one"},
		"placeholder":      {confirmDocument("confirm: {probe: {equals: '{tags}'}}"), route + ".probe.equals", "{tag:CONTAINER} and {pod}"},
		"unknown field":    {confirmDocument("confirm: {probe: {body: a}}"), route + ".probe.body", "unknown field"},
		"annotation":       {annotatedDocument("sluice.dev/confirm: best"), "metadata.annotations[\"sluice.dev/confirm\"]", "unknown level"},
		"annotation probe": {annotatedDocument("sluice.dev/confirm: probe"), "metadata.annotations[\"sluice.dev/confirm\"]", "write annotation sluice.dev/probe"},
		"not a map":        {annotatedDocument("sluice.dev/probe: '['"), "metadata.annotations[\"sluice.dev/probe\"]", "not a map"},
		"annotation field": {annotatedDocument("sluice.dev/probe: '{pth: /a}'"), "metadata.annotations[\"sluice.dev/probe\"].pth", "did you mean"},
		"own annotation":   {strings.Replace(confirmDocument(""), "{name: web}\nspec", "{name: web, annotations: {sluice.dev/confirm: grace}}\nspec", 1), "metadata.annotations[\"sluice.dev/confirm\"]", "write confirm.level"},
		"reserved header": {strings.Replace(confirmDocument(""), "traffic: 10%", "matches: [{headers: [{name: x-sluice-probe, value: a}]}]", 1),
			"spec.strategy.canary.steps[0].matches[0].headers[0].name", "reserved"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := ParseOne([]byte(c.document), Options{})
			require.ErrorContains(t, err, c.path)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestProbeExpand(t *testing.T) {
	tag := func(container string) string { return "v2" + container }
	require.Nil(t, Probe{}.Expand(tag, []string{"a"}))
	require.Equal(t, []string{"v2"}, Probe{Equals: "{tag}"}.Expand(tag, nil))
	require.Equal(t, []string{`{"v":"v2main"}`}, Probe{Contains: `{"v":"{tag:main}"}`}.Expand(tag, []string{"a", "b"}))
	require.Equal(t, []string{"pod a", "pod b"}, Probe{Equals: "pod {pod}"}.Expand(tag, []string{"a", "b"}))
	require.Empty(t, Probe{Equals: "{pod}"}.Expand(tag, nil))
	require.True(t, Probe{Equals: "{pod}"}.NamesPods())
	require.False(t, Probe{Equals: "{tag}"}.NamesPods())
}
