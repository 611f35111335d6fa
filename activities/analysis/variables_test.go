package analysis_test

import (
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

// TestTraefikTellsSidesApart holds the names that Traefik was seen to give.
func TestTraefikTellsSidesApart(t *testing.T) {
	rollouts, err := config.Parse([]byte(ofTraefik), config.Options{})
	require.NoError(t, err)
	metric := rollouts[0].Steps[0].Analysis.Metrics[0]
	for side, want := range map[analysis.Side]string{
		analysis.Canary: `service=~"shop-web-web-[0-9a-z]+-canary@.+"`,
		analysis.Stable: `service=~"shop-web-web-[0-9a-z]+@.+"`,
	} {
		queries, err := subject().Fill(metric, side)
		require.NoError(t, err)
		require.Contains(t, queries.Requests, want)
	}
}
