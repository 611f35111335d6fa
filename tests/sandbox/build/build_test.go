package build_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/sandbox/build"
)

func TestBuildOnceAndAgainWhenSourcesChange(t *testing.T) {
	var said buffer
	b := &build.Builder{Cache: t.TempDir(), Progress: build.Progress{Out: &said}}
	target := hello(t, "one")

	first, err := b.One(t.Context(), target)
	require.NoError(t, err)
	require.Equal(t, "one", outputOf(t, first))
	require.Contains(t, said.String(), "hello: building\n")
	require.Regexp(t, `hello: built \d+ packages in [0-9.]+m?s`, said.String())

	said.Reset()
	again, err := b.One(t.Context(), target)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Empty(t, said.String(), "what is in the cache was built again")

	write(t, target.Dir, "main.go", program("two"))
	changed, err := b.One(t.Context(), target)
	require.NoError(t, err)
	require.NotEqual(t, first, changed)
	require.Equal(t, "two", outputOf(t, changed))
	require.FileExists(t, first, "a version that was just used is gone")
}

func TestTestsAndForeignFoldersDoNotCount(t *testing.T) {
	b := &build.Builder{Cache: t.TempDir(), Progress: build.Progress{Out: &buffer{}}}
	target := hello(t, "one")
	target.Sources = []string{"main.go"}
	first, err := b.One(t.Context(), target)
	require.NoError(t, err)
	write(t, target.Dir, "main_test.go", "package main\n")
	write(t, target.Dir, "other/other.go", "package other\n")
	second, err := b.One(t.Context(), target)
	require.NoError(t, err)
	require.Equal(t, first, second)
}

func TestConcurrentBuildsBuildOnce(t *testing.T) {
	var said buffer
	cache, target := t.TempDir(), hello(t, "one")
	var wait sync.WaitGroup
	paths := make([]string, 4)
	errs := make([]error, 4)
	for i := range paths {
		wait.Go(func() {
			// A Builder each, as processes would have.
			b := &build.Builder{Cache: cache, Progress: build.Progress{Out: &said}}
			paths[i], errs[i] = b.One(t.Context(), target)
		})
	}
	wait.Wait()
	for i := range paths {
		require.NoError(t, errs[i])
		require.Equal(t, paths[0], paths[i])
	}
	require.Equal(t, 1, said.count("hello: building\n"))
	require.Equal(t, 1, said.count("hello: built"))
}

func TestErrorsShowTheCompilersMessage(t *testing.T) {
	var said buffer
	b := &build.Builder{Cache: t.TempDir(), Progress: build.Progress{Out: &said}}
	target := hello(t, "one")
	write(t, target.Dir, "main.go", "package main\n\nfunc main() { undefinedName() }\n")
	_, err := b.All(t.Context(), []build.Target{target})
	require.ErrorContains(t, err, "building hello")
	require.ErrorContains(t, err, "undefinedName")
	require.Contains(t, said.String(), "hello: failed")
}

func TestInterruptedBuildLeavesNothing(t *testing.T) {
	b := &build.Builder{Cache: t.TempDir(), Progress: build.Progress{Out: &buffer{}}}
	target := hello(t, "one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.One(ctx, target)
	require.ErrorIs(t, err, context.Canceled)
	path, err := b.One(t.Context(), target)
	require.NoError(t, err)
	require.Equal(t, "one", outputOf(t, path))
}

func TestCacheDir(t *testing.T) {
	t.Setenv("SLUICE_CACHE", "/somewhere/else")
	dir, err := build.CacheDir()
	require.NoError(t, err)
	require.Equal(t, "/somewhere/else", dir)
	t.Setenv("SLUICE_CACHE", "")
	t.Setenv("XDG_CACHE_HOME", "/cache")
	dir, err = build.CacheDir()
	require.NoError(t, err)
	require.Equal(t, "/cache/sluice", dir)
}

// hello returns a target of a module that prints text.
func hello(t *testing.T, text string) build.Target {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "go.mod", "module example.com/hello\n\ngo 1.26.0\n")
	write(t, dir, "go.sum", "")
	write(t, dir, "main.go", program(text))
	return build.Target{Name: "hello", Dir: dir, Package: "."}
}

func program(text string) string {
	return "package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(\"" + text + "\") }\n"
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

func outputOf(t *testing.T, binary string) string {
	t.Helper()
	out, err := exec.Command(binary).Output()
	require.NoError(t, err)
	return string(out)
}

// buffer is a bytes.Buffer that many may write to.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *buffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Reset()
}

func (b *buffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Count(b.text.Bytes(), []byte(text))
}
