package outside_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox/control"
	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/tests/sandbox/proc"
)

func TestNetworkIsItsOwn(t *testing.T) {
	s := up(t, "one")
	exit, out := s.run(t, "", "cat", "/proc/net/dev")
	require.Zero(t, exit.Code)
	for _, line := range strings.Split(strings.TrimSpace(out), "\n")[2:] {
		name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		// Tunnel devices that the kernel puts into every namespace are down.
		require.NotContains(t, name, "eth", "an interface of the machine is visible inside")
	}
	exit, out = s.run(t, "", self(t), roleGet, "http://"+web)
	require.Zero(t, exit.Code, out)
	require.Equal(t, "one", out)

	// The address is not one of the machine's.
	_, err := net.Listen("tcp", web)
	require.ErrorIs(t, err, syscall.EADDRNOTAVAIL)
}

func TestProcessesAreItsOwn(t *testing.T) {
	s := up(t, "one")
	exit, out := s.run(t, "", "sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '")
	require.Zero(t, exit.Code)
	require.Contains(t, out, "sandbox-inside-init")
}

func TestTwoSideBySide(t *testing.T) {
	first, second := up(t, "first"), up(t, "second")
	require.NotEqual(t, first.url, second.url)
	for _, s := range []struct {
		box  *sandbox
		want string
	}{{first, "first"}, {second, "second"}} {
		var got bytes.Buffer
		require.NoError(t, get(s.box.url, &got))
		require.Equal(t, s.want, got.String())
	}
}

func TestTasksRunBehindTheirNeeds(t *testing.T) {
	s := up(t, "one")
	require.FileExists(t, s.dir.Join("noted"))
	status, err := s.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, proc.Done, status.Parts[1].State)
	require.Positive(t, status.StartedIn)
}

func TestKilledOuterLeavesNothing(t *testing.T) {
	for _, role := range []struct {
		name string
		as   *syscall.Credential
	}{
		{"own user", nil},
		{"ordinary user", ordinary()},
	} {
		t.Run(role.name, func(t *testing.T) {
			dir, binary := shareable(t)
			outer := exec.Command(binary, roleOuter, string(dir), "held")
			outer.SysProcAttr = &syscall.SysProcAttr{Credential: role.as}
			outer.Stderr = os.Stderr
			require.NoError(t, outer.Start())
			// Should the test end early; a second kill is harmless.
			t.Cleanup(func() { _ = outer.Process.Kill() })
			client := control.NewClient(dir.Control())
			require.Equal(t, proc.PhaseReady, awaitStarted(t, client, dir).Phase)

			// A process inside that ignores what can be ignored, in a session
			// of its own and without its parent.
			startStray(t, client, dir, "trap '' TERM HUP INT; exec sleep 1000")
			net := network(t, client)
			// Process 1, the supervisor, the part, and the stray.
			require.GreaterOrEqual(t, len(processesIn(t, net)), 4)

			require.NoError(t, outer.Process.Kill())
			_ = outer.Wait() // it was killed, so this is an error
			require.Eventually(t, func() bool { return len(processesIn(t, net)) == 0 },
				patience, 10*time.Millisecond)
		})
	}
}

// startStray leaves a process running inside that nobody waits for.
func startStray(t *testing.T, client *control.Client, dir layout.Dir, script string) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	require.NoError(t, err)
	defer null.Close()
	running, err := client.Exec(t.Context(), control.Exec{
		Args: []string{"sh", "-c", "setsid sh -c \"$0\" & ", script}, Env: os.Environ(), Dir: string(dir),
	}, [3]*os.File{null, null, null})
	require.NoError(t, err)
	exit, err := running.Wait()
	require.NoError(t, err)
	require.Zero(t, exit.Code)
}

// ordinary returns a user without rights if the test runs as root, else nil:
// then the test itself runs as one.
func ordinary() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}

// shareable returns a folder that any user may write to and a copy of this
// binary in it that any user may run.
func shareable(t *testing.T) (layout.Dir, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sandbox")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o777))
	text, err := os.ReadFile(self(t))
	require.NoError(t, err)
	binary := dir + "/outer"
	require.NoError(t, os.WriteFile(binary, text, 0o755))
	return layout.Dir(dir + "/box"), binary
}

