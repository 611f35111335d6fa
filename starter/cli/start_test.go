package cli

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// startArgs start the seed's canary rollout.
var startArgs = []string{"start", "-f", "testdata/rollout.yaml", "--image", "main=version:v2"}

func with(args []string, more ...string) []string { return append(args[:len(args):len(args)], more...) }

const demoID = "rollout:here:shop:Deployment:demo"

func TestStart(t *testing.T) {
	b := newBench(t)
	b.control.run = control.Run{ID: demoID, RunID: "r1", Warnings: []string{"no search attributes"}}
	b.env["GITHUB_ACTOR"], b.env["CI_JOB_URL"] = "dora", "https://ci.example/1"

	require.Equal(t, ExitOK, b.run(with(startArgs, "--reason", "release 7")...), b.err)

	require.Equal(t, "started the rollout of Deployment/demo in namespace shop of cluster here, run r1\n"+
		"It is checked before anything is touched: `sluice status demo -n shop` tells\nwhether it is refused.\n", b.out)
	require.Equal(t, "sluice: warning: no search attributes\n", b.err)
	require.Len(t, b.control.started, 1)
	in := b.control.started[0]
	require.Equal(t, "here", in.Cluster)
	require.Equal(t, "shop", in.Rollout.Namespace)
	require.Len(t, in.Rollout.Steps, 2)
	require.Equal(t, map[string]string{"main": "version:v2"}, in.Change.Images)
	require.Equal(t, "dora", in.By)
	require.Equal(t, "release 7", in.Reason)
	require.Equal(t, "https://ci.example/1", b.control.link)
}

func TestStartFromStandardInput(t *testing.T) {
	b := newBench(t)
	data, err := readInput(nil, "testdata/rollout.yaml")
	require.NoError(t, err)
	b.stdin = string(data)

	require.Equal(t, ExitOK, b.run("start", "-f", "-", "--image", "version:v2", "-o", "json"), b.err)

	require.Equal(t, map[string]string{"": "version:v2"}, b.control.started[0].Change.Images, "the preflight knows the container")
	require.JSONEq(t, `""`, jsonField(t, b.out, "run"))
}

func TestStartIsUsedWrongly(t *testing.T) {
	cases := map[string]struct {
		args []string
		want string
	}{
		"no document":         {[]string{"start", "--image", "a=b"}, "-f FILE: name the file"},
		"no change":           {[]string{"start", "-f", "testdata/rollout.yaml"}, "say what is new"},
		"no such file":        {[]string{"start", "-f", "testdata/none.yaml", "--image", "a=b"}, "no such file"},
		"bad document":        {[]string{"start", "-f", "testdata/bad.yaml", "--image", "a=b"}, "testdata/bad.yaml: "},
		"timeout alone":       {with(startArgs, "--timeout", "1m"), "--timeout is for --wait"},
		"dry run that waits":  {with(startArgs, "--wait", "--dry-run"), "--dry-run starts nothing"},
		"both from stdin":     {[]string{"start", "-f", "-", "--manifest", "-"}, "cannot both read standard input"},
		"argument":            {with(startArgs, "demo"), "unknown command"},
		"unknown flag":        {with(startArgs, "--imgae", "x"), "unknown flag: --imgae; see `sluice start --help`"},
		"unknown format":      {with(startArgs, "-o", "xml"), "write table, json or yaml"},
		"image and template":  {with(startArgs, "--manifest", "testdata/app.yaml"), "--manifest is a whole template"},
		"other namespace":     {[]string{"start", "-f", "testdata/elsewhere.yaml", "-n", "shop", "--image", "a=b"}, "the document is for namespace elsewhere, not shop"},
		"unreadable manifest": {[]string{"start", "-f", "testdata/rollout.yaml", "--manifest", "testdata/rollout.yaml"}, "the manifest has no Deployment demo"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			require.Equal(t, ExitError, b.run(tc.args...))
			require.Contains(t, b.err, tc.want)
			require.Zero(t, b.backend.connects, "nobody is asked before the command is in order")
		})
	}
}

func TestStartFromAManifest(t *testing.T) {
	b := newBench(t)

	require.Equal(t, ExitOK, b.run("start", "-f", "testdata/rollout.yaml", "--manifest", "testdata/app.yaml"), b.err)

	require.JSONEq(t, `{"metadata":{"labels":{"app":"demo"}},"spec":{"containers":[{"name":"main",
		"image":"registry.cn-hangzhou.aliyuncs.com/mse-ingress/version:v1","imagePullPolicy":"Always","ports":[{"containerPort":8080}]}]}}`,
		string(b.control.started[0].Change.Template))
}

