package chaos

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/kube/kubetest"
	fakegateway "sluice.dev/sluice/tests/chaos/gateway"
)

// TestRoleIsEnoughAndSmallest looks at all that the worker asks the API server for
// in every scenario, when what a lost workflow has left is repaired, and in what is
// rare: it may do all of that by deploy/rbac/worker.yaml, and nothing else.
func TestRoleIsEnoughAndSmallest(t *testing.T) {
	var done []kubetest.Right
	for _, scenario := range Scenarios() {
		done = append(done, reference(t, Run{Scenario: scenario, Personality: fakegateway.Traefik, Fault: None, Seed: 1}).Used...)
	}
	rare := Run{Scenario: Scenarios()[0], Personality: fakegateway.Traefik, Fault: Repair, Write: 5, Seed: 1}
	done = append(done, Play(t, rare).Used...)
	rare.Fault, rare.odd = None, true
	done = append(done, Play(t, rare).Used...)
	rights := kubetest.Rights(t, "../../deploy/rbac/worker.yaml")
	require.Greater(t, len(rights), 20)
	kubetest.RequireSmallest(t, rights, done)
}
