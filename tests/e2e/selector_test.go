package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// bySelector writes a seed document with the annotation that chooses selector
// mode.
func (r *rollout) bySelector(document string) string {
	r.t.Helper()
	file, err := harness.SeedFile(document)
	require.NoError(r.t, err)
	text, err := os.ReadFile(file)
	require.NoError(r.t, err)
	changed := strings.Replace(string(text), "metadata:\n", "metadata:\n  annotations: {sluice.dev/isolation: selector}\n", 1)
	require.NotEqual(r.t, string(text), changed)
	path := filepath.Join(r.t.TempDir(), document)
	require.NoError(r.t, os.WriteFile(path, []byte(changed), 0o600))
	return path
}

// startBySelector starts a seed document in selector mode.
func (r *rollout) startBySelector(document, version string) {
	r.t.Helper()
	r.sluice("start", "-f", r.bySelector(document), "--image", "main="+harness.Image(version))
}

// words of an output, without its line breaks.
func words(output string) string { return strings.Join(strings.Fields(output), " ") }

// service is the user's Service.
func (r *rollout) service() *corev1.Service {
	r.t.Helper()
	s, err := r.Kube.CoreV1().Services(r.namespace).Get(r.ctx, harness.Demo, metav1.GetOptions{})
	require.NoError(r.t, err)
	return s
}

// requireNarrowed requires that the Service selects the stable pods only, and
// that canary pods have the labels of the workload.
func (r *rollout) requireNarrowed() {
	r.t.Helper()
	require.Contains(r.t, r.service().Spec.Selector, "pod-template-hash")
	canary, err := r.Kube.CoreV1().Pods(r.namespace).List(r.ctx, metav1.ListOptions{LabelSelector: "app=" + harness.Demo + "," + release.LabelTrack + "=" + release.TrackCanary})
	require.NoError(r.t, err)
	require.NotEmpty(r.t, canary.Items)
}

