package analysis_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/config"
)

const ofTraefik = `apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  strategy:
    canary:
      trafficRoutings: [{service: web, ingress: {name: web}}]
      steps:
      - traffic: 10%
        replicas: 1
        analysis: {metrics: [{template: traefik/success-rate}]}
`

// filled are the queries of a ready-made template for a side.
func filled(t *testing.T, template string, side analysis.Side) analysis.Queries {
	t.Helper()
	rollouts, err := config.Parse([]byte(strings.Replace(ofTraefik, "traefik/success-rate", template, 1)), config.Options{})
	require.NoError(t, err)
	queries, err := subject().Fill(rollouts[0].Steps[0].Analysis.Metrics[0], side)
	require.NoError(t, err)
	return queries
}

// TestTraefikTellsSidesApart holds the names that Traefik was seen to give.
func TestTraefikTellsSidesApart(t *testing.T) {
	for side, want := range map[analysis.Side]string{
		analysis.Canary: `service=~"shop-web-web-[0-9a-z]+-canary@.+"`,
		analysis.Stable: `service=~"shop-web-web-[0-9a-z]+@.+"`,
	} {
		require.Contains(t, filled(t, "traefik/success-rate", side).Requests, want)
	}
}

// TestIngressNginxCountsOneService: an Ingress may lead to others, too. Requests to
// canary carry the Service of stable.
func TestIngressNginxCountsOneService(t *testing.T) {
	selector := regexp.MustCompile(`nginx_ingress_controller_\w+\{([^}]*)\}`)
	for _, template := range config.ReadyTemplates() {
		if !strings.HasPrefix(template, "ingress-nginx/") {
			continue
		}
		for side, want := range map[analysis.Side]string{
			analysis.Canary: `exported_namespace="shop",ingress="web",exported_service="web",canary=~".+"`,
			analysis.Stable: `exported_namespace="shop",ingress="web",exported_service="web",canary=~""`,
		} {
			q := filled(t, template, side)
			found := selector.FindAllStringSubmatch(q.Value+q.Requests+q.Bad+q.Good, -1)
			require.NotEmpty(t, found, template)
			for _, s := range found {
				require.Contains(t, s[1], want, template)
			}
		}
	}
}

func TestNamesStep(t *testing.T) {
	for query, want := range map[string]bool{`up`: false, `up{step="{{step}}"}`: true, `up{a="{{ step }}"}`: true, `up{a="{{steps}}"}`: false} {
		for name, m := range map[string]config.Metric{"query": {Query: query}, "requests": {Requests: query}, "bad": {Bad: query}, "good": {Good: query}} {
			require.Equal(t, want, analysis.NamesStep([]config.Metric{{Query: "up"}, m}), "%s: %s", name, query)
		}
	}
}
