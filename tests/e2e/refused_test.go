package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// quota that holds the pods of the workload but no canary beside them.
const quota = `
apiVersion: v1
kind: ResourceQuota
metadata: {name: tight}
spec: {hard: {pods: "5"}}
`

// TestRefusedBeforeAnythingIsTouched goes through what makes a release
// impossible, and finds the namespace unchanged after each.
func TestRefusedBeforeAnythingIsTouched(t *testing.T) {
	r := newRollout(t)
	file, err := harness.SeedFile("rollout-canary.yaml")
	require.NoError(t, err)
	refused := func(want string, args ...string) {
		t.Helper()
		out, err := r.Sluice(r.ctx, r.namespace, append([]string{"start", "-f", file, "--wait"}, args...)...)
		require.NoError(t, err)
		require.Equal(t, 1, out.Code, "%s%s", out.Stdout, out.Stderr)
		require.Contains(t, out.Stdout+out.Stderr, want)
		r.restored("v1")
	}
	refused("sidecar", "--image", "sidecar="+harness.Image("v2"))
	refused("nothing to roll out", "--image", "main="+harness.Image("v1"))

	require.NoError(t, r.Sandbox.Apply(r.ctx, r.namespace, []byte(quota)))
	refused("tight", "--image", "main="+harness.Image("v2"))
	require.NoError(t, r.Kube.CoreV1().ResourceQuotas(r.namespace).Delete(r.ctx, "tight", metav1.DeleteOptions{}))
	r.finish()

	// Without the Ingress no request is answered, whatever is refused.
	require.NoError(t, r.Kube.NetworkingV1().Ingresses(r.namespace).Delete(r.ctx, harness.Demo, metav1.DeleteOptions{}))
	out, err := r.Sluice(r.ctx, r.namespace, "start", "-f", file, "--wait", "--image", "main="+harness.Image("v2"))
	require.NoError(t, err)
	require.Equal(t, 1, out.Code)
	require.Contains(t, out.Stdout+out.Stderr, "Ingress")
}

// TestStartForCI shows the exit codes that a CI job relies on.
func TestStartForCI(t *testing.T) {
	r := newRollout(t)
	file, err := harness.SeedFile("rollout-canary.yaml")
	require.NoError(t, err)
	start := []string{"start", "-f", file, "--image", "main=" + harness.Image("v2"), "--wait"}

	out, err := r.Sluice(r.ctx, r.namespace, append(start, "--timeout", "15s")...)
	require.NoError(t, err)
	require.Equal(t, 4, out.Code, "%s%s", out.Stdout, out.Stderr)
	require.NotContains(t, out.Stdout+out.Stderr, "\x1b", "control codes in a CI log")

	other, err := r.Sluice(r.ctx, r.namespace, "start", "-f", file, "--image", "main="+harness.Image("v3"))
	require.NoError(t, err)
	require.Equal(t, 1, other.Code)
	require.Contains(t, other.Stdout, "Holding")
	require.Contains(t, other.Stderr, "sluice revise")

	status := r.sluice("status", harness.Demo)
	for line := range strings.Lines(status) {
		require.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\n"))), 80, line)
	}
	require.Contains(t, status, "10")
	require.Contains(t, r.sluice("list"), harness.Demo)

	r.sluice("promote", harness.Demo, "--full", "--reason", "good")
	out, err = r.Sluice(r.ctx, r.namespace, append(start, "--timeout", "2m")...)
	require.NoError(t, err)
	require.Equal(t, 0, out.Code, "%s%s", out.Stdout, out.Stderr)
	r.await(workflows.PhasePromoted, 0)
	require.Contains(t, r.sluice("history", harness.Demo), "good")
	r.finish()
	r.restored("v2")
}
