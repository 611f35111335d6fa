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
	r.await(workflows.PhasePromoted, 0)
	r.checkShare("promoted", "v2", 100)
	r.finish()
	r.restored("v2")
}

func TestSeedAB(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-ab.yaml", "v2")
	r.await(workflows.PhaseHolding, 1)
	_, err := r.load.Mark(r.ctx, "hold")
	require.NoError(t, err)
	w := r.awaitAnswers("hold", sample)
	require.InDelta(t, 1, w.Cohorts[harness.Android].Share("v2"), 0)
	require.InDelta(t, 1, w.Cohorts[harness.Everyone].Share("v1"), 0)
	r.sluice("promote", harness.Demo)
	r.await(workflows.PhasePromoted, 0)
	r.checkShare("promoted", "v2", 100)
	r.finish()
	r.restored("v2")
}