func TestPartThatDiesAtTheStart(t *testing.T) {
	dir := layout.Dir(t.TempDir())
	s := upParts(t, dir, proc.Part{
		Name: "broken", Path: "/bin/sh", Args: []string{"-c", "echo no luck today; exit 3"},
		Log: dir.Log("broken"), Ready: &proc.Probe{TCP: []string{web}},
	}, proc.Part{Name: "note", Task: "note", Needs: []string{"broken"}})
	status := s.awaitStarted(t)
	require.Equal(t, proc.PhaseFailed, status.Phase)
	require.Contains(t, status.Error, "broken: ended by itself: exit status 3")
	require.Contains(t, status.Error, "no luck today")
	require.Equal(t, proc.Waiting, status.Parts[1].State)
}

func TestPartsOnCommand(t *testing.T) {
	s := up(t, "one")
	ctx := t.Context()
	state := func() proc.PartStatus {
		status, err := s.Status(ctx)
		require.NoError(t, err)
		return status.Parts[0]
	}
	first := state()
	require.True(t, first.Healthy)

	require.NoError(t, s.Freeze(ctx, "web"))
	frozen := state()
	require.Equal(t, proc.Frozen, frozen.State)
	require.False(t, frozen.Healthy, "a frozen part answered")
	require.ErrorContains(t, s.Freeze(ctx, "web"), "is frozen, not ready")
	require.NoError(t, s.Thaw(ctx, "web"))
	require.True(t, state().Healthy)
	require.Equal(t, first.PID, state().PID)

	require.NoError(t, s.Stop(ctx, "web", true))
	require.Equal(t, proc.Stopped, state().State)
	require.Error(t, get(s.url, &bytes.Buffer{}))
	status, err := s.Status(ctx)
	require.NoError(t, err)
	require.Equal(t, proc.PhaseDegraded, status.Phase)

	require.NoError(t, s.Start(ctx, "web"))
	require.True(t, state().Healthy)
	require.NotEqual(t, first.PID, state().PID)
	require.ErrorContains(t, s.Start(ctx, "web"), "running already")
	require.ErrorContains(t, s.Stop(ctx, "nothing", false), "its parts are [web note]")
}

func TestPartThatDiesIsReportedAndNotRestarted(t *testing.T) {
	s := up(t, "one")
	status, err := s.Status(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Signal(t.Context(), status.Parts[0].PID, unix.SIGKILL))
	err = s.Watch(t.Context(), func(now proc.Status) bool { return now.Parts[0].State == proc.Ready })
	require.NoError(t, err)
	status, err = s.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, proc.PhaseDegraded, status.Phase)
	require.Equal(t, proc.Failed, status.Parts[0].State)
	require.Contains(t, status.Parts[0].Detail, "signal: killed")
}

func TestStopEndsFrozenParts(t *testing.T) {
	dir := layout.Dir(t.TempDir())
	s := upParts(t, dir, serverParts(dir, "one")...)
	require.Equal(t, proc.PhaseReady, s.awaitStarted(t).Phase)
	net := network(t, s.Client)
	require.NotEmpty(t, processesIn(t, net))
	require.NoError(t, s.Freeze(t.Context(), "web"))
	begun := time.Now()
	require.NoError(t, s.inner.Stop(context.Background()))
	require.Less(t, time.Since(begun), 10*time.Second)
	require.Empty(t, processesIn(t, net))
}

func TestWrongSignalsAreRefused(t *testing.T) {
	s := up(t, "one")
	_, out := s.run(t, "", "sh", "-c", "echo $PPID")
	supervisor, err := strconv.Atoi(strings.TrimSpace(out))
	require.NoError(t, err)
	for _, pid := range []int{-1, 0, 1, supervisor} {
		t.Run(strconv.Itoa(pid), func(t *testing.T) {
			require.ErrorContains(t, s.Signal(t.Context(), pid, unix.SIGKILL), "not one that may be signalled")
		})
	}
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	return path
}
