package outside_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox/control"
	"sluice.dev/sluice/tests/sandbox/layout"
)

func TestExecPassesCodesStreamsAndEnvironment(t *testing.T) {
	s := up(t, "one")
	for _, c := range []struct {
		name, stdin string
		args        []string
		want        control.Exit
		out         string
	}{
		{"success", "", []string{"true"}, control.Exit{}, ""},
		{"code", "", []string{"sh", "-c", "exit 7"}, control.Exit{Code: 7}, ""},
		{"signal", "", []string{"sh", "-c", "kill -TERM $$"}, control.Exit{Code: 143, Signal: 15}, ""},
		{"stdin", "abc\n", []string{"tr", "a-c", "x-z"}, control.Exit{}, "xyz\n"},
		{"stderr", "", []string{"sh", "-c", "echo oops >&2"}, control.Exit{}, "oops\n"},
		{"environment", "", []string{"sh", "-c", `echo "$SLUICE_SANDBOX_DIR"`}, control.Exit{}, string(s.dir) + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			exit, out := s.run(t, c.stdin, c.args...)
			require.Equal(t, c.want, exit)
			require.Equal(t, c.out, out)
		})
	}
}

func TestExecOfLargeEnvironmentAndFolder(t *testing.T) {
	s := up(t, "one")
	r, w, err := os.Pipe()
	require.NoError(t, err)
	large := strings.Repeat("x", 100_000)
	dir := t.TempDir()
	running, err := s.Exec(t.Context(), control.Exec{
		Args: []string{"sh", "-c", "echo ${#LARGE}; pwd"}, Env: append(os.Environ(), "LARGE="+large), Dir: dir,
	}, [3]*os.File{os.Stdin, w, w})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	out, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "100000\n"+dir+"\n", string(out))
	exit, err := running.Wait()
	require.NoError(t, err)
	require.Zero(t, exit.Code)
}

func TestExecOfWhatIsNotThere(t *testing.T) {
	s := up(t, "one")
	files := [3]*os.File{os.Stdin, os.Stdout, os.Stderr}
	_, err := s.Exec(t.Context(), control.Exec{Args: []string{"no-such-command"}}, files)
	require.ErrorContains(t, err, "finding the command")
	_, err = s.Exec(t.Context(), control.Exec{Args: []string{"true"}, Dir: "/no/such/folder"}, files)
	require.ErrorContains(t, err, "no such file or directory")
	_, err = s.Exec(t.Context(), control.Exec{}, files)
	require.ErrorContains(t, err, "no command")
}

func TestExecHandsSignalsOn(t *testing.T) {
	s := up(t, "one")
	running, out := s.trapping(t, t.Context())
	require.NoError(t, running.Signal(unix.SIGUSR1))
	exit, err := running.Wait()
	require.NoError(t, err)
	require.Equal(t, control.Exit{Code: 42}, exit)
	require.NoError(t, out.Close())
}

func TestExecEndsWithItsClient(t *testing.T) {
	s := up(t, "one")
	ctx, cancel := context.WithCancel(t.Context())
	running, out := s.trapping(t, ctx)
	cancel()
	_, err := running.Wait()
	require.ErrorIs(t, err, context.Canceled)
	// The reading end sees the end when the last process that could write is
	// gone.
	require.NoError(t, out.SetReadDeadline(time.Now().Add(patience)))
	_, err = io.ReadAll(out)
	require.NoError(t, err)
}

func TestSignalByInnerPid(t *testing.T) {
	s := up(t, "one")
	running, out := s.trapping(t, t.Context())
	require.NoError(t, s.Signal(t.Context(), running.PID, unix.SIGKILL))
	exit, err := running.Wait()
	require.NoError(t, err)
	require.Equal(t, control.Exit{Code: 137, Signal: 9}, exit)
	require.NoError(t, out.Close())
}

// trapping starts a command that ignores SIGTERM and exits with 42 on
// SIGUSR1, and waits until it runs.
func (s *sandbox) trapping(t *testing.T, ctx context.Context) (*control.Running, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	running, err := s.Exec(ctx, control.Exec{
		Args: []string{"sh", "-c", "trap '' TERM; trap 'exit 42' USR1; echo ready; while :; do sleep 0.05; done"},
		Env:  os.Environ(),
	}, [3]*os.File{os.Stdin, w, w})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	ready := make([]byte, len("ready\n"))
	_, err = io.ReadFull(r, ready)
	require.NoError(t, err)
	return running, r
}

func TestLongFolderNames(t *testing.T) {
	dir := layout.Dir(filepath.Join(t.TempDir(), strings.Repeat("long-", 30)))
	s := upParts(t, dir, serverParts(dir, "far")...)
	require.Equal(t, "ready", string(s.awaitStarted(t).Phase))
	exit, _ := s.run(t, "", "true")
	require.Zero(t, exit.Code)
}
