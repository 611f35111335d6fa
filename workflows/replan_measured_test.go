package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// fromConfigMap is an analysis of one metric that is described in a ConfigMap.
func fromConfigMap(name string) *config.Analysis {
	return &config.Analysis{Pending: []config.PendingMetric{{ConfigMap: name}}}
}

// timed is a document whose one step holds for a time while the metrics of a
// ConfigMap are measured.
func timed(d time.Duration, configMap string) config.Rollout {
	doc := seed()
	doc.Steps = doc.Steps[:1]
	doc.Steps[0].Hold = config.Hold{Mode: config.HoldTimed, Duration: config.Duration(d)}
	doc.Steps[0].Analysis = fromConfigMap(configMap)
	return doc
}

// replan sends an edited document after a virtual delay.
func (b *bench) replan(delay time.Duration, doc config.Rollout) *answer {
	return b.update(delay, workflows.VerbReplan, workflows.Message{Rollout: &doc, By: "kubectl"})
}

// answering lets analyses that are cancelled run on until the test says what they
// know, as a worker does; by itself the environment ends them at once.
func (b *bench) answering() {
	b.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&patient{}}})
}

type patient struct {
	interceptor.WorkerInterceptorBase
}

func (p *patient) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &patientInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type patientInbound struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (p *patientInbound) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	return p.Next.Init(&patientOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: outbound}})
}

type patientOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
}

func (p *patientOutbound) ExecuteActivity(ctx workflow.Context, activity string, args ...any) workflow.Future {
	if activity == "AnalyseMetrics" {
		ctx, _ = workflow.NewDisconnectedContext(ctx)
	}
	return p.Next.ExecuteActivity(ctx, activity, args...)
}

// TestEditedTimeOfAMeasuredHold keeps the metrics of the ConfigMap, what was
// measured of them, and the time that has passed.
func TestEditedTimeOfAMeasuredHold(t *testing.T) {
	b := newBench(t)
	b.answering()
	edit := b.replan(10*time.Minute, timed(30*time.Minute, "shared"))
	b.known(11*time.Minute, 1, verdict.Continue, verdict.Measuring)
	b.at(12*time.Minute, func() {
		s := b.status()
		require.True(t, told(s, "the document was edited: step 1 goes on"), "only the time is another one")
		require.Equal(t, s.Started.Add(30*time.Minute).Truncate(time.Minute), s.Until.Truncate(time.Minute))
		require.Len(t, b.cluster.requests, 2)
		again := b.cluster.requests[1]
		require.Equal(t, "shared", again.Metrics[0].Name)
		require.Equal(t, 7, again.State.Metrics[0].Passed, "what was measured still counts")
		require.False(t, again.Guard)
	})
	b.verdict(20*time.Minute, 2, verdict.Promote)
	b.known(30*time.Minute, 3, verdict.Promote, verdict.Pass)
	b.at(29*time.Minute, func() { require.Equal(t, 1, b.status().Step) })
	b.at(30*time.Minute+10*time.Second, func() { require.Equal(t, workflows.PhasePromoted, b.status().Phase) })
	result, err := b.run(timed(2*time.Hour, "shared"))
	require.NoError(t, err)
	require.NoError(t, edit.rejected)
	require.Equal(t, workflows.Promoted, result.Outcome)
}

// TestEditedDocumentThatCannotBeMeasured is refused, and the present one goes on.
func TestEditedDocumentThatCannotBeMeasured(t *testing.T) {
	b := newBench(t)
	refused := b.replan(time.Minute, timed(time.Second, "missing"))
	b.signal(2*time.Minute, workflows.VerbReplan, workflows.Message{Rollout: new(timed(time.Second, "missing"))})
	b.at(3*time.Minute, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseHolding, s.Phase)
		require.Equal(t, "2h0m0s", s.Steps[0].Hold)
		require.Len(t, b.cluster.requests, 1, "the same measurement")
		require.Len(t, s.Decisions, 2)
		for _, d := range s.Decisions {
			require.False(t, d.Accepted)
			require.Equal(t, "the present document stays in force: there is no ConfigMap missing", d.Text)
		}
	})
	b.signal(4*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
	result, err := b.run(timed(2*time.Hour, "shared"))
	require.NoError(t, err)
	require.ErrorContains(t, refused.rejected, "the present document stays in force: there is no ConfigMap missing")
	require.Equal(t, workflows.Promoted, result.Outcome)
}

// TestEditedMetricsOfAStepAreMeasured from the beginning.
func TestEditedMetricsOfAStepAreMeasured(t *testing.T) {
	b := newBench(t)
	b.replan(time.Minute, timed(time.Minute, "other"))
	b.at(2*time.Minute, func() {
		require.Len(t, b.cluster.requests, 2)
		require.Equal(t, "other", b.cluster.requests[1].Metrics[0].Name)
		require.Nil(t, b.cluster.requests[1].State)
	})
	b.verdict(3*time.Minute, 2, verdict.Rollback)
	result, err := b.run(timed(time.Minute, "shared"))
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
}

// TestFailedStepIsMeasuredAnewAfterAnEdit that keeps the steps.
func TestFailedStepIsMeasuredAnewAfterAnEdit(t *testing.T) {
	b := newBench(t)
	b.verdict(time.Minute, 1, verdict.Pause)
	b.replan(2*time.Minute, timed(time.Hour, "shared"))
	b.at(3*time.Minute, func() {
		require.Equal(t, workflows.PhaseHolding, b.status().Phase)
		require.Nil(t, b.cluster.requests[1].State)
	})
	b.signal(4*time.Minute, workflows.VerbAbort, nil)
	_, err := b.run(timed(2*time.Hour, "shared"))
	require.NoError(t, err)
}

