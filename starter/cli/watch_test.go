package cli

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// jsonField returns one field of a JSON object.
func jsonField(t *testing.T, text, field string) string {
	t.Helper()
	var object map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &object))
	return string(object[field])
}

// tale is a rollout from its first check to its end, with an outage.
func tale() []update {
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds-600) * time.Second) }
	event := func(seconds int, text string) workflows.Event { return workflows.Event{At: at(seconds), Text: text} }

	checking := holding()
	checking.Phase, checking.Message, checking.Since = workflows.PhaseChecking, "checking that the release can be made", at(0)
	checking.Canary.Total, checking.Canary.Ready = 0, 0

	canary := checking
	canary.Phase, canary.Message, canary.Since = workflows.PhaseProgressing, "canary to 1 pod", at(2)
	canary.Timeline = []workflows.Event{event(1, "warning: 4 of 5 pods are ready"), event(2, "hold the new revision")}
	canary.Progress = []control.Progress{{Activity: "EnsureCanary", Text: "0 of 1 pods ready", Attempt: 1}}

	failing := canary
	failing.Progress = []control.Progress{{Activity: "EnsureCanary", Text: "0 of 1 pods ready", Failure: "ImagePullBackOff", Attempt: 2}}
	again := failing
	again.Progress = []control.Progress{{Activity: "EnsureCanary", Text: "0 of 1 pods ready", Failure: "ImagePullBackOff", Attempt: 3}}

	held := holding()
	held.Since = at(30)
	held.Timeline = append(canary.Timeline[:2:2], event(29, "canary to 1 pod"), event(30, "route weight 10 (confirmed by state at 2 of 2 gateway replicas, 14 ms)"))

	promoted := held
	closed := at(60)
	promoted.Phase, promoted.Message, promoted.Since, promoted.Closed = workflows.PhasePromoted, "promoted: revision 7b8d4c9f55 is stable", closed, &closed
	promoted.Timeline = append(held.Timeline[:4:4], event(40, "promote by alice through update: looks good: promoting step 1"), event(60, promoted.Message))

	return []update{
		{status: checking}, {status: canary}, {status: failing}, {status: again}, {status: held},
		{status: held, err: &control.Unreachable{Address: "127.0.0.1:7233", Cause: errors.New("connection refused")}},
		{status: held}, {status: promoted},
	}
}

// inALog is a view of a log at a clock.
func inALog(out *strings.Builder, clock *time.Time) *logView {
	return &logView{app: &app{format: formatTable, host: Host{
		Out: out, Now: func() time.Time { return *clock }, Terminal: func() (int, int, bool) { return 0, 0, false },
		Env: func(string) (string, bool) { return "", false },
	}}}
}

// TestWatchInALog looks some seconds after what happens, and hears of the approval
// after the outage only.
func TestWatchInALog(t *testing.T) {
	var out strings.Builder
	clock := now
	v := inALog(&out, &clock)
	looks := []int{0, 3, 9, 14, 31, 45, 46, 61}
	for i, u := range tale() {
		clock = now.Add(time.Duration(looks[i]-600) * time.Second)
		require.NoError(t, showUpdate(v, u))
	}

	golden(t, "watch_log", out.String())
	fits(t, out.String(), 80)
	var stamps []string
	for line := range strings.Lines(out.String()) {
		if stamp, _, _ := strings.Cut(line, " "); stamp != "" {
			stamps = append(stamps, stamp)
		}
	}
	require.Greater(t, len(stamps), 8)
	require.IsNonDecreasing(t, stamps, "the clock never runs backwards")
}

func TestWatchWithoutATerminal(t *testing.T) {
	b := newBench(t)
	b.control.updates = tale()

	require.Equal(t, ExitOK, b.run("status", "web", "--watch"), b.err)

	fits(t, b.out, 80)
	require.Contains(t, b.out, "promoted: revision 7b8d4c9f55 is stable")
	require.NotContains(t, b.out, "\x1b")
}

func TestWatchOnATerminal(t *testing.T) {
	b := newBench(t)
	b.width, b.height = 80, 24
	b.control.updates = tale()[4:]

	require.Equal(t, ExitOK, b.run("status", "web", "--watch"), b.err)

	golden(t, "watch_live", b.out)
}

func TestWatchFitsALowTerminal(t *testing.T) {
	b := newBench(t)
	b.width, b.height = 80, 6
	b.control.updates = tale()[4:5]

	require.Equal(t, ExitOK, b.run("status", "web", "--watch"), b.err)

	require.Equal(t, 5, strings.Count(b.out, "\n"), "one line is left for the cursor, so that nothing scrolls")
}

func TestWatchOnADumbTerminal(t *testing.T) {
	b := newBench(t)
	b.width, b.height, b.env["TERM"] = 80, 24, "dumb"
	b.control.updates = tale()

	require.Equal(t, ExitOK, b.run("status", "web", "--watch"), b.err)

	require.NotContains(t, b.out, "\x1b")
}

func TestWatchAsData(t *testing.T) {
	b := newBench(t)
	b.control.updates = tale()

	require.Equal(t, ExitOK, b.run("status", "web", "--watch", "-o", "json"))

	lines := strings.Split(strings.TrimSpace(b.out), "\n")
	require.Len(t, lines, 7, "one line for each status, none for the outage")
	require.JSONEq(t, `"Promoted"`, jsonField(t, lines[6], "phase"))
	require.Contains(t, b.err, "connection refused")

	require.Equal(t, ExitOK, b.run("status", "web", "--watch", "-o", "yaml"))
	require.Equal(t, 7, strings.Count(b.out, "---\n"))
}

func TestWatchEndsOnAnErrorThatStays(t *testing.T) {
	b := newBench(t)
	b.control.updates = []update{{err: &control.NotFound{ID: "rollout:here:shop:Deployment:web"}}}

	require.Equal(t, ExitError, b.run("status", "web", "--watch"))

	require.Contains(t, b.err, "no rollout of Deployment/web")
}

func TestWatchInterrupted(t *testing.T) {
	b := newBench(t)
	b.control.updates, b.control.hangs = tale()[:1], true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.ctx = ctx

	require.Equal(t, ExitInterrupted, b.run("status", "web", "--watch"))
}

func TestALogIsNotSilentForLong(t *testing.T) {
	var out strings.Builder
	clock := now
	v := inALog(&out, &clock)
	require.NoError(t, v.tick(), "there is nothing to tell yet")
	require.NoError(t, v.show(holding()))
	before := out.Len()

	clock = now.Add(silence - time.Second)
	require.NoError(t, v.tick())
	require.Equal(t, before, out.Len())

	clock = now.Add(silence)
	require.NoError(t, v.tick())
	require.Contains(t, out.String()[before:], "12:05:00  still Holding for 7m10s: step 1 waits for approval")
}
