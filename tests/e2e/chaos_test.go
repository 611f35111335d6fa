package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/build"
	"sluice.dev/sluice/workflows"
)

// TestWorkerKilledInAProbe kills the worker while it sends probes: the weight has
// been written, and no replica of the gateway has been seen to follow it.
func TestWorkerKilledInAProbe(t *testing.T) {
	r := newRollout(t)
	r.startFile(r.variant(byVersion))
	weight := func(ctx context.Context) (bool, error) {
		k, err := r.Kube.NetworkingV1().Ingresses(r.namespace).Get(ctx, harness.Demo+"-canary", metav1.GetOptions{})
		return err == nil && k.Annotations["nginx.ingress.kubernetes.io/canary-weight"] == "10", err
	}
	require.NoError(t, harness.Await(r.ctx, "weight 10 is written", weight))
	s, err := r.Status(r.ctx, r.namespace)
	require.NoError(t, err)
	require.Zero(t, s.Confirmed.Weight, "the probes are not over")
	r.crashWorker()
	s = r.await(workflows.PhaseHolding, 1)
	require.EqualValues(t, "probe", s.Confirmation.Level)
	require.Equal(t, len(r.Sandbox.State().Gateways), s.Confirmation.Gateways)
	r.sluice("promote", harness.Demo, "--full")
	r.await(workflows.PhasePromoted, 0)
	r.finish()
	r.restored("v2")
}

// faultyWorker replaces the worker by one with a fault at a write, until the case
// has ended. It returns the file that is there when the fault has happened.
func (r *rollout) faultyWorker(fault string, write int) string {
	r.t.Helper()
	faults, err := buildFaults(r.ctx)
	require.NoError(r.t, err)
	r.t.Setenv("SLUICE_FAULTS_WORKER", r.Programs.Worker)
	r.t.Setenv("SLUICE_FAULT", fault)
	r.t.Setenv("SLUICE_FAULT_WRITE", strconv.Itoa(write))
	happened := filepath.Join(r.t.TempDir(), "happened")
	r.t.Setenv("SLUICE_FAULT_MARK", happened)
	good := r.Programs.Worker
	replace := func(program string) {
		require.NoError(r.t, worker.Kill())
		r.Programs.Worker = program
		var err error
		worker, err = r.StartWorker(r.ctx)
		require.NoError(r.t, err)
	}
	replace(faults)
	r.t.Cleanup(func() { replace(good) })
	return happened
}

// buildFaults builds the program that runs a worker behind the faulty proxy.
func buildFaults(ctx context.Context) (string, error) {
	root, err := sandbox.Root()
	if err != nil {
		return "", err
	}
	cache, err := build.CacheDir()
	if err != nil {
		return "", err
	}
	const name = "sluice-faults"
	builder := build.Builder{Cache: cache, Progress: build.Progress{Out: os.Stderr}}
	paths, err := builder.All(ctx, []build.Target{{Name: name, Dir: root, Package: "./cmd/" + name, Sources: []string{"cmd/" + name}}})
	if err != nil {
		return "", fmt.Errorf("building %s: %w", name, err)
	}
	return paths[name], nil
}
