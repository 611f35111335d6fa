package sandbox_test

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox"
)

// keptUntil is what `up` prints last.
const keptUntil = "Ctrl-C takes it down."

func TestWholeSandboxAsAnOrdinaryUser(t *testing.T) {
	requireNamespaces(t, ordinary())
	p := newPerson(t, ordinary())
	up := p.start(t, "up")
	up.await(t, keptUntil)
	code, status := p.run(t, "status")
	require.Zero(t, code, status)
	require.Contains(t, status, "sandbox default is ready")

	s, err := sandbox.Attach(p.dir())
	require.NoError(t, err)
	applySeed(t, s)
	network, gateway := network(t, s), s.State().Outside.GatewayURL
	require.Greater(t, len(processesIn(t, network)), 10)
	if p.as != nil {
		requireOwner(t, s, p.as)
	}

	code, out := p.run(t, "down", "--purge")
	require.Zero(t, code, out)
	require.Zero(t, up.ends(t), "%s", up)
	requireNothingLeft(t, network, gateway)
	require.NoDirExists(t, p.dir())
	code, status = p.run(t, "status")
	require.Equal(t, 1, code)
	require.Contains(t, status, "sandbox default is stopped")
}

// requireOwner requires that everything in the sandbox is the user's.
func requireOwner(t *testing.T, s *sandbox.Sandbox, as *syscall.Credential) {
	t.Helper()
	for _, file := range []string{"etcd", "node-1", "state.json"} {
		var info unix.Stat_t
		require.NoError(t, unix.Stat(filepath.Join(string(s.Dir()), file), &info))
		require.Equal(t, as.Uid, info.Uid, file)
	}
}

// requireNothingLeft requires that a sandbox's network has no process any more,
// and its gateway no port.
func requireNothingLeft(t *testing.T, network, gateway string) {
	t.Helper()
	require.Empty(t, processesIn(t, network))
	_, err := net.Dial("tcp", gateway[len("http://"):])
	require.ErrorIs(t, err, unix.ECONNREFUSED)
}

func TestCtrlC(t *testing.T) {
	p := newPerson(t, nil)
	for _, c := range []struct {
		name, at, says string
		code           int
	}{
		{"while it starts", "etcd ", "interrupted; everything is down again", 130},
		{"when it is ready", keptUntil, "taking the sandbox down", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			up := p.start(t, "up")
			up.await(t, c.at)
			s, err := sandbox.Attach(p.dir())
			require.NoError(t, err)
			network, gateway := network(t, s), s.State().Outside.GatewayURL
			// As the terminal does: to the whole group.
			require.NoError(t, unix.Kill(-up.Process.Pid, unix.SIGINT))
			require.Equal(t, c.code, up.ends(t), "%s", up)
			require.Contains(t, up.String(), c.says)
			requireNothingLeft(t, network, gateway)
			_, err = sandbox.Attach(p.dir())
			require.ErrorIs(t, err, sandbox.ErrNotRunning)
		})
	}
}
