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

// TestWorkerKilledAtWrite kills the worker with -9 at single writes of the seed's
// canary, before it is sent, before its answer comes, and after that. It is a
// sample of what tests/chaos plays in full; the name of a case repeats it.
func TestWorkerKilledAtWrite(t *testing.T) {
	for _, c := range []struct {
		fault string
		write int
	}{{"before", 3}, {"sent", 7}, {"after", 8}} {
		t.Run(fmt.Sprintf("%s-%d", c.fault, c.write), func(t *testing.T) {
			r := newRollout(t)
			killed := r.faultyWorker(c.fault, c.write)
			r.start("rollout-canary.yaml", "v2")
			r.await(workflows.PhaseHolding, 1)
			r.sluice("promote", harness.Demo, "--full")
			r.await(workflows.PhasePromoted, 0)
			require.FileExists(t, killed)
			r.finish()
			r.restored("v2")
		})
	}
}

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

// faultyWorker replaces the worker by one that dies at a write, until the case
// has ended. It returns the file that is there when it has died.
func (r *rollout) faultyWorker(fault string, write int) string {
	r.t.Helper()
	faults, err := buildFaults(r.ctx)
	require.NoError(r.t, err)
	r.t.Setenv("SLUICE_FAULTS_WORKER", r.Programs.Worker)
	r.t.Setenv("SLUICE_FAULT", fault)
	r.t.Setenv("SLUICE_FAULT_WRITE", strconv.Itoa(write))
	killed := filepath.Join(r.t.TempDir(), "killed")
	r.t.Setenv("SLUICE_FAULT_MARK", killed)
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
	return killed
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
