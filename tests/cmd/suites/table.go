package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// suite is one line of the account.
type suite struct {
	name, about string
	steps       []step
	// extra suites run only when they are named.
	extra bool
	// needs is a program that few machines have; without it the suite is left
	// out, and said to be, unless it is named. CI installs it.
	needs string
}

// step is one command of a suite.
type step struct {
	// dir in which it runs, below the project's folder.
	dir string
	// what it does and how its outcome is read.
	do action
	// args are the command with its arguments (check, quiet, build), or the
	// packages (test); for rest they are left out.
	args []string
	// limit of time; 10 minutes if zero.
	limit time.Duration
	// shards are the processes that share the tests of the package; one if zero.
	shards int
}

// action is a way to run a step.
type action int

const (
	check action = iota // a command that passes or fails
	quiet               // a check that passes if it also prints nothing
	build               // a command whose output is shown; counts nothing
	tests               // go test of packages
	rest                // go test of all packages of the module that no other step names
	fuzz                // go test of each fuzz target of the module, for a short time
)

const parts = "tests/sandbox/parts/"

// workflowcheck finds what would make a workflow's replay differ.
const workflowcheck = "go.temporal.io/sdk/contrib/tools/workflowcheck@v0.6.0"

// table lists the suites in the order in which they run: what fails fast comes
// first. A package that needs a sandbox is named by a suite here; all others are
// found by themselves.
func table() []suite {
	return []suite{
		{name: "lint", about: "gofmt, go vet, and a check that workflows are deterministic", steps: []step{
			{dir: ".", do: quiet, args: []string{"gofmt", "-l", "."}},
			{dir: ".", do: check, args: []string{"go", "vet", "./..."}},
			{dir: "tests", do: check, args: []string{"go", "vet", "./..."}},
			{dir: ".", do: check, args: []string{"go", "run", workflowcheck, "-config", "tests/cmd/suites/workflowcheck.yaml", "./workflows/..."}},
		}},
		{name: "unit", about: "both modules' tests that need no sandbox", steps: []step{
			{dir: ".", do: rest},
			{dir: "tests", do: rest},
		}},
		{name: "replay", about: "recorded histories of real rollouts against the workflow of today", steps: []step{
			{dir: "tests", do: tests, args: []string{"./replay"}},
		}},
		{name: "faults", about: "rollouts in memory in which something goes wrong at a write: a sample", steps: []step{
			{dir: "tests", do: tests, args: []string{"./chaos"}, limit: 10 * time.Minute},
		}},
		{name: "build", about: "the sandbox's parts: from nothing 11 minutes on two cores, else seconds", steps: []step{
			{dir: "tests", do: build, args: []string{"go", "run", "./sandbox/cmd/sluice-sandbox", "build"}, limit: 80 * time.Minute},
		}},
		{name: "parts", about: "go vet and tests of the sandbox's parts", steps: []step{
			{dir: parts + "kube", do: check, args: []string{"go", "vet", "./..."}},
			{dir: parts + "kube", do: rest},
			{dir: parts + "temporal", do: check, args: []string{"go", "vet", "."}},
			{dir: parts + "temporal", do: tests, args: []string{"."}},
			{dir: parts + "kubectl", do: check, args: []string{"go", "vet", "."}},
		}},
		{name: "sandbox", about: "the sandbox's own tests", steps: []step{
			{dir: "tests", do: tests, args: []string{"./sandbox"}, limit: 20 * time.Minute},
		}},
		{name: "demo", about: "the demonstration, told quickly, and the story in the Temporal UI", steps: []step{
			{dir: "tests", do: tests, args: []string{"./cmd/sluice-demo"}, limit: 10 * time.Minute},
		}},
		{name: "e2e", about: "rollouts on the sandbox under load that must lose nothing", steps: []step{
			{dir: "tests", do: tests, args: []string{"./e2e"}, limit: 75 * time.Minute, shards: 2},
		}},
		{name: "browser", about: "a rollout seen and promoted in the Temporal Web UI", needs: "chromium", steps: []step{
			{dir: "tests", do: tests, args: []string{"./browser"}, limit: 10 * time.Minute},
		}},
		{name: "bench", about: "every measurement once, with small counts", extra: true, steps: []step{
			{dir: "tests", do: tests, args: []string{"./bench"}, limit: 20 * time.Minute},
		}},
		{name: "chaos", about: "a crash, and other faults, at every write of every kind of rollout", extra: true, steps: []step{
			{dir: "tests", do: check, args: []string{"env", "SLUICE_CHAOS_SAMPLE=all", "go", "test", "./chaos", "-count=1", "-timeout=60m"}, limit: time.Hour},
		}},
		{name: "fuzz", about: "every fuzz target for a short time", extra: true, steps: []step{
			{dir: ".", do: fuzz},
		}},
	}
}

// choose returns the suites of the names, in the table's order; all but the
// extra ones if there are none.
func choose(all []suite, names []string) ([]suite, error) {
	var chosen []suite
	var known []string
	for _, s := range all {
		known = append(known, s.name)
		if slices.Contains(names, s.name) || len(names) == 0 && !s.extra {
			chosen = append(chosen, s)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no suite %q: there are %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

// named returns the packages that suites name in a folder.
func named(all []suite, dir string) []string {
	var packages []string
	for _, s := range all {
		for _, st := range s.steps {
			if st.do == tests && st.dir == dir {
				packages = append(packages, st.args...)
			}
		}
	}
	return packages
}
