package outside_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/sandbox/control"
	"sluice.dev/sluice/tests/sandbox/inside"
	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/tests/sandbox/outside"
	"sluice.dev/sluice/tests/sandbox/proc"
)

// The test's binary also plays the roles of a sandbox, and these:
const (
	roleServe = "test-serve" // ADDRESS TEXT: an HTTP server that answers TEXT
	roleGet   = "test-get"   // URL: prints what it answers
	roleOuter = "test-outer" // DIR NAME: holds a sandbox until it is killed
)

// patience is how long anything may take on a busy machine.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if code, played := inside.Main(os.Args[1:], tasks); played {
		os.Exit(code)
	}
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case roleServe:
			exit(serve(os.Args[2], os.Args[3]))
		case roleGet:
			exit(get(os.Args[2], os.Stdout))
		case roleOuter:
			exit(hold(layout.Dir(os.Args[2]), os.Args[3]))
		}
	}
	os.Exit(m.Run())
}

func tasks(spec inside.Spec) map[string]proc.Task {
	return map[string]proc.Task{
		"note": func(context.Context) error {
			return os.WriteFile(spec.Dir.Join("noted"), []byte("done"), 0o600)
		},
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(address, text string) error {
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, text)
	}))
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

// hold starts a sandbox and keeps it.
func hold(dir layout.Dir, name string) error {
	inner, _, err := start(dir, serverParts(dir, name)...)
	if err != nil {
		return err
	}
	return inner.Err()
}

// web is where the part "web" of these sandboxes listens.
const web = "10.244.7.9:8080"

// serverParts returns a part that is reached by an address of a pod and
// answers name, and a task behind it.
func serverParts(dir layout.Dir, name string) []proc.Part {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return []proc.Part{
		{
			Name: "web", Path: self, Args: []string{roleServe, web, name}, Log: dir.Log("web"),
			Ready: &proc.Probe{TCP: []string{web}, URL: "http://" + web + "/"},
		},
		{Name: "note", Task: "note", Needs: []string{"web"}},
	}
}

func start(dir layout.Dir, parts ...proc.Part) (*outside.Inner, *outside.Listeners, error) {
	if err := dir.Create(); err != nil {
		return nil, nil, err
	}
	listeners, err := outside.Listen([]outside.Forward{{Name: "web", Targets: []string{web}}})
	if err != nil {
		return nil, nil, err
	}
	inner, err := outside.Start(inside.Spec{
		Dir:      dir,
		Networks: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("192.0.2.10/32")},
		Parts:    parts,
		Env:      []string{"SLUICE_SANDBOX_DIR=" + string(dir)},
	}, listeners)
	return inner, listeners, err
}

// sandbox is a running one with its client.
type sandbox struct {
	*control.Client
	dir   layout.Dir
	inner *outside.Inner
	url   string
}

// up starts a sandbox whose part "web" answers name, and ends it with the
// test.
func up(t *testing.T, name string) *sandbox {
	t.Helper()
	dir := layout.Dir(t.TempDir())
	s := upParts(t, dir, serverParts(dir, name)...)
	require.Equal(t, proc.PhaseReady, s.awaitStarted(t).Phase)
	return s
}

func upParts(t *testing.T, dir layout.Dir, parts ...proc.Part) *sandbox {
	t.Helper()
	inner, listeners, err := start(dir, parts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, inner.Stop(context.Background())) })
	return &sandbox{
		Client: control.NewClient(dir.Control()), dir: dir, inner: inner,
		url: "http://" + listeners.Address("web") + "/",
	}
}

// awaitStarted returns the status when the start has succeeded or failed.
func (s *sandbox) awaitStarted(t *testing.T) proc.Status {
	t.Helper()
	return awaitStarted(t, s.Client, s.dir)
}

func awaitStarted(t *testing.T, client *control.Client, dir layout.Dir) proc.Status {
	t.Helper()
	var last proc.Status
	require.Eventually(t, func() bool {
		err := client.Watch(t.Context(), func(now proc.Status) bool {
			last = now
			return now.Phase == proc.PhaseStarting
		})
		return err == nil
	}, patience, 10*time.Millisecond, "supervisor log: %s", logOf(dir))
	return last
}

// logOf prints the supervisor's log when, and only when, it is asked to.
type logOf layout.Dir

func (l logOf) String() string {
	text, err := os.ReadFile(layout.Dir(l).Log(outside.SupervisorLog))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// run runs a command inside and returns its exit and output.
func (s *sandbox) run(t *testing.T, stdin string, args ...string) (control.Exit, string) {
	t.Helper()
	in, err := os.CreateTemp(t.TempDir(), "in")
	require.NoError(t, err)
	_, err = in.WriteString(stdin)
	require.NoError(t, err)
	_, err = in.Seek(0, io.SeekStart)
	require.NoError(t, err)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	running, err := s.Exec(t.Context(), control.Exec{Args: args, Env: os.Environ()}, [3]*os.File{in, w, w})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	var out bytes.Buffer
	_, err = io.Copy(&out, r)
	require.NoError(t, err)
	exit, err := running.Wait()
	require.NoError(t, err)
	return exit, out.String()
}

// network returns the name of the sandbox's network namespace.
func network(t *testing.T, client *control.Client) string {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	running, err := client.Exec(t.Context(), control.Exec{
		Args: []string{"readlink", "/proc/self/ns/net"}, Env: os.Environ(), Dir: "/",
	}, [3]*os.File{os.Stdin, w, w})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	name, err := io.ReadAll(r)
	require.NoError(t, err)
	_, err = running.Wait()
	require.NoError(t, err)
	return strings.TrimSpace(string(name))
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
