package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asApp makes this test binary be the application, so that tests can send it
// signals and see its exit code.
const asApp = "DEMOAPP_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asApp) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// start runs the application with the environment on a free port of loopback.
func start(t *testing.T, env ...string) (cmd *exec.Cmd, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address = listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd = exec.Command(os.Args[0])
	cmd.Env = append([]string{asApp + "=1", "POD_IP=127.0.0.1", "PORT=" + port}, env...)
	return cmd, address
}

// serving starts cmd and waits until it says that it listens.
func serving(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "serving version")
}

// inFlight tells whether the application says that a request is under way.
func inFlight(address string) bool {
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return err == nil && strings.Contains(string(body), "http_requests_in_flight{version=\"v3\"} 1\n")
}

func TestExitCodes(t *testing.T) {
	tests := map[string]struct {
		env  string
		code int
		says string
	}{
		"never ready":        {"NEVER_READY=crash", 1, "NEVER_READY=crash"},
		"crash":              {"CRASH_AFTER=1ms", 1, "CRASH_AFTER=1ms"},
		"bad value":          {"FAIL_SHARE=2", 2, "reading FAIL_SHARE"},
		"address not usable": {"POD_IP=192.0.2.99", 1, "listening on 192.0.2.99"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cmd, _ := start(t, test.env)
			var says strings.Builder
			cmd.Stderr = &says
			var exit *exec.ExitError
			require.ErrorAs(t, cmd.Run(), &exit)
			require.Equal(t, test.code, exit.ExitCode())
			require.Contains(t, says.String(), test.says)
		})
	}
}

func TestTermDie(t *testing.T) {
	cmd, _ := start(t)
	serving(t, cmd)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	require.Equal(t, syscall.SIGTERM, exit.Sys().(syscall.WaitStatus).Signal())
}

func TestTermIgnore(t *testing.T) {
	cmd, address := start(t, "TERM=ignore")
	serving(t, cmd)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	resp, err := http.Get("http://" + address)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

func TestTermGraceful(t *testing.T) {
	cmd, address := start(t, "TERM=graceful", "LATENCY=500ms", "IMAGE_TAG=v3")
	serving(t, cmd)
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "GET /version HTTP/1.1\r\nHost: demo\r\n\r\n")
	// The signal must meet a request under way, not one that is on its way.
	require.Eventually(t, func() bool { return inFlight(address) }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, "v3", resp.Header.Get("X-Version"))
	require.NoError(t, cmd.Wait())
}

// TestWaste asks the kernel what the application has used.
func TestWaste(t *testing.T) {
	cmd, _ := start(t, "BURN_CPU=0.5", "HOLD_MEMORY=64")
	serving(t, cmd)
	used := func() time.Duration {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
		require.NoError(t, err)
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		ticks, err := strconv.Atoi(fields[11])
		require.NoError(t, err)
		return time.Duration(ticks) * 10 * time.Millisecond
	}
	began, before := time.Now(), used()
	require.Eventually(t, func() bool { return used() > before+200*time.Millisecond }, 20*time.Second, 5*time.Millisecond)
	require.Greater(t, time.Since(began), 250*time.Millisecond, "it burns less than a whole CPU")
	require.NoError(t, cmd.Process.Kill())
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	require.Greater(t, exit.SysUsage().(*syscall.Rusage).Maxrss, int64(64<<10), "KiB")
}
