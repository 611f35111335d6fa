package cli

import (
	"bytes"
	"context"
	"flag"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/starter/preview"
	"sluice.dev/sluice/workflows"
)

var rewrite = flag.Bool("update", false, "write the golden files")

// fakeControl answers as a test says and keeps what it was asked.
type fakeControl struct {
	run        control.Run
	input      workflows.Input
	answer     workflows.Answer
	status     control.Status
	updates    []update
	hangs      bool // the watch goes on after the updates
	rows       []control.Row
	past       []control.Past
	prepared   []control.Prepared
	err        error // of every call but Status, which has its own
	statusErr  error
	startErr   error
	closed     bool
	started    []workflows.Input
	link       string
	sent       []sent
	filters    []control.Filter
	ids        []string
	retentions []time.Duration
}

type sent struct {
	id   string
	verb workflows.Verb
	m    workflows.Message
}

func (f *fakeControl) Start(_ context.Context, in workflows.Input, opts control.StartOptions) (control.Run, error) {
	f.started, f.link = append(f.started, in), opts.Link
	return f.run, f.startErr
}

func (f *fakeControl) Input(context.Context, control.Run) (workflows.Input, error) {
	return f.input, f.err
}

func (f *fakeControl) Send(_ context.Context, id string, verb workflows.Verb, m workflows.Message, _ control.SendOptions) (workflows.Answer, error) {
	f.sent = append(f.sent, sent{id: id, verb: verb, m: m})
	return f.answer, f.err
}

func (f *fakeControl) Status(_ context.Context, id string) (control.Status, error) {
	f.ids = append(f.ids, id)
	return f.status, f.statusErr
}

func (f *fakeControl) Watch(ctx context.Context, id string) iter.Seq2[control.Status, error] {
	f.ids = append(f.ids, id)
	return func(yield func(control.Status, error) bool) {
		for _, u := range f.updates {
			if !yield(u.status, u.err) {
				return
			}
		}
		if f.hangs {
			<-ctx.Done()
		}
	}
}

func (f *fakeControl) List(_ context.Context, filter control.Filter) ([]control.Row, error) {
	f.filters = append(f.filters, filter)
	return f.rows, f.err
}

func (f *fakeControl) History(_ context.Context, id string, _ int) ([]control.Past, error) {
	f.ids = append(f.ids, id)
	return f.past, f.err
}

func (f *fakeControl) Bootstrap(_ context.Context, retention time.Duration) ([]control.Prepared, error) {
	f.retentions = append(f.retentions, retention)
	return f.prepared, f.err
}

func (f *fakeControl) Close() { f.closed = true }

// fakeBackend hands out the fake; plans are made for manifests only.
type fakeBackend struct {
	control    *fakeControl
	scope      Scope
	connectErr error
	connects   int
}

func (b *fakeBackend) Scope(flags *pflag.FlagSet) (Scope, error) {
	scope := b.scope
	if namespace, _ := flags.GetString("namespace"); namespace != "" {
		scope.Namespace, scope.Given = namespace, true
	}
	return scope, nil
}

func (b *fakeBackend) Control(context.Context, *pflag.FlagSet) (Control, error) {
	b.connects++
	if b.connectErr != nil {
		return nil, b.connectErr
	}
	return b.control, nil
}

func (b *fakeBackend) Inspect(ctx context.Context, _ *pflag.FlagSet, manifests []byte, request preflight.InspectRequest) (preflight.Observed, error) {
	if manifests == nil {
		manifests, _ = os.ReadFile("testdata/app.yaml")
	}
	return preview.InspectManifests(ctx, manifests, nil, request)
}

// bench runs commands in process.
type bench struct {
	control *fakeControl
	backend *fakeBackend
	remains Remains
	metrics fakeMetrics
	env     map[string]string
	stdin   string
	width   int // 0: no terminal
	height  int
	ticks   chan time.Time
	ctx     context.Context

	out, err string
}

// now is the time of all tests.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newBench(t *testing.T) *bench {
	t.Helper()
	f := &fakeControl{}
	return &bench{
		control: f, backend: &fakeBackend{control: f, scope: Scope{Cluster: "here", Namespace: "shop"}},
		env: map[string]string{}, ticks: make(chan time.Time), ctx: t.Context(),
	}
}

// run runs a command and returns its exit code.
func (b *bench) run(args ...string) int {
	var out, errs bytes.Buffer
	code := Run(b.ctx, Host{
		In: strings.NewReader(b.stdin), Out: &out, Err: &errs,
		Env:      func(name string) (string, bool) { value, ok := b.env[name]; return value, ok },
		Now:      func() time.Time { return now },
		Tick:     func(time.Duration) (<-chan time.Time, func()) { return b.ticks, func() {} },
		Terminal: func() (int, int, bool) { return b.width, b.height, b.width > 0 },
		User:     func() string { return "carol@laptop" },
		Version:  "v1.2.3",
		Backend:  b.backend,
		Remains:  b.remains,
		Metrics:  b.metrics,
	}, args)
	b.out, b.err = out.String(), errs.String()
	return code
}

// golden compares text with a file of testdata, and checks that it fits a
// terminal; escape sequences are written visibly.
func golden(t *testing.T, name, text string) {
	t.Helper()
	visible := strings.ReplaceAll(strings.ReplaceAll(text, "\x1b", "<ESC>"), "\r", "<CR>")
	path := filepath.Join("testdata", name+".golden")
	if *rewrite {
		require.NoError(t, os.WriteFile(path, []byte(visible), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to write it")
	require.Equal(t, string(want), visible)
}

// fits checks that no line is wider than the columns of a terminal.
func fits(t *testing.T, text string, width int) {
	t.Helper()
	for _, line := range strings.Split(text, "\n") {
		require.LessOrEqual(t, columns.StringWidth(line), width, line)
	}
}

// holding is a rollout that waits at its first step.
func holding() control.Status {
	s := control.Status{Status: workflows.Status{
		Name: "web-rollout", Cluster: "here", Namespace: "shop", Workload: "Deployment/web",
		WorkflowID: "rollout:here:shop:Deployment:web", Run: "11111111-1111-1111-1111-111111111111",
		Phase: workflows.PhaseHolding, Message: "step 1 waits for approval: promote to go on",
		Since: now.Add(-130 * time.Second), Started: now.Add(-10 * time.Minute), Step: 1,
		Steps: []workflows.StepStatus{
			{Weight: 10, Replicas: "1", Hold: "approval", State: workflows.StepPaused},
			{Weight: 30, Replicas: "30%", Hold: "5m0s", State: workflows.StepPending},
			{Weight: 100, Replicas: "100%", Hold: "none", State: workflows.StepPending},
		},
		StableRevision: "6c5f7d9b84", Revision: "7b8d4c9f55",
		StableImages: map[string]string{"main": "registry.example.com/shop/web:v1"},
		Images:       map[string]string{"main": "registry.example.com/shop/web:v2"},
		Replicas:     5,
	}}
	s.Asked.Weight, s.Confirmed.Weight = 10, 10
	s.Canary.Total, s.Canary.Ready = 1, 1
	return s
}
