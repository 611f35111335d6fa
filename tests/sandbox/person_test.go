package sandbox_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/build"
	"sluice.dev/sluice/tests/sandbox/netns"
)

// person is a user of the command sluice-sandbox with a home of their own, and
// everything at its default.
type person struct {
	command, home string
	as            *syscall.Credential
}

// newPerson returns the user who runs the test, or if as is not nil another one.
func newPerson(t *testing.T, as *syscall.Credential) *person {
	t.Helper()
	// Not the test's own folder, into which no other user may look.
	home, err := os.MkdirTemp("", "sluice-person-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(home)) })
	p := &person{home: home, as: as, command: hand(t, home, buildCommand(t))}
	shareParts(t, filepath.Join(home, "cache"))
	shareSources(t, home)
	if as != nil {
		require.NoError(t, os.Chown(home, int(as.Uid), int(as.Gid)))
	}
	return p
}

// ordinary returns a user without rights if the test runs as root, else nil: then
// the test itself runs as one.
func ordinary() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}

// buildCommand builds sluice-sandbox as a person does.
func buildCommand(t *testing.T) string {
	t.Helper()
	root, err := sandbox.Root()
	require.NoError(t, err)
	cache, err := build.CacheDir()
	require.NoError(t, err)
	builder := build.Builder{Cache: cache, Progress: build.Progress{Out: os.Stderr}}
	path, err := builder.One(t.Context(), build.Target{
		Name: "sluice-sandbox", Dir: root, Package: "./sandbox/cmd/sluice-sandbox", Sources: []string{"sandbox"},
	})
	require.NoError(t, err)
	return path
}

// hand puts a program into a folder, under its own name.
func hand(t *testing.T, dir, program string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	to := filepath.Join(dir, filepath.Base(program))
	if os.Link(program, to) == nil {
		return to
	}
	// Another file system.
	from, err := os.Open(program)
	require.NoError(t, err)
	defer from.Close()
	file, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(file, from)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	return to
}

// shareParts fills a cache of built parts with those of this user's.
func shareParts(t *testing.T, cache string) {
	t.Helper()
	built, err := sandbox.Build(t.Context(), build.Progress{Out: os.Stderr})
	require.NoError(t, err)
	own, err := build.CacheDir()
	require.NoError(t, err)
	for _, part := range []string{built.Kube, built.Temporal, built.Traefik, built.Prometheus, built.Demoapp} {
		version, err := filepath.Rel(own, filepath.Dir(part))
		require.NoError(t, err)
		hand(t, filepath.Join(cache, version), part)
	}
}

// shareSources copies what the command looks at to know which parts it needs:
// another user need not be able to read where the project is.
func shareSources(t *testing.T, home string) {
	t.Helper()
	root, err := sandbox.Root()
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(filepath.Join(home, "tests", "sandbox"), os.DirFS(filepath.Join(root, "sandbox"))))
	for _, file := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(home, "tests", file), text, 0o644))
	}
}

// dir is the folder of the person's sandbox.
func (p *person) dir() string {
	return filepath.Join(p.home, ".local", "state", "sluice", "sandbox", "default")
}

// typed is a command that the person has typed, and what it has printed.
type typed struct {
	*exec.Cmd
	mu  sync.Mutex
	out bytes.Buffer
}

// Write keeps what the command prints.
func (c *typed) Write(text []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(text)
}

// String is all that the command has printed.
func (c *typed) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

// start types a command, in a process group as a terminal's shell makes it.
func (p *person) start(t *testing.T, args ...string) *typed {
	t.Helper()
	c := &typed{Cmd: exec.Command(p.command, args...)}
	c.Dir, c.Stdout, c.Stderr = p.home, c, c
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.home, "SLUICE_CACHE=" + filepath.Join(p.home, "cache")}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.as}
	require.NoError(t, c.Start())
	// Should the test end early; the kernel ends the sandbox with it.
	t.Cleanup(func() { _ = c.Process.Kill() })
	return c
}

// await waits until the command has printed a text.
func (c *typed) await(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(c.String(), text) }, patience, lookEvery, "%s", c)
}

// ends waits for the command's end and returns its exit code.
func (c *typed) ends(t *testing.T) int {
	t.Helper()
	err := c.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return c.ProcessState.ExitCode()
}

// run types a command and returns its exit code and what it printed.
func (p *person) run(t *testing.T, args ...string) (int, string) {
	t.Helper()
	c := p.start(t, args...)
	return c.ends(t), c.String()
}

// requireNamespaces skips the test where the kernel lets the user make no
// namespaces, and says what the kernel says.
func requireNamespaces(t *testing.T, as *syscall.Credential) {
	t.Helper()
	home, err := os.MkdirTemp("", "sluice-person-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(home)) })
	require.NoError(t, os.Chmod(home, 0o755))
	cmd := exec.Command(hand(t, home, testBinary(t)), roleNamespaces)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == codeForbidden {
		t.Skipf("an ordinary user may not run a sandbox on this machine: %s", out)
	}
	require.NoError(t, err, "%s", out)
}

// codeForbidden is the exit code of a role that the kernel has refused.
const codeForbidden = 77

// enterNamespaces plays roleNamespaces: it makes the namespaces of a sandbox, with
// roleLoopback as their process 1.
func enterNamespaces() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, roleLoopback)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	wait, err := netns.Spawn(cmd)
	if err != nil {
		return err
	}
	return wait()
}

// exitForbidden ends the process, with codeForbidden if the kernel has refused.
func exitForbidden(err error) {
	var inner *exec.ExitError
	refused := errors.As(err, &inner) && inner.ExitCode() == codeForbidden
	for _, code := range []error{unix.EPERM, unix.EACCES, unix.ENOSPC} {
		refused = refused || errors.Is(err, code)
	}
	if refused {
		_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
		os.Exit(codeForbidden)
	}
	exit(err)
}