func TestSelectorSeedCanary(t *testing.T) {
	r := newRollout(t)
	r.startBySelector("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	r.requireNarrowed()
	require.Contains(t, words(r.sluice("status", harness.Demo)), "narrowed to the stable pods")
	r.sluice("promote", harness.Demo)
	r.holdAt(2, 30, "v2")
	r.requireNarrowed()
	r.sluice("promote", harness.Demo)
	r.promoted("v2")
}

func TestSelectorAB(t *testing.T) {
	r := newRollout(t)
	r.startBySelector("rollout-ab.yaml", "v2")
	r.splitByCohort()
	r.sluice("promote", harness.Demo)
	r.promoted("v2")
}

func TestSelectorAbort(t *testing.T) {
	r := newRollout(t)
	r.startBySelector("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	r.checkShare("aborted", "v1", 100)
	r.finish()
	r.restored("v1")
}

// TestSelectorAbortDuringPromotion returns while the workload's pods are being
// replaced: the Service is wide then, and narrowed to the stable pods again
// before it serves.
func TestSelectorAbortDuringPromotion(t *testing.T) {
	r := newRolloutOf(t, slowlyReplaced)
	r.replaced = true
	r.startBySelector("rollout-canary.yaml", "v2")
	r.await(workflows.PhaseHolding, 1)
	r.sluice("promote", harness.Demo, "--full")
	require.NoError(t, harness.Await(r.ctx, "the new revision is being made stable", r.working("make the new revision stable")))
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	r.checkShare("aborted", "v1", 100)
	r.finish()
	r.restored("v1")
}

func TestSelectorNewRevisionAtStep1(t *testing.T) {
	r := newRollout(t)
	r.startBySelector("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	r.sluice("revise", harness.Demo, "--image", "main="+harness.Image("v3"), "--reason", "a fix")
	require.NoError(t, harness.Await(r.ctx, "v3 holds at step 1", r.holdsImage("v3")))
	r.requireNarrowed()
	r.holdAt(1, 10, "v3")
	r.sluice("promote", harness.Demo, "--full")
	r.promoted("v3")
}

// TestSelectorWorkerKilledWhileNarrowing holds the operation back: the endpoint
// controller is away, so that nothing follows the selector that was written.
func TestSelectorWorkerKilledWhileNarrowing(t *testing.T) {
	r := newRollout(t)
	require.NoError(t, r.Sandbox.Stop(r.ctx, "controller-manager"))
	r.startBySelector("rollout-canary.yaml", "v2")
	require.NoError(t, harness.Await(r.ctx, "the Service is narrowed", func(ctx context.Context) (bool, error) {
		s, err := r.Kube.CoreV1().Services(r.namespace).Get(ctx, harness.Demo, metav1.GetOptions{})
		return err == nil && s.Spec.Selector["pod-template-hash"] != "", err
	}))
	r.crashWorker()
	require.NoError(t, r.Sandbox.Start(r.ctx, "controller-manager"))
	r.holdAt(1, 10, "v2")
	r.requireNarrowed()
	r.sluice("promote", harness.Demo, "--full")
	r.await(workflows.PhasePromoted, 0)
	r.finish()
	r.restored("v2")
}

// TestSelectorWorkerKilledDuringPromotion kills the worker around each later
// write of the selector.
func TestSelectorWorkerKilledDuringPromotion(t *testing.T) {
	for _, operation := range []string{"give Service demo its own selector back", "narrow Service demo to the new pods", "stop the canary pods"} {
		t.Run(operation, func(t *testing.T) {
			r := newRollout(t)
			r.startBySelector("rollout-canary.yaml", "v2")
			r.await(workflows.PhaseHolding, 1)
			r.sluice("promote", harness.Demo, "--full")
			require.NoError(t, harness.Await(r.ctx, "the rollout works on "+operation, r.working(operation)))
			r.crashWorker()
			r.await(workflows.PhasePromoted, 0)
			r.finish()
			r.restored("v2")
		})
	}
}

func TestSelectorRepair(t *testing.T) {
	for _, c := range []struct {
		name, patch, at string
		phase           workflows.Phase
		version         string
	}{
		{"at a hold", "", "", workflows.PhaseRolledBack, "v1"},
		{"half replaced", slowlyReplaced, "make the new revision stable", workflows.PhaseRolledBack, "v1"},
		{"narrowed to the new pods", "", "narrow Service demo to the new pods", workflows.PhasePromoted, "v2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRolloutOf(t, c.patch)
			r.replaced = c.at != ""
			r.startBySelector("rollout-canary.yaml", "v2")
			r.holdAt(1, 10, "v2")
			if c.at != "" {
				r.sluice("promote", harness.Demo, "--full")
				require.NoError(t, harness.Await(r.ctx, c.at, r.working(c.at)))
			}
			r.terminate()
			require.Contains(t, words(r.sluice("repair", harness.Demo, "--dry-run")), "own selector back")
			r.repair(c.phase, c.version)
		})
	}
}

// onlyThisApp is a policy that the canary pods of label mode would not be under.
const onlyThisApp = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: in}
spec:
  podSelector: {matchLabels: {app: demo}}
  ingress: [{}]
`

// TestSelectorUnderANetworkPolicy is refused in label mode, with selector mode as
// the remedy, and goes through with it.
func TestSelectorUnderANetworkPolicy(t *testing.T) {
	r := newRollout(t)
	require.NoError(t, r.Sandbox.Apply(r.ctx, r.namespace, []byte(onlyThisApp)))
	file, err := harness.SeedFile("rollout-canary.yaml")
	require.NoError(t, err)
	r.refused("sluice.dev/isolation", "start", "-f", file, "--image", "main="+harness.Image("v2"), "--wait")
	r.restored("v1")

	require.Contains(t, words(r.sluice("plan", "-f", r.bySelector("rollout-canary.yaml"), "--image", "main="+harness.Image("v2"))), "select the stable pods of the workload only")
	r.startBySelector("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	r.requireNarrowed()
	r.sluice("promote", harness.Demo, "--full")
	r.await(workflows.PhasePromoted, 0)
	r.finish()
	r.restored("v2")
}

// TestSelectorResumedByOthers lets somebody resume the workload behind a Service
// that would not select its new pods.
func TestSelectorResumedByOthers(t *testing.T) {
	r := newRolloutOf(t, drainedApp)
	r.replaced = true
	r.startBySelector("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	_, err := r.Kube.AppsV1().Deployments(r.namespace).Patch(r.ctx, harness.Demo, types.MergePatchType, []byte(`{"spec":{"paused":false}}`), metav1.PatchOptions{FieldManager: "kubectl-rollout"})
	require.NoError(t, err)
	s := r.await(workflows.PhaseRolledBack, 0)
	require.Contains(t, s.Result.Reason, "resumed by somebody else")
	r.checkShare("returned", "v1", 100)
	r.finish()
	r.restored("v1")
}

// TestSelectorReset lets a tool put the selector back as its repository has it,
// which sends requests for stable to canary pods: once it is narrowed again, and
// the second time a person is asked.
func TestSelectorReset(t *testing.T) {
	r := newRollout(t)
	r.startBySelector("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	apply := []byte(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"demo"},"spec":{"selector":{"app":"demo"}}}`)
	reset := func() {
		force := true
		_, err := r.Kube.CoreV1().Services(r.namespace).Patch(r.ctx, harness.Demo, types.ApplyPatchType, apply, metav1.PatchOptions{FieldManager: "a-tool", Force: &force})
		require.NoError(t, err)
	}
	const narrowing = "narrow Service demo to the stable pods"

	since := time.Now()
	reset()
	r.noted(since, "it is narrowed again at once")
	r.noted(since, narrowing) // and every gateway knows it
	require.NotEmpty(t, r.service().Spec.Selector["pod-template-hash"])
	r.seenAt(10)

	since = time.Now()
	reset()
	r.asked(since, "resume narrows it once more")
	since = time.Now()
	r.sluice("resume", harness.Demo)
	r.noted(since, narrowing)
	r.backAt(10)
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	r.finish()
	r.restored("v1")
}

// TestSelectorOwnedByATool is refused where a tool applies the selector over and
// over, until the tool leaves it alone.
func TestSelectorOwnedByATool(t *testing.T) {
	r := newRollout(t)
	apply := []byte(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"demo"},"spec":{"selector":{"app":"demo"}}}`)
	force := true
	_, err := r.Kube.CoreV1().Services(r.namespace).Patch(r.ctx, harness.Demo, types.ApplyPatchType, apply, metav1.PatchOptions{FieldManager: "kustomize-controller", Force: &force})
	require.NoError(t, err)
	r.refused("[/spec/selector]", "start", "-f", r.bySelector("rollout-canary.yaml"), "--image", "main="+harness.Image("v2"), "--wait")
	r.finish()
	r.restored("v1")
}
