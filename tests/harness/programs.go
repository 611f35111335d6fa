// Package harness runs Sluice's own programs on the sandbox: the worker and the
// load client inside, the command line tool outside, as people and clusters do.
// The end-to-end cases, the demonstration, the benchmark and the chaos runs are
// written with it.
package harness

import (
	"context"
	"fmt"
	"path/filepath"

	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/build"
)

// Programs are paths of binaries.
type Programs struct {
	// Sluice is the command line tool, Worker sluice-worker, Load the load client.
	Sluice, Worker, Load string
}

// BuildPrograms builds what is tested, or takes it from the cache if nothing has
// changed.
func BuildPrograms(ctx context.Context, progress build.Progress) (Programs, error) {
	tests, err := sandbox.Root()
	if err != nil {
		return Programs{}, err
	}
	cache, err := build.CacheDir()
	if err != nil {
		return Programs{}, err
	}
	product := func(name, pkg string) build.Target {
		return build.Target{
			Name: name, Dir: filepath.Dir(tests), Package: pkg,
			Sources: []string{"activities", "config", "deploy", "starter", "worker", "workflows"},
		}
	}
	builder := build.Builder{Cache: cache, Progress: progress}
	paths, err := builder.All(ctx, []build.Target{
		product("sluice", "./starter"),
		product("sluice-worker", "./worker"),
		{Name: "sluice-load", Dir: tests, Package: "./sandbox/cmd/sluice-load", Sources: []string{"sandbox/load", "sandbox/cmd/sluice-load"}},
	})
	if err != nil {
		return Programs{}, fmt.Errorf("building the programs: %w", err)
	}
	return Programs{Sluice: paths["sluice"], Worker: paths["sluice-worker"], Load: paths["sluice-load"]}, nil
}
