package cli

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// statuses are those whose tables have golden files.
func statuses() map[string]control.Status {
	progressing := holding()
	progressing.Phase, progressing.Message, progressing.Step = workflows.PhaseProgressing, "route weight 30", 2
	progressing.Steps[0].State, progressing.Steps[1].State = workflows.StepCompleted, workflows.StepTrafficRouting
	progressing.Asked.Weight = 30
	progressing.Confirmation = &traffic.Confirmation{Level: traffic.LevelState, Gateways: 2, Expected: 2, Millis: 14}
	progressing.By, progressing.Reason = "ci", "release 7"
	progressing.Progress = []control.Progress{{Activity: "SetRoute", Text: "1 of 2 gateway replicas confirm", Attempt: 1}}
	progressing.Warnings = []string{"HorizontalPodAutoscaler shop/web: it scales the stable pods only; the canary follows when the number of replicas changes"}
	progressing.Decisions = []workflows.Decision{
		{At: now.Add(-26 * time.Hour), Verb: workflows.VerbPause, Via: "signal", Accepted: true, Text: "pausing before the next operation"},
		{At: now.Add(-time.Minute), Verb: workflows.VerbPromote, Via: "update", By: "alice", Reason: "error rate is fine", Accepted: true, Text: "promoting step 1"},
		{At: now.Add(-time.Second), Verb: workflows.VerbPromote, Via: "update", By: "bob", Text: "step 1 is promoted already: the rollout is at step 2"},
	}

	stuck := holding()
	stuck.Phase, stuck.Failure = workflows.PhaseStuck, "the deadline passed: 0 of 1 pods ready: ImagePullBackOff"
	stuck.Message = stuck.Failure + "; retry, jump, revise or abort"
	stuck.Canary.Ready, stuck.Canary.Trouble = 0, "Pod web-canary-1: ImagePullBackOff: manifest unknown"
	stuck.Steps[0].State = workflows.StepUpgrade

	match := holding()
	match.Steps[0].Weight, match.Steps[0].Matches = 0, "header user-agent=android or header user-agent=a-very-long-name-of-a-client"
	match.Asked = traffic.Route{Matches: []config.Match{{Headers: []config.ValueMatch{{Name: "user-agent", Type: config.MatchExact, Value: "android"}}}}}
	match.Confirmed = traffic.Route{}

	timed := holding()
	timed.Confirmation = &traffic.Confirmation{Level: traffic.LevelGrace, Millis: 5001}
	timed.Paused = true
	until := now.Add(90 * time.Second)
	timed.Until = &until

	promoted := holding()
	closed := now.Add(-time.Hour)
	promoted.Phase, promoted.Message, promoted.Closed, promoted.Since = workflows.PhasePromoted, "promoted: revision 7b8d4c9f55 is stable", &closed, closed
	promoted.Started = closed.Add(-25 * time.Minute)
	promoted.Step = 3
	for i := range promoted.Steps {
		promoted.Steps[i].State = workflows.StepCompleted
	}

	selector := holding()
	selector.Isolation, selector.Selects = config.IsolateBySelector, "stable"

	alone := holding()
	alone.Note = "no worker answers: is sluice-worker running?; this is what Temporal keeps of the rollout"
	alone.StableRevision, alone.StableImages = "", nil

	wide := holding()
	wide.Name = "网站的发布"
	wide.Message = "第一步等待人工确认第一步等待人工确认第一步等待人工确认第一步等待人工确认第一步等待人工确认"
	wide.Decisions = []workflows.Decision{{At: now, Verb: workflows.VerbPromote, Via: "signal", By: "\x1b[2J张三\u202e\a", Reason: "看起来\n很好", Accepted: true, Text: "promoting step 1"}}

	return map[string]control.Status{
		"holding": holding(), "progressing": progressing, "stuck": stuck, "match": match, "timed": timed,
		"promoted": promoted, "alone": alone, "wide": wide, "selector": selector,
	}
}

