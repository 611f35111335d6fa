package layout_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox/layout"
)

func TestDefaultFolder(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/state")
	for name, want := range map[string]string{
		"default":               "/state/sluice/sandbox/default",
		"two-2":                 "/state/sluice/sandbox/two-2",
		"":                      "",
		"Upper":                 "",
		"../escape":             "",
		"-dash":                 "",
		strings.Repeat("x", 41): "",
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := layout.Default(name)
			if want == "" {
				require.ErrorContains(t, err, "at most 40 lower-case letters")
				return
			}
			require.NoError(t, err)
			require.Equal(t, layout.Dir(want), dir)
		})
	}
}

func TestForeignFoldersAreLeftAlone(t *testing.T) {
	dir := layout.Dir(t.TempDir())
	precious := dir.Join("thesis.txt")
	require.NoError(t, os.WriteFile(precious, []byte("years of work"), 0o600))
	require.ErrorContains(t, dir.Create(), "not a sandbox's")
	require.ErrorContains(t, dir.Remove(), "not a sandbox's")
	require.FileExists(t, precious)
}

func TestCreateWipeRemove(t *testing.T) {
	dir := layout.Dir(filepath.Join(t.TempDir(), "a", "b"))
	require.NoError(t, dir.Create())
	info, err := os.Stat(string(dir))
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077, "others may look into a folder with keys")

	require.NoError(t, os.WriteFile(dir.Join("temporal.db"), nil, 0o600))
	lock, err := dir.TryLock()
	require.NoError(t, err)
	require.NoError(t, dir.Wipe())
	require.NoFileExists(t, dir.Join("temporal.db"))
	require.DirExists(t, dir.Join("logs"))
	_, err = dir.TryLock()
	require.ErrorIs(t, err, layout.ErrHeld, "wiping gave the lock away")

	require.NoError(t, lock.Release())
	require.NoError(t, dir.Remove())
	require.NoDirExists(t, string(dir))
	require.NoError(t, dir.Remove())
}

func TestStateIsReadBack(t *testing.T) {
	dir := layout.Dir(t.TempDir())
	_, err := dir.ReadState()
	require.ErrorIs(t, err, os.ErrNotExist)
	self, err := layout.Self()
	require.NoError(t, err)
	want := layout.State{
		Name: "one", Dir: dir, Process: self, Started: time.Now().UTC().Round(0),
		Outside: layout.Addresses{GatewayURL: "http://127.0.0.1:1"}, Ports: map[string]int{"gateway": 1},
	}
	require.NoError(t, dir.WriteState(want))
	got, err := dir.ReadState()
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestProcessesAreToldApart(t *testing.T) {
	sleeper := exec.Command("sleep", "1000")
	require.NoError(t, sleeper.Start())
	self, err := layout.Self()
	require.NoError(t, err)

	// A process that has come to use the number of another, which began before
	// this test: clocks tick every 10 ms, and the two may share a tick.
	other := self
	other.PID = sleeper.Process.Pid
	other.Start--
	_, alive, err := other.Open()
	require.NoError(t, err)
	require.False(t, alive)
	rebooted := self
	rebooted.Boot = "another"
	_, alive, err = rebooted.Open()
	require.NoError(t, err)
	require.False(t, alive)
	_, alive, err = layout.Process{}.Open()
	require.NoError(t, err)
	require.False(t, alive)

	handle, alive, err := self.Open()
	require.NoError(t, err)
	require.True(t, alive)
	require.NoError(t, handle.Signal(0))
	ended, err := handle.Wait(time.Millisecond)
	require.NoError(t, err)
	require.False(t, ended)
	require.NoError(t, handle.Close())

	require.NoError(t, sleeper.Process.Signal(unix.SIGKILL))
	require.Error(t, sleeper.Wait())
}

func TestLockIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := layout.TryLock(path)
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	_, err = layout.WaitLock(ctx, path, cancel)
	require.ErrorIs(t, err, context.Canceled)

	second, err := layout.WaitLock(t.Context(), path, func() { require.NoError(t, first.Release()) })
	require.NoError(t, err)
	require.NoError(t, second.Release())
}
