package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// variant writes the seed's canary document with annotations added.
func (r *rollout) variant(annotations string) string {
	r.t.Helper()
	return r.variantOf("rollout-canary.yaml", annotations)
}

// variantOf does so with one of the seed's documents.
func (r *rollout) variantOf(document, annotations string) string {
	r.t.Helper()
	return r.edited(document, "metadata:\n", "metadata:\n  annotations:\n    "+annotations+"\n")
}

// edited writes one of the seed's documents with a text replaced.
func (r *rollout) edited(document, before, after string) string {
	r.t.Helper()
	file, err := harness.SeedFile(document)
	require.NoError(r.t, err)
	text, err := os.ReadFile(file)
	require.NoError(r.t, err)
	require.Contains(r.t, string(text), before)
	changed := strings.Replace(string(text), before, after, 1)
	path := filepath.Join(r.t.TempDir(), "rollout.yaml")
	require.NoError(r.t, os.WriteFile(path, []byte(changed), 0o600))
	return path
}

func TestAbortAtEachStep(t *testing.T) {
	for step, weight := range map[int]int{1: 10, 2: 30} {
		t.Run(fmt.Sprint("step ", step), func(t *testing.T) {
			r := newRollout(t)
			r.start("rollout-canary.yaml", "v2")
			for passed := 1; passed < step; passed++ {
				r.await(workflows.PhaseHolding, passed)
				r.sluice("promote", harness.Demo)
			}
			r.holdAt(step, weight, "v2")
			r.sluice("abort", harness.Demo, "--reason", "changed our mind")
			s := r.await(workflows.PhaseRolledBack, 0)
			require.Contains(t, s.Result.Reason, "changed our mind")
			r.checkShare("after the abort", "v2", 0)
			r.finish()
			r.restored("v1")
		})
	}
}

// TestAbortOfAB returns the requests that have gone to canary by their header.
func TestAbortOfAB(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-ab.yaml", "v2")
	r.splitByCohort()
	r.sluice("abort", harness.Demo, "--reason", "Android users complain", "--by", "ann")
	s := r.await(workflows.PhaseRolledBack, 0)
	require.Equal(t, "aborted by ann: Android users complain", s.Result.Reason)
	_, err := r.load.Mark(r.ctx, "after the abort")
	require.NoError(t, err)
	w := r.awaitAnswers("after the abort", sample)
	require.InDelta(t, 1, w.Cohorts[harness.Android].Share("v1"), 0)
	require.InDelta(t, 1, w.Share("v1"), 0)
	r.finish()
	r.restored("v1")
}

func TestAbortWhileTheCanaryStarts(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2", "--set-env", "main:NEVER_READY=crash")
	require.NoError(t, harness.Await(r.ctx, "the canary is being started", r.working("canary")))
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	r.finish()
	r.restored("v1")
}

func TestAbortWhileTheNewRevisionIsMadeStable(t *testing.T) {
	r := newRollout(t)
	r.replaced = true
	r.start("rollout-canary.yaml", "v2")
	r.await(workflows.PhaseHolding, 1)
	r.sluice("promote", harness.Demo, "--full")
	require.NoError(t, harness.Await(r.ctx, "the new revision is being made stable", r.working("make the new revision stable")))
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	r.checkShare("after the abort", "v2", 0)
	r.finish()
	r.restored("v1")
}

func TestNewRevisionAtStep2(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.await(workflows.PhaseHolding, 1)
	r.sluice("promote", harness.Demo)
	r.holdAt(2, 30, "v2")
	r.sluice("revise", harness.Demo, "--image", "main="+harness.Image("v3"), "--reason", "a fix")
	r.await(workflows.PhaseProgressing, 1)
	r.holdAt(1, 10, "v3")
	r.checkShare("no v2 any more", "v2", 0)
	r.sluice("promote", harness.Demo, "--full")
	r.promoted("v3")
}

func TestNewRevisionByKubectl(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	require.NoError(t, r.SetImage(r.ctx, r.namespace, "v3"))
	require.NoError(t, harness.Await(r.ctx, "v3 holds at step 1", r.holdsImage("v3")))
	r.checkShare("v3 at step 1", "v3", 10)
	require.NoError(t, r.SetImage(r.ctx, r.namespace, "v1"))
	s := r.await(workflows.PhaseRolledBack, 0)
	require.Contains(t, s.Result.Reason, "stable template was put back")
	r.finish()
	r.restored("v1")
}

