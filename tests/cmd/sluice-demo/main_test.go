package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox"
)

// asDemo makes this test's binary be the demonstration.
const asDemo = "SLUICE_DEMO_TEST_MAIN"

func TestMain(m *testing.M) {
	if code, played := sandbox.Main(); played {
		os.Exit(code)
	}
	if os.Getenv(asDemo) != "" {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

// lastLines is how the story ends.
var lastLines = regexp.MustCompile(`(?m)^Requests sent  (\d{4,}), in \d:\d\d
Requests lost  0
Temporal UI    (http://127\.0\.0\.1:\d+)/namespaces/default/workflows$`)

// TestDemo tells the whole story with short pauses, opens the address of its last
// line, and ends it by Ctrl-C.
func TestDemo(t *testing.T) {
	binary, err := os.Executable()
	require.NoError(t, err)
	temp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(os.Environ(), asDemo+"=1", "DEMO_PAUSE=1", "INTERACTIVE=", keepVariable+"=1", "TMPDIR="+temp)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	said := bufio.NewReader(stdout)
	var told bytes.Buffer
	for !strings.Contains(told.String(), "\nTemporal UI    ") {
		line, err := said.ReadString('\n')
		told.WriteString(line)
		require.NoError(t, err, "%s", &told)
	}

	end := lastLines.FindStringSubmatch(told.String())
	require.NotEmpty(t, end, "%s", &told)
	require.True(t, strings.HasSuffix(told.String(), end[0]+"\n"), "more is said after the last lines: %s", &told)
	requireStory(t, end[2])

	require.NoError(t, cmd.Process.Signal(unix.SIGINT))
	rest, err := io.ReadAll(said)
	require.NoError(t, err)
	require.Contains(t, string(rest), "Taking the sandbox down.")
	require.NoError(t, cmd.Wait())
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}

// requireStory requires that the Temporal UI shows the three rollouts, ended.
func requireStory(t *testing.T, ui string) {
	t.Helper()
	require.Contains(t, get(t, ui+"/namespaces/default/workflows"), "<html")
	query := url.QueryEscape(`WorkflowType="Rollout"`)
	var list struct {
		Executions []struct {
			Status string
			Type   struct{ Name string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(get(t, ui+"/api/v1/namespaces/default/workflows?query="+query)), &list))
	require.Len(t, list.Executions, 3)
	for _, e := range list.Executions {
		require.Equal(t, "WORKFLOW_EXECUTION_STATUS_COMPLETED", e.Status)
	}
}

func get(t *testing.T, address string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", address, text)
	return string(text)
}
