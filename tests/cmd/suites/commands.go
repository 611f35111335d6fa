package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fuzzTime is how long each fuzz target runs.
const fuzzTime = 15 * time.Second

// killAfter is how long a command that is interrupted may take to end.
const killAfter = 20 * time.Second

// commands returns the commands that a step consists of.
func (r *runner) commands(ctx context.Context, s step) ([][]string, error) {
	test := []string{"go", "test", "-json", "-count=1", "-timeout", s.timeout().String()}
	switch s.do {
	case tests:
		return [][]string{append(test, s.args...)}, nil
	case rest:
		packages, err := r.packages(ctx, s.dir)
		if err != nil {
			return nil, err
		}
		return [][]string{append(test, packages...)}, nil
	case fuzz:
		return fuzzCommands(filepath.Join(r.root, s.dir), test)
	default:
		return [][]string{s.args}, nil
	}
}

// timeout is the step's limit.
func (s step) timeout() time.Duration {
	if s.limit == 0 {
		return 10 * time.Minute
	}
	return s.limit
}

// packages lists the packages of a module that no suite names, by their folders.
func (r *runner) packages(ctx context.Context, dir string) ([]string, error) {
	home := filepath.Join(r.root, dir)
	out, err := r.command(ctx, dir, []string{"go", "list", "-e", "-f", "{{.Dir}}", "./..."}).Output()
	if err != nil {
		return nil, fmt.Errorf("listing the packages in %s: %w%s", dir, err, stderrOf(err))
	}
	others := named(r.all, dir)
	var packages []string
	for _, folder := range strings.Fields(string(out)) {
		name, err := filepath.Rel(home, folder)
		if err != nil {
			return nil, fmt.Errorf("listing the packages in %s: %w", dir, err)
		}
		if name = "./" + filepath.ToSlash(name); !slices.Contains(others, name) {
			packages = append(packages, name)
		}
	}
	return packages, nil
}

func stderrOf(err error) string {
	if exit, ok := err.(*exec.ExitError); ok {
		return "\n" + string(exit.Stderr)
	}
	return ""
}

// fuzzFunction is the head of a fuzz target.
var fuzzFunction = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(\w+ \*testing\.F\)`)

// fuzzCommands returns one command for each fuzz target of the module in a
// folder.
func fuzzCommands(home string, test []string) ([][]string, error) {
	var commands [][]string
	err := filepath.WalkDir(home, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != home && isModule(path) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(home, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, match := range fuzzFunction.FindAllSubmatch(text, -1) {
			commands = append(commands, append(slices.Clone(test),
				"-run", "^$", "-fuzz", "^"+string(match[1])+"$", "-fuzztime", fuzzTime.String(), "./"+filepath.ToSlash(folder)))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for fuzz targets: %w", err)
	}
	return commands, nil
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// command prepares a command in a folder below the project's. When ctx ends, the
// command is interrupted together with what it has started, and later killed.
func (r *runner) command(ctx context.Context, dir string, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = filepath.Join(r.root, dir)
	// As the sandbox's parts are built, so that what is compiled is shared.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGINT) }
	cmd.WaitDelay = killAfter
	return cmd
}
