package e2e

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// truthful is how many answers of both versions the weights are measured with.
const truthful = 3000

// thirdStep comes after the two of the seed's document.
const thirdStep = `      - weight: 50
        pause: {}
        replicas: 3
      trafficRoutings:`

// TestWeightTruth measures the share of each weight with so many answers that one
// that is off by a sixth of the smallest would be seen. Traefik deals requests out
// by earliest deadline first, evenly and not at random, and begins anew with each
// change of its configuration, so that shares are nearer to the weight than chance
// would bring them.
func TestWeightTruth(t *testing.T) {
	r := newRolloutUnder(t, "", harness.LoadOptions{Rate: 240})
	r.sluice("start", "-f", r.edited("rollout-canary.yaml", "      trafficRoutings:", thirdStep), "--image", "main="+harness.Image("v2"))
	for step, weight := range []int{10, 30, 50} {
		s := r.await(workflows.PhaseHolding, step+1)
		require.Equal(t, weight, s.Confirmed.Weight)
		r.truth(fmt.Sprint("weight ", weight), "v2", weight)
		r.sluice("promote", harness.Demo)
	}
	r.promoted("v2")
}

// truth requires that the share of a version is within three standard deviations
// of the binomial distribution.
func (r *rollout) truth(name, version string, weight int) {
	r.t.Helper()
	_, err := r.load.Mark(r.ctx, name)
	require.NoError(r.t, err)
	w := r.awaitAnswers(name, truthful)
	p, n := float64(weight)/100, float64(w.Good)
	deviation := math.Sqrt(p * (1 - p) / n)
	off := w.Share(version) - p
	r.t.Logf("%s: %.2f %% of %d answers, %.1f standard deviations off", name, 100*w.Share(version), w.Good, off/deviation)
	require.InDelta(r.t, p, w.Share(version), 3*deviation, "answers: %v", w.Versions)
}

func TestBoundsOfShares(t *testing.T) {
	require.Zero(t, shareBound(0, sample), "one answer of a version that has no requests is too many")
	require.Zero(t, shareBound(100, sample))
	require.InDelta(t, 0.0775, shareBound(10, sample), 0.0001)
}