func TestStartWaits(t *testing.T) {
	promoted, rolledBack, refused, terminated := holding(), holding(), holding(), holding()
	promoted.Phase, promoted.Message = workflows.PhasePromoted, "promoted: revision 7b8d4c9f55 is stable"
	rolledBack.Phase, rolledBack.Message = workflows.PhaseRolledBack, "rolled back: aborted by bob"
	refused.Phase, refused.Message = workflows.PhaseRefused, "Service shop/web does not exist"
	terminated.Phase, terminated.Message = control.PhaseTerminated, "the workflow was terminated"
	cases := map[string]struct {
		last  control.Status
		hangs bool
		code  int
		err   string
	}{
		"promoted":    {promoted, false, ExitOK, ""},
		"rolled back": {rolledBack, false, ExitRolledBack, "sluice: rolled back: aborted by bob\n"},
		"refused":     {refused, false, ExitError, "sluice: Service shop/web does not exist\n"},
		"terminated":  {terminated, false, ExitError, "sluice: the rollout is Terminated: the workflow was terminated\n"},
		"holding":     {holding(), true, ExitWaiting, "sluice: the rollout has not ended within 20ms (Holding): step 1 waits for approval: promote to go on\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.control.run = control.Run{ID: demoID, RunID: "r1"}
			b.control.updates, b.control.hangs = []update{{status: tc.last}}, tc.hangs
			args := with(startArgs, "--wait")
			if tc.hangs {
				args = append(args, "--timeout", "20ms")
			}

			require.Equal(t, tc.code, b.run(args...))

			require.Equal(t, tc.err, b.err)
			require.Contains(t, b.out, tc.last.Message)
			require.Equal(t, []string{demoID}, b.control.ids)
		})
	}
}

func TestStartWhileOneIsOpen(t *testing.T) {
	same := workflows.Input{}
	same.Change.Images = map[string]string{"main": "version:v2"}
	other := workflows.Input{}
	other.Change.Images = map[string]string{"main": "version:v9"}
	revise := []workflows.Decision{{Verb: workflows.VerbRevise, Accepted: true}}
	promoted := holding()
	promoted.Phase = workflows.PhasePromoted
	cases := map[string]struct {
		wait      bool
		input     workflows.Input
		phase     workflows.Phase
		decisions []workflows.Decision
		images    map[string]string
		code      int
		err       string
	}{
		"another change":             {input: other, code: ExitError, err: "releases another change: `sluice revise` replaces its revision"},
		"another change, waiting":    {wait: true, input: other, code: ExitError, err: "releases another change"},
		"same change":                {input: same, code: ExitError, err: "releases the same change: --wait waits for it"},
		"same change, waiting":       {wait: true, input: same, code: ExitOK, err: "waiting for it"},
		"same change, on its way":    {wait: true, input: same, phase: workflows.PhaseRollingBack, code: ExitError, err: "is being rolled back"},
		"revised to something else":  {wait: true, input: same, decisions: revise, images: map[string]string{"main": "version:v9"}, code: ExitError, err: "another change"},
		"revised to the same change": {wait: true, input: other, decisions: revise, images: map[string]string{"main": "version:v2"}, code: ExitOK},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.control.startErr = &control.AlreadyRunning{Run: control.Run{ID: demoID, RunID: "r0"}}
			b.control.input, b.control.status = tc.input, holding()
			b.control.status.Decisions = tc.decisions
			if tc.phase != "" {
				b.control.status.Phase = tc.phase
			}
			if tc.images != nil {
				b.control.status.Images = tc.images
			}
			b.control.updates = []update{{status: promoted}}
			args := startArgs
			if tc.wait {
				args = with(args, "--wait")
			}

			require.Equal(t, tc.code, b.run(args...))

			require.Contains(t, b.err, tc.err)
			if tc.code == ExitError {
				require.Contains(t, b.out, "Deployment/web in shop of cluster here", "the open rollout is shown")
			}
		})
	}
}

func TestStartInterrupted(t *testing.T) {
	b := newBench(t)
	b.control.updates, b.control.hangs = []update{{status: holding()}}, true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.ctx = ctx

	require.Equal(t, ExitInterrupted, b.run(with(startArgs, "--wait")...))

	require.Contains(t, b.err, "interrupted; what was started goes on")
}

func TestStartFails(t *testing.T) {
	b := newBench(t)
	b.control.startErr = errors.New("starting the rollout: broken")

	require.Equal(t, ExitError, b.run(startArgs...))

	require.Equal(t, "sluice: starting the rollout: broken\n", b.err)
}
