package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

func TestSeedCanary(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	r.sluice("promote", harness.Demo, "--reason", "step one is good")
	r.holdAt(2, 30, "v2")
	r.sluice("promote", harness.Demo)
	r.promoted("v2")
}

func TestSeedAB(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-ab.yaml", "v2")
	r.splitByCohort()
	r.sluice("promote", harness.Demo)
	r.promoted("v2")
}

// splitByCohort requires that at the hold Android gets v2 and everyone else v1.
func (r *rollout) splitByCohort() {
	r.t.Helper()
	r.await(workflows.PhaseHolding, 1)
	_, err := r.load.Mark(r.ctx, "hold")
	require.NoError(r.t, err)
	w := r.awaitAnswers("hold", sample)
	require.InDelta(r.t, 1, w.Cohorts[harness.Android].Share("v2"), 0)
	require.InDelta(r.t, 1, w.Cohorts[harness.Everyone].Share("v1"), 0)
}

// promoted waits for the end of a case whose version becomes stable: it has all
// requests, none was lost, and everything else is as it was.
func (r *rollout) promoted(version string) {
	r.t.Helper()
	r.await(workflows.PhasePromoted, 0)
	r.checkShare("promoted", version, 100)
	r.finish()
	r.restored(version)
}