// TestEditedGuard follows a document that adds, changes or removes the analysis of
// the whole rollout.
func TestEditedGuard(t *testing.T) {
	whole := func(a *config.Analysis) config.Rollout {
		doc := seed()
		doc.Analysis = a
		return doc
	}
	elsewhere := whole(metrics())
	elsewhere.Prometheus = []config.Prometheus{{Name: "main", Address: "http://elsewhere"}}
	tests := map[string]struct {
		before, after config.Rollout
		// measured are the names of what is measured after the edit, one by one.
		measured []string
		// present measurement, from 1; 0 where nothing is measured.
		present int
	}{
		"added":                    {seed(), whole(metrics()), []string{"errors"}, 1},
		"added in a ConfigMap":     {seed(), whole(fromConfigMap("shared")), []string{"shared"}, 1},
		"removed":                  {whole(metrics()), seed(), []string{"errors"}, 0},
		"the same":                 {whole(metrics()), whole(metrics()), []string{"errors"}, 1},
		"the same, in a ConfigMap": {whole(fromConfigMap("shared")), whole(fromConfigMap("shared")), []string{"shared"}, 1},
		"changed":                  {whole(metrics()), whole(fromConfigMap("shared")), []string{"errors", "shared"}, 2},
		"another server":           {whole(metrics()), elsewhere, []string{"errors", "errors"}, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			edit := b.replan(time.Minute, test.after)
			b.at(2*time.Minute, func() {
				var measured []string
				for _, req := range b.cluster.requests {
					require.True(t, req.Guard)
					measured = append(measured, req.Metrics[0].Name)
				}
				require.Equal(t, test.measured, measured)
				require.Equal(t, workflows.PhaseHolding, b.status().Phase)
			})
			if test.present > 0 {
				b.verdict(3*time.Minute, test.present, verdict.Rollback)
			} else {
				b.signal(3*time.Minute, workflows.VerbAbort, workflows.Message{Reason: "nothing measures"})
			}
			result, err := b.run(test.before)
			require.NoError(t, err)
			require.NoError(t, edit.rejected)
			require.Equal(t, workflows.RolledBack, result.Outcome)
			if test.present == 0 {
				require.Equal(t, "aborted: nothing measures", result.Reason)
			}
		})
	}
}

// preparingEdits lets every preparation but the first hang until the test ends it.
func (b *bench) preparingEdits() {
	prepared := 0
	b.cluster.block = func(op string) bool {
		if op == "prepare metrics" {
			prepared++
		}
		return op == "prepare metrics" && prepared > 1
	}
}

// prepared ends the preparation that hangs after a virtual delay.
func (b *bench) prepared(delay time.Duration, doc config.Rollout) {
	b.at(delay, func() {
		doc.Steps[0].Analysis = &config.Analysis{Metrics: []config.Metric{{Name: doc.Steps[0].Analysis.Pending[0].ConfigMap}}}
		require.NoError(b.t, b.CompleteActivity(b.cluster.blocked, analysis.Prepared{Rollout: doc}, nil))
	})
}

func TestLaterEditOvertakesOneThatIsBeingPrepared(t *testing.T) {
	b := newBench(t)
	b.preparingEdits()
	first := b.replan(time.Minute, timed(time.Hour, "first"))
	second := b.replan(2*time.Minute, timed(3*time.Hour, "second"))
	b.prepared(3*time.Minute, timed(3*time.Hour, "second"))
	b.at(4*time.Minute, func() { require.Equal(t, "3h0m0s", b.status().Steps[0].Hold) })
	b.signal(5*time.Minute, workflows.VerbAbort, nil)
	_, err := b.run(timed(2*time.Hour, "shared"))
	require.NoError(t, err)
	require.ErrorContains(t, first.rejected, "the document was edited again before its metrics were prepared")
	require.NoError(t, second.rejected)
}

func TestAbortDoesNotWaitForAnEdit(t *testing.T) {
	b := newBench(t)
	b.preparingEdits()
	edit := b.replan(time.Minute, timed(time.Hour, "shared"))
	b.signal(2*time.Minute, workflows.VerbAbort, nil)
	began := b.Now()
	result, err := b.run(timed(2*time.Hour, "shared"))
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.ErrorContains(t, edit.rejected, "too late: the rollout is RollingBack")
	require.Less(t, b.Now().Sub(began), 3*time.Minute)
}

// TestEditThatArrivesTwiceActsOnce although it is being prepared when it comes the
// second time, as a signal.
func TestEditThatArrivesTwiceActsOnce(t *testing.T) {
	b := newBench(t)
	b.preparingEdits()
	m := workflows.Message{Rollout: new(timed(3*time.Hour, "second")), ID: "edit"}
	edit := b.update(time.Minute, workflows.VerbReplan, m)
	b.signal(time.Minute+5*time.Second, workflows.VerbReplan, m)
	b.prepared(2*time.Minute, timed(3*time.Hour, "second"))
	b.at(3*time.Minute, func() {
		s := b.status()
		require.Equal(t, "3h0m0s", s.Steps[0].Hold)
		require.Len(t, s.Decisions, 1)
	})
	b.signal(4*time.Minute, workflows.VerbAbort, nil)
	_, err := b.run(timed(2*time.Hour, "shared"))
	require.NoError(t, err)
	require.NoError(t, edit.rejected)
}
