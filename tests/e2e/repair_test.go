package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// terminate ends the workflow as an administrator can: it has no time to restore
// anything.
func (r *rollout) terminate() {
	r.t.Helper()
	require.NoError(r.t, r.Temporal.TerminateWorkflow(r.ctx, harness.DemoWorkflow(r.namespace), "", "by mistake"))
}

// repair repairs what is left, and requires that the repair ends in a phase with
// one version of the application on all pods.
func (r *rollout) repair(phase workflows.Phase, version string) workflows.Status {
	r.t.Helper()
	r.sluice("repair", harness.Demo, "--wait", "--reason", "terminated by mistake", "--by", "ann")
	s := r.await(phase, 0)
	require.Contains(r.t, s.Result.Reason, "terminated by mistake")
	r.checkShare("after the repair", version, 100)
	r.finish()
	r.restored(version)
	require.Contains(r.t, r.sluice("repair"), "no rollout has left anything")
	return s
}

func TestRepairOfACanaryAtEachHold(t *testing.T) {
	for step, weight := range map[int]int{1: 10, 2: 30} {
		t.Run(fmt.Sprint("step ", step), func(t *testing.T) {
			r := newRollout(t)
			r.start("rollout-canary.yaml", "v2")
			for passed := 1; passed < step; passed++ {
				r.await(workflows.PhaseHolding, passed)
				r.sluice("promote", harness.Demo)
			}
			r.holdAt(step, weight, "v2")
			r.terminate()
			// What is left is safe at rest.
			r.checkShare("left alone", "v2", weight)
			r.repair(workflows.PhaseRolledBack, "v1")
		})
	}
}

func TestRepairOfAB(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-ab.yaml", "v2")
	r.await(workflows.PhaseHolding, 1)
	r.terminate()
	_, err := r.load.Mark(r.ctx, "left alone")
	require.NoError(t, err)
	require.InDelta(t, 1, r.awaitAnswers("left alone", sample).Cohorts[harness.Android].Share("v2"), 0)
	r.repair(workflows.PhaseRolledBack, "v1")
}

// slowlyReplaced gives a repair time to find the workload's pods half replaced.
const slowlyReplaced = `{"spec":{"minReadySeconds":8}}`

// TestRepairDuringPromotion loses the workflow while the workload's pods are
// being replaced. Where they all are when the repair looks, it completes;
// otherwise it returns under cover of the canary.
func TestRepairDuringPromotion(t *testing.T) {
	for _, style := range []string{"canary", "ab"} {
		t.Run(style, func(t *testing.T) {
			for name, c := range map[string]struct {
				patch   string
				phase   workflows.Phase
				version string
			}{
				"replaced":  {"", workflows.PhasePromoted, "v2"},
				"under way": {slowlyReplaced, workflows.PhaseRolledBack, "v1"},
			} {
				t.Run(name, func(t *testing.T) {
					r := newRolloutOf(t, c.patch)
					r.replaced = true
					r.start("rollout-"+style+".yaml", "v2")
					r.await(workflows.PhaseHolding, 1)
					r.sluice("promote", harness.Demo, "--full")
					require.NoError(t, harness.Await(r.ctx, "the workload's pods are being replaced", r.replacing))
					r.terminate()
					if c.phase == workflows.PhasePromoted {
						require.NoError(t, r.Sandbox.AwaitDeployment(r.ctx, r.namespace, harness.Demo))
					}
					r.repair(c.phase, c.version)
				})
			}
		})
	}
}

// TestRepairOfAnAbort loses the workflow while it returns to stable.
func TestRepairOfAnAbort(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	r.sluice("abort", harness.Demo)
	require.NoError(t, harness.Await(r.ctx, "requests in flight are waited for", r.working("requests in flight finish")))
	r.terminate()
	r.repair(workflows.PhaseRolledBack, "v1")
}

// TestRepairOfARepair loses the workflow of the repair, too.
func TestRepairOfARepair(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	r.terminate()
	r.sluice("repair", harness.Demo)
	require.NoError(t, harness.Await(r.ctx, "the repair waits for requests in flight", r.working("requests in flight finish")))
	r.terminate()
	r.repair(workflows.PhaseRolledBack, "v1")
}

// TestRepairWithoutAnyHistory deletes all that Temporal knows of the rollout.
func TestRepairWithoutAnyHistory(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.await(workflows.PhaseHolding, 1)
	r.sluice("promote", harness.Demo)
	r.holdAt(2, 30, "v2")
	id := harness.DemoWorkflow(r.namespace)
	_, err := r.Temporal.WorkflowService().DeleteWorkflowExecution(r.ctx, &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id},
	})
	require.NoError(t, err)
	require.NoError(t, harness.Await(r.ctx, "Temporal has forgotten the rollout", r.listedAs("unknown to Temporal")))
	r.repair(workflows.PhaseRolledBack, "v1")
}

// TestRepairInWords goes through what a person meets on the way to a repair.
func TestRepairInWords(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	require.Contains(t, r.sluice("repair"), "open (Holding)")
	r.refused("it is not lost, and nothing was done", "repair", harness.Demo)
	r.refused("nothing to repair", "repair", "none", "--wait")
	r.await(workflows.PhaseHolding, 1)
	r.terminate()

	file, err := harness.SeedFile("rollout-canary.yaml")
	require.NoError(t, err)
	r.refused("run sluice repair", "start", "-f", file, "--image", "main="+harness.Image("v3"), "--wait")
	require.Contains(t, r.sluice("repair"), "a canary of size 1")
	plan := r.sluice("repair", harness.Demo, "--dry-run")
	require.Contains(t, plan, "let stable take every request")
	require.Contains(t, plan, "back to stable")
	r.repair(workflows.PhaseRolledBack, "v1")
	r.refused("nothing to repair", "repair", harness.Demo, "--wait")
}

// TestRepairWithoutTheWorkload deletes the workload of a lost rollout; no request
// can be answered then, but the canary has to go.
func TestRepairWithoutTheWorkload(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	r.terminate()
	_, err := r.load.Finish(r.ctx)
	require.NoError(t, err)
	require.NoError(t, r.Kube.AppsV1().Deployments(r.namespace).Delete(r.ctx, harness.Demo, metav1.DeleteOptions{}))
	r.sluice("repair", harness.Demo, "--wait")
	r.await(workflows.PhaseRolledBack, 0)
	left, err := r.Snapshot(r.ctx, r.namespace)
	require.NoError(t, err)
	for name := range left.Objects() {
		require.NotContains(t, name, release.CanaryName(harness.Demo))
	}
}

// refused runs the command line tool and requires that it fails and says why.
func (r *rollout) refused(why string, args ...string) {
	r.t.Helper()
	out, err := r.Sluice(r.ctx, r.namespace, args...)
	require.NoError(r.t, err)
	require.Equal(r.t, 1, out.Code, "%s%s", out.Stdout, out.Stderr)
	require.Contains(r.t, out.Stdout+out.Stderr, why)
}
