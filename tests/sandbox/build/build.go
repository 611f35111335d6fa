// Package build compiles the parts of a sandbox with the local Go toolchain
// and keeps the binaries in the user's cache folder, by what they were built
// from: a part is built once, and again only when its sources, its modules,
// the toolchain or the flags change.
package build

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sluice.dev/sluice/tests/sandbox/layout"
)

// keepUnused is how long a binary stays in the cache after it was used last.
const keepUnused = 14 * 24 * time.Hour

// interruptLimit is how long the toolchain may take to end when it is
// interrupted.
const interruptLimit = 10 * time.Second

// Target is a binary to build.
type Target struct {
	// Name is the binary's name, also in the cache.
	Name string
	// Dir is the folder of its module, and Package what to build there.
	Dir, Package string
	Tags         []string
	// Values are variables to set when linking, as PACKAGE.NAME=VALUE.
	Values []string
	// Sources are the files and folders below Dir that the binary is built
	// from, other than go.mod and go.sum. Empty means all of Dir.
	Sources []string
}

// Builder builds targets into a cache.
type Builder struct {
	// Cache is the cache's folder.
	Cache string
	// Progress is told what is being built and how far it is.
	Progress Progress
}

// CacheDir returns the folder for built parts: $SLUICE_CACHE, else the folder
// sluice in the user's cache folder.
func CacheDir() (string, error) {
	if dir := os.Getenv("SLUICE_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache folder (or set SLUICE_CACHE): %w", err)
	}
	return filepath.Join(dir, "sluice"), nil
}

// All builds the targets, one after the other as each uses all processors,
// and returns the paths of the binaries by the targets' names.
func (b *Builder) All(ctx context.Context, targets []Target) (map[string]string, error) {
	paths := make(map[string]string, len(targets))
	for _, t := range targets {
		path, err := b.One(ctx, t)
		if err != nil {
			return nil, err
		}
		paths[t.Name] = path
	}
	return paths, nil
}

// One returns the path of the target's binary, which it builds unless the
// cache holds it. Another process that builds it is waited for.
func (b *Builder) One(ctx context.Context, t Target) (string, error) {
	key, err := t.key(ctx)
	if err != nil {
		return "", fmt.Errorf("finding out what %s is built from: %w", t.Name, err)
	}
	home := filepath.Join(b.Cache, "parts", t.Name)
	binary := filepath.Join(home, key, t.Name)
	if cached(binary) {
		return binary, nil
	}
	if err := os.MkdirAll(filepath.Dir(binary), 0o755); err != nil {
		return "", fmt.Errorf("creating the cache folder: %w", err)
	}
	lock, err := layout.WaitLock(ctx, filepath.Join(home, "lock"), func() {
		b.Progress.Say(t.Name + ": waiting for another process that builds it")
	})
	if err != nil {
		return "", fmt.Errorf("building %s: %w", t.Name, err)
	}
	defer lock.Release()
	if cached(binary) {
		return binary, nil
	}
	if err := b.compile(ctx, t, binary); err != nil {
		return "", fmt.Errorf("building %s: %w", t.Name, err)
	}
	return binary, prune(home, key)
}

// cached tells whether a binary is there, and notes that it was used.
func cached(binary string) bool {
	if _, err := os.Stat(binary); err != nil {
		return false
	}
	now := time.Now()
	// A cache that is shared with another user can be used all the same.
	_ = os.Chtimes(binary, now, now)
	return true
}

// compile builds the binary and puts it into its place in one step.
func (b *Builder) compile(ctx context.Context, t Target, binary string) error {
	begun := time.Now()
	report := b.Progress.Begin(t.Name)
	total, err := t.countStale(ctx)
	if err != nil {
		report.End("failed")
		return err
	}
	report.At(0, total)
	next := binary + ".new"
	args := append([]string{"build", "-v", "-o", next}, t.flags()...)
	err = run(ctx, t.command(ctx, append(args, t.Package)...), func(done int) {
		report.At(done, total)
	})
	if err != nil {
		report.End("failed")
		return err
	}
	if err := os.Rename(next, binary); err != nil {
		report.End("failed")
		return fmt.Errorf("putting the binary into the cache: %w", err)
	}
	report.End(fmt.Sprintf("built %d packages in %s", total, time.Since(begun).Round(100*time.Millisecond)))
	return nil
}

// countStale returns how many packages have to be compiled.
func (t Target) countStale(ctx context.Context) (int, error) {
	args := append([]string{"list", "-deps", "-f", "{{.Stale}}"}, t.flags()...)
	out, err := output(t.command(ctx, append(args, t.Package)...))
	if err != nil {
		return 0, fmt.Errorf("counting the packages: %w", err)
	}
	return strings.Count(out, "true"), nil
}

// flags are the same for all parts, so that what they share is compiled once.
func (t Target) flags() []string {
	link := "-ldflags=-s -w"
	for _, value := range t.Values {
		link += " -X " + value
	}
	flags := []string{link}
	if len(t.Tags) > 0 {
		flags = append(flags, "-tags="+strings.Join(t.Tags, ","))
	}
	return flags
}

// environment is what every command of the toolchain is run with.
func environment() []string {
	return append(os.Environ(),
		// No C compiler is needed, and none may change the result.
		"CGO_ENABLED=0",
		"GOTOOLCHAIN=local",
		"GOFLAGS=-buildvcs=false",
		"GOWORK=off",
		// The compiler is a short-lived process: collecting garbage only when
		// memory grows makes a cold build about a fifth faster.
		"GOGC=off", "GOMEMLIMIT=1500MiB",
	)
}

func (t Target) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = t.Dir
	cmd.Env = environment()
	// The toolchain takes its compilers and temporary files with it.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptLimit
	return cmd
}

// prune removes versions of a part that have not been used for long.
func prune(home, keep string) error {
	versions, err := filepath.Glob(filepath.Join(home, "*", filepath.Base(home)))
	if err != nil {
		return fmt.Errorf("looking for old versions: %w", err)
	}
	for _, binary := range versions {
		dir := filepath.Dir(binary)
		info, err := os.Stat(binary)
		if err != nil || filepath.Base(dir) == keep || time.Since(info.ModTime()) < keepUnused {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("removing an old version: %w", err)
		}
	}
	return nil
}
