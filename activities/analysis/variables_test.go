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

// generated is the name that Kubernetes gives to a pod of a ReplicaSet of a
// Deployment, as its generator of names does.
func generated(deployment, hash string) string {
	base := deployment + "-" + hash + "-"
	return base[:min(len(base), 58)] + "x7k2q"
}

// TestPodsOfLongNames: for Deployments of all lengths, the variable matches their
// pods and not those of the other side, or the query is refused.
func TestPodsOfLongNames(t *testing.T) {
	metric := config.Metric{Name: "up", Query: `up{pod=~"{{pods}}"}`}
	value := regexp.MustCompile(`pod=~"(.*)"`)
	refused := 0
	for length := 1; length <= 100; length++ {
		s := subject()
		s.Ref.Workload.Name = strings.Repeat("checkout.a", 11)[:length-1] + "b"
		pods := map[analysis.Side][]string{}
		for _, hash := range []string{"7", "c9f8d", "5d4f8c7b9", "6b4c9f7d85", "cccccccccc"} {
			pods[analysis.Stable] = append(pods[analysis.Stable], generated(s.Ref.Workload.Name, hash))
			pods[analysis.Canary] = append(pods[analysis.Canary], generated(s.Ref.CanaryDeployment(), hash))
		}
		for side := range pods {
			queries, err := s.Fill(metric, side)
			if err != nil {
				require.ErrorContains(t, err, "cannot be told apart by their names")
				refused++
				continue
			}
			pattern := regexp.MustCompile("^(?:" + value.FindStringSubmatch(queries.Value)[1] + ")$")
			for of, names := range pods {
				for _, name := range names {
					require.Equal(t, of == side, pattern.MatchString(name), "%s is of %s, asked for %s by %s", name, of, side, pattern)
				}
			}
		}
	}
	require.Equal(t, 2, refused, "a Deployment of 56 characters, both sides")

	s := subject()
	s.Ref.Workload.Name = strings.Repeat("b", 56)
	_, err := s.Fill(config.Metric{Name: "up", Query: `up{service="{{service}}"}`}, analysis.Canary)
	require.NoError(t, err, "it need not be told by pods")
}
