package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/workflows"
)

// TestMetricsGuardTheBakeByWhatStableDid lets a version turn bad when it has all
// requests, and nothing looks at it but the metrics of the whole rollout, which
// compare it with stable.
func TestMetricsGuardTheBakeByWhatStableDid(t *testing.T) {
	r := newRollout(t)
	env, turn := r.turningBad()
	r.startMeasured(document{
		whole: []string{successRate},
		steps: []measuredStep{{route: "traffic: 30%", metrics: []string{successRate}}},
		bake:  []string{"{template: app/request-rate, " + pace + "}"},
	}, env...)
	s := r.await(workflows.PhaseBaking, 2)
	require.Equal(t, 100, s.Confirmed.Weight)
	turn()
	s = r.await(workflows.PhaseRolledBack, 0)
	require.Contains(t, s.Result.Reason, "the rollout's metrics: errors: canary is worse")
	require.Contains(t, s.Result.Reason, "stable has no requests now; by those it had, up to")
	require.Empty(t, s.Decisions, "no person")
	r.settle()
	report, err := r.load.Finish(r.ctx)
	require.NoError(t, err)
	bad := report.Whole.Statuses[500]
	require.Positive(t, bad)
	require.Equal(t, bad, report.Whole.Lost(), "lost by the rollout: %v", report.Whole.Examples)
	r.restored("v1")
}