func TestStatusTable(t *testing.T) {
	for name, status := range statuses() {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.control.status = status

			code := b.run("status", "web")

			require.Equal(t, ExitOK, code, b.err)
			require.Equal(t, []string{"rollout:here:shop:Deployment:web"}, b.control.ids)
			golden(t, "status_"+name, b.out)
			fits(t, b.out, 80)
			require.NotContains(t, b.out, "\x1b", "there is no terminal")
			require.True(t, b.control.closed)
		})
	}
}

func TestStatusOnANarrowTerminal(t *testing.T) {
	for name, status := range statuses() {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.width, b.height, b.env["NO_COLOR"] = 50, 40, "1"
			b.control.status = status

			require.Equal(t, ExitOK, b.run("status", "web"))

			fits(t, b.out, 50)
			require.NotContains(t, b.out, "\x1b", "NO_COLOR is set")
		})
	}
}

func TestStatusInColour(t *testing.T) {
	b := newBench(t)
	b.width, b.height = 120, 40
	b.control.status = holding()

	require.Equal(t, ExitOK, b.run("status", "web"))

	require.Contains(t, b.out, "Phase      \x1b[33mHolding for 2m10s\x1b[0m")
}

func TestStatusAsData(t *testing.T) {
	b := newBench(t)
	b.control.status = holding()

	require.Equal(t, ExitOK, b.run("status", "web", "-o", "json"))
	require.JSONEq(t, `"Holding"`, jsonField(t, b.out, "phase"))
	require.JSONEq(t, `1`, jsonField(t, b.out, "step"))

	require.Equal(t, ExitOK, b.run("status", "web", "-o", "yaml"))
	require.Contains(t, b.out, "\nphase: Holding\n")
}

func TestStatusWithoutAName(t *testing.T) {
	row := control.Row{WorkflowID: "rollout:here:shop:Deployment:web", Namespace: "shop", Workload: "Deployment/web", Phase: workflows.PhaseHolding, Step: 1, Revision: "7b8d4c9f55", Started: now.Add(-time.Hour)}
	t.Run("one is open", func(t *testing.T) {
		b := newBench(t)
		b.control.rows, b.control.status = []control.Row{row}, holding()
		require.Equal(t, ExitOK, b.run("status"))
		require.Equal(t, []string{row.WorkflowID}, b.control.ids)
		require.Equal(t, []control.Filter{{Cluster: "here", Namespace: "shop"}}, b.control.filters)
	})
	t.Run("several are open", func(t *testing.T) {
		b := newBench(t)
		b.control.rows = []control.Row{row, row}
		require.Equal(t, ExitOK, b.run("status"))
		require.Contains(t, b.out, "NAMESPACE")
		require.Empty(t, b.control.ids)
	})
	t.Run("none is open", func(t *testing.T) {
		b := newBench(t)
		require.Equal(t, ExitError, b.run("status"))
		require.Contains(t, b.err, "no rollout is open in namespace shop of cluster here")
	})
}

func TestStatusOfNothing(t *testing.T) {
	b := newBench(t)
	b.control.statusErr = &control.NotFound{ID: "rollout:here:shop:Deployment:web"}

	require.Equal(t, ExitError, b.run("status", "web"))

	require.Equal(t, "sluice: no rollout of Deployment/web in namespace shop of cluster here is known to Temporal: name another namespace with -n; `sluice list -A --closed` shows all\n", b.err)
}

func TestTemporalIsAway(t *testing.T) {
	b := newBench(t)
	b.backend.connectErr = &control.Unreachable{Address: "127.0.0.1:7233", From: "from $TEMPORAL_ADDRESS", Cause: errors.New("connection refused")}

	require.Equal(t, ExitError, b.run("status", "web"))

	require.Equal(t, "sluice: Temporal cannot be reached at 127.0.0.1:7233 (from $TEMPORAL_ADDRESS): connection refused\n", b.err)
}