func TestNeverReadyPausesThenIsRepaired(t *testing.T) {
	r := newRollout(t)
	r.sluice("start", "-f", r.variant("sluice.dev/deadline: 15s"),
		"--image", "main="+harness.Image("v2"), "--set-env", "main:NEVER_READY=crash")
	s := r.await(workflows.PhaseStuck, 1)
	require.Contains(t, s.Failure, "0 of 1")
	r.checkShare("stuck", "v1", 100)
	r.sluice("revise", harness.Demo, "--image", "main="+harness.Image("v3"), "--set-env", "main:NEVER_READY=")
	r.holdAt(1, 10, "v3")
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	r.finish()
	r.restored("v1")
}

func TestNeverReadyRollsBack(t *testing.T) {
	r := newRollout(t)
	file := r.variant("sluice.dev/on-failure: rollback\n    sluice.dev/deadline: 15s")
	out, err := r.Sluice(r.ctx, r.namespace, "start", "-f", file,
		"--image", "main="+harness.Image("v2"), "--set-env", "main:NEVER_READY=crash", "--wait")
	require.NoError(t, err)
	require.Equal(t, 3, out.Code, "%s%s", out.Stdout, out.Stderr)
	r.finish()
	r.restored("v1")
}

func TestScaleUpDuringStep1(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	require.NoError(t, r.Scale(r.ctx, r.namespace, 10))
	require.NoError(t, harness.Await(r.ctx, "the rollout knows of ten replicas", r.replicas(10)))
	r.checkShare("scaled", "v2", 10)
	r.sluice("promote", harness.Demo, "--full")
	r.await(workflows.PhasePromoted, 0)
	r.finish()
	d, err := r.Deployment(r.ctx, r.namespace)
	require.NoError(t, err)
	require.EqualValues(t, 10, *d.Spec.Replicas)
	require.EqualValues(t, 10, d.Status.UpdatedReplicas)
}

// drainedApp makes the seed's pods leave the endpoints before they end, as pods
// have to that are to be scaled down by others without loss.
const drainedApp = `{"spec":{"template":{"spec":{"containers":[{"name":"main","lifecycle":{"preStop":{"sleep":{"seconds":5}}}}]}}}}`

// wellProbedApp gets requests only when it can answer them, and keeps pods that end
// for longer than a gateway on a busy machine needs to notice.
const wellProbedApp = `{"spec":{"template":{"spec":{"containers":[{"name":"main",
	"readinessProbe":{"httpGet":{"path":"/readyz","port":8080},"periodSeconds":1},"lifecycle":{"preStop":{"sleep":{"seconds":15}}}}]}}}}`

func TestScaleUpAndBackDuringStep1(t *testing.T) {
	r := newRolloutOf(t, drainedApp)
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	require.NoError(t, r.Scale(r.ctx, r.namespace, 10))
	require.NoError(t, harness.Await(r.ctx, "the rollout knows of ten replicas", r.replicas(10)))
	require.NoError(t, r.Scale(r.ctx, r.namespace, 5))
	require.NoError(t, harness.Await(r.ctx, "the rollout knows of five replicas", r.replicas(5)))
	r.checkShare("scaled back", "v2", 10)
	r.sluice("promote", harness.Demo, "--full")
	r.await(workflows.PhasePromoted, 0)
	r.finish()
	r.restored("v2")
}

// TestNativeRollingUpdateLoses shows that the sandbox and the client see what is
// lost: without it, no zero in this package would mean anything.
func TestNativeRollingUpdateLoses(t *testing.T) {
	r := newRollout(t)
	require.NoError(t, r.SetImage(r.ctx, r.namespace, "v2"))
	require.NoError(t, r.Sandbox.AwaitDeployment(r.ctx, r.namespace, harness.Demo))
	r.settle()
	report, err := r.load.Finish(r.ctx)
	require.NoError(t, err)
	require.Positive(t, report.Whole.Lost())
	t.Logf("a native rolling update lost %d of %d requests (%s)", report.Whole.Lost(), report.Whole.Requests, time.Since(report.Whole.From).Round(time.Second))
}
