package e2e

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// measuredStep is a step of a document that decides by metrics.
type measuredStep struct {
	// route is traffic or matches, hold how it waits; none where empty.
	route, hold string
	// metrics as YAML flow maps.
	metrics []string
}

// document is a Rollout of the seed's Deployment.
type document struct {
	steps []measuredStep
	// whole and bake are metrics of the whole rollout, from a step on, and of the
	// bake.
	whole, bake []string
	from        int
	bakeFor     time.Duration // 90 s where zero
	// servers are YAML flow maps of more servers than the sandbox's.
	servers []string
}

// pace is how the metrics of the cases are measured: quickly, since the sandbox's
// Prometheus scrapes every second.
const pace = "interval: 1s, window: 5s, duration: 6s"

// longer is a pace with more requests in each sample, and even is for the quantiles of
// steady versions: on a busy machine the slowest of a few hundred requests may take
// three times as long as they should, but no longer.
const (
	longer = "interval: 1s, window: 10s, duration: 10s"
	even   = longer + ", maxRatio: 3}"
)

// steady is a patch of the Deployment after which every request takes 60 ms, so
// that quantiles are those of the application and not of the machine; and limits,
// which kube/cpu and kube/memory compare with.
const steady = `{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"LATENCY","value":"60ms"}],` +
	`"resources":{"limits":{"cpu":"100m","memory":"64Mi"},"requests":{"cpu":"1m","memory":"1Mi"}}}]}}}}`

// successRate is judged by a sequential test that needs few requests.
const successRate = "{template: app/success-rate, name: errors, " + pace + ", test: {margin: {ratio: 2, delta: 0.05}}, onFail: rollback}"

// write makes the file of the document.
func (d document) write(t *testing.T, prometheus string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: sluice.dev/v1alpha1\nkind: Rollout\nmetadata: {name: measured}\nspec:\n"+
		"  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: demo}\n  prometheus: [%s]\n",
		strings.Join(append([]string{fmt.Sprintf("{name: main, address: %q}", prometheus)}, d.servers...), ", "))
	if d.whole != nil {
		fmt.Fprintf(&b, "  analysis: {startingStep: %d, metrics: [%s]}\n", max(1, d.from), strings.Join(d.whole, ", "))
	}
	fmt.Fprint(&b, "  strategy:\n    canary:\n      trafficRoutings: [{service: demo, gracePeriodSeconds: 1, ingress: {name: demo}}]\n      steps:\n")
	for _, s := range d.steps {
		fmt.Fprintf(&b, "      - %s\n        replicas: 2\n        analysis: {metrics: [%s]}\n", s.route, strings.Join(s.metrics, ", "))
		if s.hold != "" {
			fmt.Fprintf(&b, "        hold: %s\n", s.hold)
		}
	}
	if d.bake != nil {
		fmt.Fprintf(&b, "      bake: {duration: %s, analysis: {metrics: [%s]}}\n", cmp.Or(d.bakeFor, 90*time.Second), strings.Join(d.bake, ", "))
	}
	path := filepath.Join(t.TempDir(), "rollout.yaml")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// looked looks at a document before the start, as the page on metrics says: its
// queries are parsed, shown with the names filled in, and asked once.
func (r *rollout) looked(d document) {
	r.t.Helper()
	file := d.write(r.t, r.Sandbox.State().Inside.PrometheusURL)
	r.sluice("lint", file)
	// Where lines are broken depends on the names.
	shows := func(text, want string) {
		r.t.Helper()
		require.Contains(r.t, strings.Join(strings.Fields(text), ""), strings.ReplaceAll(want, " ", ""))
	}
	plan := r.sluice("plan", file, "--image", "main="+harness.Image("v2"))
	shows(plan, fmt.Sprintf("sum by (pod) (http_requests_total{namespace=%q,", r.namespace))
	shows(plan, "the metrics alone promote the step")
	// There are no pods of canary yet.
	shows(r.sluice("analyze", file, "--metric", "errors", "--server", r.Sandbox.State().Outside.PrometheusURL), "no series of requests to canary")
}

