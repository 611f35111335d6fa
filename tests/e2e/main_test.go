// Package e2e shows on the sandbox, with real parts and a client that counts
// every request, that rollouts do what they say and lose nothing.
package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/build"
	"sluice.dev/sluice/tests/sandbox/cluster"
)

// bed is shared by all cases: each has a namespace of its own, one after the
// other, since the seed's Ingress has no host.
var bed *harness.Bed

// worker is the worker of all cases; those that kill it start it again.
var worker *harness.Worker

// startLimit bounds what happens before the first case, builds not counted.
const startLimit = 2 * time.Minute

func TestMain(m *testing.M) {
	options := cluster.Defaults()
	options.SearchAttributes = harness.SearchAttributes
	// Whatever is confirmed is confirmed at every replica.
	options.Gateways = 2
	os.Exit(sandbox.Test(m, sandbox.Options{Cluster: &options}))
}

// start brings the bed up for the first case that needs it.
func start(t *testing.T) *harness.Bed {
	t.Helper()
	if bed != nil {
		return bed
	}
	programs, err := harness.BuildPrograms(context.Background(), build.Progress{Out: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	s := sandbox.Shared(t)
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	made, err := harness.NewBed(ctx, s, programs)
	if err != nil {
		t.Fatal(err)
	}
	if worker, err = made.StartWorker(ctx); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(os.Stderr, "sandbox ready: Temporal UI at", s.State().Outside.TemporalUI)
	bed = made
	return bed
}
