package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// impatience is how long the documents of these cases wait for the gateway: longer
// than it holds changes back, and shorter than a replica is frozen.
const impatience = 8 * time.Second

// impatient is the seed's canary with little time to confirm, under a policy.
const impatient = `apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata: {name: impatient}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: demo}
  onFailure: %s
  strategy:
    canary:
      steps:
      - {traffic: 10%%, replicas: 1}
      - {traffic: 30%%, replicas: 2}
      trafficRoutings:
      - service: demo
        ingress: {name: demo}
        confirmTimeout: %s
`

// missing is what a rollout says of a replica that does not answer.
const missing = "confirmed by 1 of 2 gateway replicas"

// failToConfirm starts the impatient document under a policy, and promotes it to
// weight 30 while a replica of the gateway does not run.
func (r *behindTwo) failToConfirm(policy string) {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "rollout.yaml")
	require.NoError(r.t, os.WriteFile(file, fmt.Appendf(nil, impatient, policy, impatience), 0o600))
	r.startFile(file)
	r.holdAt(1, 10, "v2")
	r.freeze()
	r.sluice("promote", harness.Demo)
}

// TestUnconfirmedWeightPauses lets the time to confirm end while a replica of the
// gateway is frozen: nothing goes on and nothing is taken away, until a person
// says retry to a gateway that runs again.
func TestUnconfirmedWeightPauses(t *testing.T) {
	r := newRolloutBehindTwo(t)
	r.failToConfirm("pause")
	s := r.await(workflows.PhaseStuck, 2)
	require.Contains(t, s.Failure, missing+"; "+r.Sandbox.State().Gateways[1])
	require.Contains(t, s.Message, "retry")
	require.Equal(t, 30, s.Asked.Weight)
	require.Equal(t, 10, s.Confirmed.Weight)
	require.True(t, s.Unsure)
	require.Contains(t, words(r.sluice("status", harness.Demo)), missing)
	r.checkShare("the other replica follows", "v2", 30)

	// Another try meets the same replica.
	r.sluice("retry", harness.Demo)
	require.NoError(t, harness.Await(r.ctx, "it is tried again", func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		return err == nil && s.Phase == workflows.PhaseProgressing, err
	}))
	s = r.await(workflows.PhaseStuck, 2)
	require.Contains(t, s.Failure, missing)

	r.thaw()
	r.sluice("retry", harness.Demo)
	r.holdAt(2, 30, "v2")
	r.sluice("promote", harness.Demo)
	r.await(workflows.PhasePromoted, 0)
	r.finish(impatience)
	r.restored("v2")
}

// TestUnconfirmedWeightReturns does so with the policy rollback: requests return
// at once, but no pod is told to stop before the frozen replica has followed.
func TestUnconfirmedWeightReturns(t *testing.T) {
	r := newRolloutBehindTwo(t)
	r.failToConfirm("rollback")
	require.NoError(t, harness.Await(r.ctx, "weight 0 is asked for", func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		return err == nil && s.Phase == workflows.PhaseRollingBack && s.Asked.Weight == 0, err
	}))
	tries := 0
	require.NoError(t, harness.Await(r.ctx, "the other replica follows", func(ctx context.Context) (bool, error) {
		tries++
		name := fmt.Sprint("following, try ", tries)
		_, err := r.load.Mark(ctx, name)
		return err == nil && r.awaitAnswers(name, sample/4).Versions["v2"] == 0, err
	}))
	r.checkShare("returned at the other replica", "v2", 0)
	r.staysAt(10, 0, time.Now().Add(impatience))
	require.Len(t, r.podsOf(release.LabelTrack+"="+release.TrackCanary), 2, "the frozen replica may choose them when it goes on")
	r.thaw()
	s := r.await(workflows.PhaseRolledBack, 0)
	require.Contains(t, s.Result.Reason, missing)
	r.finish(impatience)
	r.restored("v1")
}
