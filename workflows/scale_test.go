package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/workflows"
)

// scaledTo is how SetRoute refuses a route that was planned for another size.
func scaledTo(pods int) error {
	return temporal.NewNonRetryableApplicationError("it is planned anew", kube.ErrScaled, nil, kube.Size{Pods: pods, Version: "77"})
}

// TestScaledUnwatched scales the workload while nobody watches it, as after the
// death of a worker, and promotes: the route waits for a canary of the new size, and
// the watch begins anew.
func TestScaledUnwatched(t *testing.T) {
	b := newBench(t)
	refused, watches := 0, 0
	b.cluster.fail = func(op string) error {
		if op == "route 100" && refused == 0 {
			refused, watches = refused+1, b.cluster.watches
			return scaledTo(8)
		}
		return nil
	}
	b.signal(time.Second, workflows.VerbPromote, workflows.Message{Full: true})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.Equal(t, 1, refused)
	require.Equal(t, append(toPromotion[:6:6], "canary v2 8", "route 100", "promote v2"), b.cluster.ops()[:9])
	require.Contains(t, timeline(b.status()), "the workload was scaled from 5 to 8")
	require.Equal(t, []int{5, 5, 5, 8}, b.cluster.sizes[:4])
	require.Greater(t, b.cluster.watches, watches, "the watch of the old size is not waited for")
}

// TestTheWayBackWaitsForNoSize: what returns to stable is not planned anew.
func TestTheWayBackWaitsForNoSize(t *testing.T) {
	b := newBench(t)
	b.signal(time.Second, workflows.VerbAbort, workflows.Message{})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Equal(t, []int{5, 5, 0, 0}, b.cluster.sizes)
}
