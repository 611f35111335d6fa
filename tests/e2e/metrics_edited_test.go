package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// replan sends an edited document, as the watcher does when a Rollout is edited.
func (r *rollout) replan(d document) error {
	r.t.Helper()
	text, err := os.ReadFile(d.write(r.t, r.Sandbox.State().Inside.PrometheusURL))
	require.NoError(r.t, err)
	doc, err := config.ParseOne(text, config.Options{Namespace: r.namespace})
	require.NoError(r.t, err)
	update, err := r.Temporal.UpdateWorkflow(r.ctx, client.UpdateWorkflowOptions{
		WorkflowID: harness.DemoWorkflow(r.namespace), UpdateName: string(workflows.VerbReplan),
		Args: []any{workflows.Message{Rollout: &doc, By: "kubectl"}}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(r.t, err)
	return update.Get(r.ctx, nil)
}

// TestMetricsOfAnEditedDocument edits a document whose metric is in a ConfigMap
// while it is measured: one that cannot be measured is refused, and by one with a
// shorter time, and metrics of the whole rollout, what was measured goes on.
func TestMetricsOfAnEditedDocument(t *testing.T) {
	r := newRollout(t)
	r.allowMetrics()
	_, err := r.Kube.CoreV1().ConfigMaps(r.namespace).Create(r.ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "sluice-metrics"}, Data: map[string]string{"any": shared},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	doc := func(template, hold string, whole ...string) document {
		metric := "{configMap: sluice-metrics, template: " + template + ", " + pace + "}"
		return document{whole: whole, steps: []measuredStep{
			{route: "traffic: 30%", hold: hold, metrics: []string{metric}},
			{route: "traffic: 50%", hold: "approval", metrics: []string{metric}},
		}}
	}
	r.startMeasured(doc("shared", "1h"))
	began := r.passedSamples(3)
	require.ErrorContains(t, r.replan(doc("missing", "1s")), "the present document stays in force: the metrics cannot be measured")
	require.Equal(t, "1h0m0s", r.await(workflows.PhaseHolding, 1).Steps[0].Hold)
	named := "{name: named, query: 'vector({{step}})', min: 1, " + pace + "}"
	require.NoError(t, r.replan(doc("shared", "30s", named)))
	r.await(workflows.PhaseHolding, 2)
	require.NoError(t, harness.Await(r.ctx, "the rollout's metrics are those of step 2", r.analysing(func(a workflows.AnalysisStatus) bool {
		if !beside(a) || a.Step != 2 || len(a.State.Metrics) == 0 || a.State.Metrics[0].Judged() == 0 {
			return false
		}
		samples := a.State.Metrics[0].Samples
		return *samples[len(samples)-1].Value == 2
	})))
	r.sluice("promote", harness.Demo)
	s := r.await(workflows.PhasePromoted, 0)
	require.Len(t, s.Decisions, 3)
	var whole []workflows.AnalysisStatus
	for _, a := range s.Analyses {
		switch {
		case beside(a):
			whole = append(whole, a)
		case a.Step == 1:
			require.Equal(t, began.UTC(), a.State.Began.UTC(), "what was measured before the edit counts")
			require.Equal(t, "shared", a.State.Metrics[0].Metric)
		}
	}
	require.GreaterOrEqual(t, len(whole), 2)
	require.Equal(t, 1, whole[0].Step)
	require.Equal(t, whole[0].State.Began.UTC(), whole[1].State.Began.UTC(), "it goes on")
	r.finish()
	r.restored("v2")
}

// TestWorkerKilledWhileABadVersionIsTested is returned by a test that goes on with
// the evidence that the killed worker had.
func TestWorkerKilledWhileABadVersionIsTested(t *testing.T) {
	r := newRollout(t)
	patient := "{template: app/success-rate, name: errors, " + pace + ", minRequests: 500, test: {margin: {ratio: 2, delta: 0.05}}, onFail: rollback}"
	r.startMeasured(document{steps: []measuredStep{{route: "traffic: 30%", metrics: []string{patient}}}}, "FAIL_SHARE=0.2")
	began := r.passedSamples(4)
	r.crashWorker()
	s := r.returnedBy("the metrics of step 1: errors: canary is worse")
	require.Len(t, s.Analyses, 1)
	state := s.Analyses[0].State
	require.Equal(t, began.UTC(), state.Began.UTC(), "it went on from the last heartbeat")
	require.GreaterOrEqual(t, state.Metrics[0].Test.Canary.Requests, 500.0)
	require.Equal(t, state.Metrics[0].Judged(), state.Metrics[0].Test.Harm.Batches, "every sample is in the evidence")
	r.finishBad(badVersion{about: "20 % of errors, weight 30 %, and a killed worker", within: 90 * time.Second}, s)
	r.restored("v1")
}