// turningBad are environment variables of a version that fails for one request in
// five as soon as the function is called.
func (r *rollout) turningBad() (env []string, turn func()) {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), "bad")
	return []string{"FAIL_SHARE=0.2", "FAIL_FILE=" + path}, func() {
		r.t.Helper()
		require.NoError(r.t, os.WriteFile(path, nil, 0o600))
	}
}

// startMeasured starts the rollout of v2 by a document, with environment
// variables for its pods.
func (r *rollout) startMeasured(d document, env ...string) {
	r.t.Helper()
	args := []string{"start", "-f", d.write(r.t, r.Sandbox.State().Inside.PrometheusURL), "--image", "main=" + harness.Image("v2")}
	for _, e := range env {
		args = append(args, "--set-env", "main:"+e)
	}
	r.sluice(args...)
}

// returnedBy waits until the metrics have returned everything to v1, and requires
// that a verdict says why.
func (r *rollout) returnedBy(where string) workflows.Status {
	r.t.Helper()
	s := r.await(workflows.PhaseRolledBack, 0)
	require.Contains(r.t, s.Result.Reason, where)
	require.Empty(r.t, s.Decisions, "no person")
	last := s.Analyses[len(s.Analyses)-1]
	require.NotEmpty(r.t, last.State.Metrics, "the numbers are in the status")
	r.detailed(last, verdict.Fail)
	r.t.Logf("%s", s.Result.Reason)
	return s
}

// metadataQuery is what the Temporal UI asks for the current details.
const metadataQuery = "__temporal_workflow_metadata"

// detailed requires that the details in the Temporal UI show a verdict with its
// samples.
func (r *rollout) detailed(a workflows.AnalysisStatus, outcome verdict.Outcome) {
	r.t.Helper()
	value, err := r.Temporal.QueryWorkflow(r.ctx, harness.DemoWorkflow(r.namespace), "", metadataQuery)
	require.NoError(r.t, err)
	var shown sdkpb.WorkflowMetadata
	require.NoError(r.t, value.Get(&shown))
	require.Contains(r.t, shown.GetCurrentDetails(), fmt.Sprintf("Last verdict on %s: **%s**", a.Where, outcome))
	for _, m := range a.State.Metrics {
		require.Contains(r.t, shown.GetCurrentDetails(), "| "+m.Metric+" | ")
	}
}

// decidedAt is when the verdict came.
func (r *rollout) decidedAt(s workflows.Status) time.Time {
	r.t.Helper()
	for _, e := range s.Timeline {
		if strings.Contains(e.Text, ": Fail: ") {
			return e.At
		}
	}
	require.Fail(r.t, "no verdict in the timeline", "%v", s.Timeline)
	return time.Time{}
}

// passedSamples waits until the analysis that runs has judged n samples, and
// returns when it began.
func (r *rollout) passedSamples(n int) time.Time {
	r.t.Helper()
	var began time.Time
	require.NoError(r.t, harness.Await(r.ctx, "samples were judged", r.analysing(func(a workflows.AnalysisStatus) bool {
		began = a.State.Began
		return len(a.State.Metrics) > 0 && a.State.Metrics[0].Judged() >= n
	})))
	return began
}

// passedAll waits until every metric of the analysis of a step has passed.
func (r *rollout) passedAll(step int) {
	r.t.Helper()
	var left []string
	err := harness.Await(r.ctx, fmt.Sprintf("the metrics of step %d have passed", step), r.analysing(func(a workflows.AnalysisStatus) bool {
		left = nil
		for _, m := range a.State.Metrics {
			if m.Outcome != verdict.Pass {
				left = append(left, fmt.Sprintf("%s: %s (%s)", m.Metric, m.Outcome, m.Reason))
			}
		}
		return a.Step == step && len(a.State.Metrics) > 0 && len(left) == 0
	}))
	require.NoError(r.t, err, "left: %v", left)
}

// outcomes of the metrics of an analysis, by name.
func outcomes(a workflows.AnalysisStatus) map[string]verdict.Outcome {
	all := map[string]verdict.Outcome{}
	for _, m := range a.State.Metrics {
		all[m.Metric] = m.Outcome
	}
	return all
}
