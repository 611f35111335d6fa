package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"sluice.dev/sluice/tests/harness"
)

// TestWithoutSearchAttributes rolls out in a Temporal namespace that knows none
// of ours, as one that a stranger administers, and then in the same after
// `sluice bootstrap`.
func TestWithoutSearchAttributes(t *testing.T) {
	const plain = "plain"
	r := newRollout(t)
	_, err := r.Temporal.WorkflowService().RegisterNamespace(r.ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: plain, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	require.NoError(t, err)
	other := r.otherWorker("--temporal-namespace", plain)
	defer func() { require.NoError(t, other.Kill()) }()
	sluice := func(code int, args ...string) harness.Output {
		t.Helper()
		out, err := r.Sluice(r.ctx, r.namespace, append([]string{"--temporal-namespace", plain}, args...)...)
		require.NoError(t, err)
		require.Equal(t, code, out.Code, "sluice %v: %s%s", args, out.Stdout, out.Stderr)
		return out
	}
	file, err := harness.SeedFile("rollout-canary.yaml")
	require.NoError(t, err)
	start := []string{"start", "-f", file, "--image", "main=" + harness.Image("v2"), "--wait", "--timeout", "20s"}
	const warning = "does not know our search attributes"

	out := sluice(4, start...)
	require.Contains(t, out.Stderr, warning)
	require.Contains(t, out.Stderr, "sluice bootstrap")
	require.Contains(t, sluice(0, "list").Stdout, harness.Demo)
	sluice(0, "abort", harness.Demo, "--reason", "shown enough")
	sluice(0, "status", harness.Demo, "--watch")
	r.restored("v1")

	require.Contains(t, sluice(0, "bootstrap").Stdout, "created")
	require.NotContains(t, sluice(0, "bootstrap").Stdout, "created")
	out = sluice(4, start...)
	require.NotContains(t, out.Stderr, warning)
	sluice(0, "promote", harness.Demo, "--full")
	sluice(0, slices.Replace(start, len(start)-1, len(start), "2m")...)
	r.finish()
	r.restored("v2")
}

// otherWorker starts a worker beside the one of all cases.
func (r *rollout) otherWorker(args ...string) *harness.Worker {
	r.t.Helper()
	w, err := r.StartWorker(r.ctx, append([]string{"--metrics-address", otherWorkerAddress, "--health-address", otherWorkerAddress}, args...)...)
	require.NoError(r.t, err)
	return w
}

// otherWorkerAddress is where a second worker serves health and metrics.
const otherWorkerAddress = "192.0.2.10:9465"
