package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// waiting is a `sluice start --wait` that runs beside the case.
type waiting struct {
	out  harness.Output
	err  error
	done chan struct{}
}

// startAndWait runs one.
func (r *rollout) startAndWait(args ...string) *waiting {
	w := &waiting{done: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.out, w.err = r.Sluice(r.ctx, r.namespace, append([]string{"start", "--wait"}, args...)...)
	}()
	return w
}

// ends requires that it ends with an exit code, as a CI job sees it.
func (r *rollout) ends(w *waiting, code int) {
	r.t.Helper()
	<-w.done
	require.NoError(r.t, w.err)
	require.Equal(r.t, code, w.out.Code, "%s%s", w.out.Stdout, w.out.Stderr)
}

// retriedTo waits for the hold of a step, and retries it by the command line as
// often as its deadline passes.
func (r *rollout) retriedTo(step int) {
	r.t.Helper()
	require.NoError(r.t, harness.Await(r.ctx, "a retry leads to the hold", func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		if err == nil && s.Phase == workflows.PhaseStuck {
			r.sluice("retry", harness.Demo)
		}
		return s.Phase == workflows.PhaseHolding && s.Step == step, err
	}))
}

// probedApp has pods that are ready when they answer: without a probe, they would be
// at once.
const probedApp = `{"spec":{"template":{"spec":{"containers":[{"name":"main","readinessProbe":{"httpGet":{"path":"/readyz","port":8080},"periodSeconds":1}}]}}}}`

// TestVerbsOfTheCommandLine goes through what people and CI jobs type: two starts,
// of which the first is aborted and the second promoted.
func TestVerbsOfTheCommandLine(t *testing.T) {
	r := newRolloutOf(t, probedApp)
	seed, err := harness.SeedFile("rollout-canary.yaml")
	require.NoError(t, err)
	// A pod that starts more slowly than the deadline of a step is ready at the second
	// try. The deadline has room for a grace: a try of a route that was cut short is
	// confirmed by time.
	slow := []string{"-f", r.variant("sluice.dev/deadline: 9s"), "--image", "main=" + harness.Image("v2"), "--set-env", "main:START_DELAY=10s"}
	r.ends(r.startAndWait(append(slow, "--timeout", "14s", "--reason", "release 7", "--by", "ann")...), 4)
	r.await(workflows.PhaseStuck, 1)
	r.retriedTo(1)
	r.refused("nothing has failed", "retry", harness.Demo)
	r.refused("releases the same change: --wait waits for it", append([]string{"start"}, slow...)...)
	r.refused("releases another change", "start", "-f", seed, "--image", "main="+harness.Image("v3"))
	job := r.startAndWait(slow...)

	r.sluice("pause", harness.Demo, "--reason", "lunch")
	r.refused("the rollout is paused: resume it first", "promote", harness.Demo)
	require.Contains(t, r.sluice("status", harness.Demo), "paused by a person")
	r.sluice("resume", harness.Demo)
	r.sluice("jump", harness.Demo, "--step", "2")
	r.retriedTo(2)
	r.checkShare("jumped forwards", "v2", 30)
	r.sluice("jump", harness.Demo, "--step", "1")
	r.retriedTo(1)
	r.checkShare("jumped backwards", "v2", 10)
	r.refused("step 3 does not exist", "jump", harness.Demo, "--step", "3")
	r.told()
	r.sluice("abort", harness.Demo, "--reason", "too slow")
	r.ends(job, 3)
	r.await(workflows.PhaseRolledBack, 0)
	r.restored("v1")
	r.refused("the rollout of", "pause", harness.Demo)

	job = r.startAndWait("-f", seed, "--image", "main="+harness.Image("v2"), "--timeout", "2m")
	require.NoError(t, harness.Await(r.ctx, "the second rollout holds", func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		return s.Phase == workflows.PhaseHolding, err
	}))
	r.sluice("promote", harness.Demo, "--full", "--reason", "error rate is flat")
	r.ends(job, 0)
	r.promoted("v2")
	r.remembered()
}

// told looks at an open rollout in every format.
func (r *rollout) told() {
	r.t.Helper()
	var asJSON, asYAML control.Status
	require.NoError(r.t, json.Unmarshal([]byte(r.sluice("status", harness.Demo, "-o", "json")), &asJSON))
	require.NoError(r.t, yaml.Unmarshal([]byte(r.sluice("status", harness.Demo, "-o", "yaml")), &asYAML))
	for _, s := range []control.Status{asJSON, asYAML} {
		require.Equal(r.t, workflows.PhaseHolding, s.Phase)
		require.Equal(r.t, 1, s.Step)
		require.Equal(r.t, 10, s.Confirmed.Weight)
		require.Equal(r.t, "ann", s.By)
		require.Equal(r.t, "lunch", decisionOf(s, workflows.VerbPause).Reason)
	}
	table := r.sluice("status", "-o", "table")
	for _, want := range []string{"Holding", "by ann: release 7", "10% asked, 10% confirmed", "jump by"} {
		require.Contains(r.t, table, want)
	}
	require.NotContains(r.t, table, "\x1b", "control codes without a terminal")
	for line := range strings.Lines(table) {
		require.LessOrEqual(r.t, len([]rune(strings.TrimRight(line, "\n"))), 80, line)
	}
	row := r.listed(1, "--phase", "Holding")[0]
	require.Equal(r.t, asJSON.WorkflowID, row.WorkflowID)
	require.Equal(r.t, asJSON.Run, row.Run)
	require.Equal(r.t, asJSON.Revision, row.Revision)
}

// listed waits until `sluice list` shows n rollouts: Temporal's lists lag behind by
// moments.
func (r *rollout) listed(n int, args ...string) []control.Row {
	r.t.Helper()
	var rows []control.Row
	require.NoError(r.t, harness.Await(r.ctx, fmt.Sprintf("%d rollouts are listed", n), func(context.Context) (bool, error) {
		err := json.Unmarshal([]byte(r.sluice(append([]string{"list", "-o", "json"}, args...)...)), &rows)
		return len(rows) == n, err
	}))
	return rows
}

// decisionOf is the first decision by a verb.
func decisionOf(s control.Status, verb workflows.Verb) workflows.Decision {
	for _, d := range s.Decisions {
		if d.Verb == verb {
			return d
		}
	}
	return workflows.Decision{}
}

// remembered looks at what is known of both rollouts when they have ended.
func (r *rollout) remembered() {
	r.t.Helper()
	r.listed(1, "--phase", "Promoted")
	r.listed(0)
	var past []control.Past
	require.NoError(r.t, json.Unmarshal([]byte(r.sluice("history", harness.Demo, "-o", "json")), &past))
	require.Len(r.t, past, 2)
	require.Equal(r.t, workflows.PhasePromoted, past[0].Phase)
	require.Equal(r.t, "error rate is flat", past[0].Decisions[len(past[0].Decisions)-1].Reason)
	require.Equal(r.t, workflows.PhaseRolledBack, past[1].Phase)
	require.Equal(r.t, "release 7", past[1].Reason)
	timeline := words(r.sluice("history", harness.Demo, "--timeline"))
	for _, want := range []string{"error rate is flat", "too slow", "make the new revision stable"} {
		require.Contains(r.t, timeline, want)
	}
	require.Contains(r.t, words(r.sluice("status", harness.Demo)), "Promoted")
}
