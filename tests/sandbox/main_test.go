package sandbox_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/cluster"
	"sluice.dev/sluice/tests/sandbox/netns"
)

// The test's binary also plays these roles:
const (
	roleGet  = "test-get"  // URL: prints what it answers
	roleHold = "test-hold" // DIR: holds a sandbox until it is killed

	roleNamespaces = "test-namespaces" // makes the namespaces of a sandbox
	roleLoopback   = "test-loopback"   // and is process 1 in them
)

// patience is how long anything may take on a busy machine.
const patience = 60 * time.Second

// lookEvery is the pause between two looks at what is waited for.
const lookEvery = 20 * time.Millisecond

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == roleGet {
		exit(get(os.Args[2], os.Stdout))
	}
	if len(os.Args) == 3 && os.Args[1] == roleHold {
		if code, played := sandbox.Main(); played {
			os.Exit(code)
		}
		exit(hold(os.Args[2]))
	}
	if len(os.Args) == 2 && os.Args[1] == roleNamespaces {
		exitForbidden(enterNamespaces())
	}
	if len(os.Args) == 2 && os.Args[1] == roleLoopback {
		exitForbidden(netns.UpLoopback())
	}
	two := cluster.Defaults()
	two.Gateways = 2
	two.GatewayThrottle = 0
	os.Exit(sandbox.Test(m, sandbox.Options{Name: "tests", Cluster: &two}))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func hold(dir string) error {
	s, err := sandbox.Up(context.Background(), sandbox.Options{Name: "held", Dir: dir})
	if err != nil {
		return err
	}
	<-s.Ended()
	return nil
}

func get(url string, to io.Writer) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(to, resp.Body)
	return err
}

// testBinary is the test's own program, which plays the roles.
func testBinary(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	return path
}

// answer returns the answer and the status of a GET from outside.
func answer(t *testing.T, url string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return strings.TrimSpace(string(text)), resp.StatusCode
}

// applySeed applies the seed's application and waits until the gateway
// answers with it.
func applySeed(t *testing.T, s *sandbox.Sandbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.ApplyFile(ctx, "default", filepath.Join("testdata", "seed", "app.yaml")))
	require.NoError(t, s.AwaitDeployment(ctx, "default", "demo"))
	require.Eventually(t, func() bool {
		text, code := answer(t, s.State().Outside.GatewayURL+"/version")
		return code == http.StatusOK && text == "version: v1"
	}, patience, 50*time.Millisecond)
}

// network returns the name of the sandbox's network namespace.
func network(t *testing.T, s *sandbox.Sandbox) string {
	t.Helper()
	out, err := s.Command(t.Context(), "readlink", "/proc/self/ns/net").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// processesIn returns the command lines of all processes of this machine that
// are in a network namespace.
func processesIn(t *testing.T, network string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/ns/net")
	require.NoError(t, err)
	var found []string
	for _, link := range links {
		// A process may end while it is looked at.
		if name, err := os.Readlink(link); err != nil || name != network {
			continue
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(link), "..", "cmdline"))
		if err == nil {
			found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}
