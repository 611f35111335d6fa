package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// TestVerbsOfTheCommandLine sends what other cases do not, by the program.
func TestVerbsOfTheCommandLine(t *testing.T) {
	r := newRollout(t)
	// A pod that is slower than the deadline is ready at the second try, or a later
	// one on a busy machine.
	r.sluice("start", "-f", r.variant("sluice.dev/deadline: 3s"), "--image", "main="+harness.Image("v2"), "--set-env", "main:START_DELAY=6s")
	r.await(workflows.PhaseStuck, 1)
	require.NoError(t, harness.Await(r.ctx, "a retry leads to the hold", func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		if err == nil && s.Phase == workflows.PhaseStuck {
			r.sluice("retry", harness.Demo)
		}
		return s.Phase == workflows.PhaseHolding, err
	}))
	r.refused("nothing has failed", "retry", harness.Demo)

	r.sluice("pause", harness.Demo, "--reason", "lunch")
	r.refused("the rollout is paused: resume it first", "promote", harness.Demo)
	s, err := r.Status(r.ctx, r.namespace)
	require.NoError(t, err)
	require.True(t, s.Paused)
	require.Equal(t, "lunch", s.Decisions[len(s.Decisions)-1].Reason)
	r.sluice("resume", harness.Demo)

	r.sluice("jump", harness.Demo, "--step", "2")
	r.holdAt(2, 30, "v2")
	r.sluice("jump", harness.Demo, "--step", "1")
	r.holdAt(1, 10, "v2")
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	r.finish()
	r.restored("v1")
}
