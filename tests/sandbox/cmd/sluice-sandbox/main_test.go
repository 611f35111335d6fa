package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/tests/sandbox/proc"
)

func TestCommandsOnASandboxThatDoesNotRun(t *testing.T) {
	for _, c := range []struct {
		args      []string
		code      int
		out, fail string
	}{
		{[]string{"status"}, 1, "sandbox default is stopped\n", ""},
		{[]string{"down"}, 0, "no sandbox runs in ", ""},
		{[]string{"exec", "--", "true"}, 1, "", "the sandbox is not running"},
		{[]string{"restart", "apiserver"}, 1, "", "the sandbox is not running"},
		{[]string{"status", "-o", "xml"}, 1, "", `unknown output "xml": use text or json`},
		{[]string{"status", "--name", "No!"}, 1, "", "at most 40 lower-case letters"},
		{[]string{"exec"}, 1, "", "requires at least 1 arg"},
		{[]string{"bench-start", "--runs=0"}, 1, "", "--runs is 0: use 1 or more"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Setenv("XDG_STATE_HOME", t.TempDir())
			t.Setenv("SLUICE_SANDBOX_DIR", "")
			var out bytes.Buffer
			root := newRoot()
			root.SetArgs(c.args)
			root.SetOut(&out)
			err := root.ExecuteContext(t.Context())
			var code exitCode
			switch {
			case c.fail != "":
				require.ErrorContains(t, err, c.fail)
			case c.code != 0:
				require.True(t, errors.As(err, &code))
				require.Equal(t, c.code, int(code))
			default:
				require.NoError(t, err)
			}
			require.Contains(t, out.String(), c.out)
		})
	}
}

func TestInterruptedStart(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv("SLUICE_SANDBOX_DIR", "")
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	root := newRoot()
	root.SetArgs([]string{"up"})
	require.Equal(t, exitInterrupted, codeOf(root.ExecuteContext(ctx)))
}

func TestStatusAsJSONAndText(t *testing.T) {
	r := report{
		State: layout.State{Name: "one", Dir: "/dir", Outside: layout.Addresses{GatewayURL: "http://127.0.0.1:8"}},
		Status: proc.Status{Phase: proc.PhaseDegraded, Parts: []proc.PartStatus{
			{Name: "etcd", State: proc.Ready, PID: 7, Healthy: true, ReadyAfter: 250 * time.Millisecond},
			{Name: "temporal", State: proc.Failed, Detail: "ended by itself: exit status 3"},
		}},
	}
	var text, object bytes.Buffer
	require.NoError(t, printReport(&text, r, "text"))
	require.Regexp(t, `(?m)^sandbox one is degraded$`, text.String())
	require.Regexp(t, `(?m)^gateway +http://127.0.0.1:8$`, text.String())
	require.Regexp(t, `(?m)^etcd +ready +true +7 +250ms`, text.String())
	require.Regexp(t, `(?m)^temporal +failed +false +- +0s +ended by itself: exit status 3$`, text.String())

	require.NoError(t, printReport(&object, r, "json"))
	var back report
	require.NoError(t, json.Unmarshal(object.Bytes(), &back))
	require.Equal(t, r, back)
}

func TestDetachIsNotHandedOn(t *testing.T) {
	require.Equal(t, []string{"up", "--name", "x", "--gateways=2"},
		withoutDetach([]string{"up", "--detach", "--name", "x", "--detach=true", "--gateways=2"}))
}

func TestMedian(t *testing.T) {
	require.InDelta(t, 2.0, median([]float64{3, 1, 2}), 1e-9)
	require.InDelta(t, 2.5, median([]float64{4, 1, 2, 3}), 1e-9)
}
