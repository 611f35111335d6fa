package workflows

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
)

// measurement is one analysis that runs beside the main line.
type measurement struct {
	// where it belongs, in words, and the metrics that are measured.
	where   string
	metrics []config.Metric
	// passed says that all its metrics have passed, failure that one has not. Of a
	// timed hold both are what is known at the end of its time.
	passed  bool
	failure *verdictFailure
	// guards says that a verdict Pass does not end it; goOn is asked after one
	// whether it is still needed.
	guards bool
	goOn   func() bool
	// stopped says that it guards a rollout which waits for a person: only a verdict
	// that returns to stable ends it.
	stopped bool
	// answers says that it passes when all of its metrics can be measured, whatever
	// their verdicts are.
	answers bool
	// until is the end of a timed hold; zero otherwise.
	until  time.Time
	cancel workflow.CancelFunc
	// index of the present activity in the status; nil before the first one.
	index *int
	// after is the measurement of the same metrics that it goes on from, if any.
	after *measurement
	// earlier is what another measurement of the same metrics knew: what it knew of
	// stable is taken over even where it has failed. Nil where there was none.
	earlier *analysis.State
	// ended says that nothing is measured any more, and state what is known then;
	// nil where nothing is.
	ended bool
	state *analysis.State
}

// of returns the measurement if another one of these metrics can go on from it: one
// that has failed is measured anew.
func (m *measurement) of(metrics []config.Metric) *measurement {
	if m == nil || m.failure != nil || !reflect.DeepEqual(m.metrics, metrics) {
		return nil
	}
	return m
}

// known returns what the measurement knows if another one of these metrics may take
// it over: what was seen of stable stays true after canary has failed.
func (m *measurement) known(metrics []config.Metric) *analysis.State {
	if m == nil || m.state == nil || !reflect.DeepEqual(m.metrics, metrics) {
		return nil
	}
	brief := m.state.Brief(0)
	return &brief
}

// analyse begins an analysis of the present step.
func (r *run) analyse(ctx workflow.Context, where string, a *config.Analysis, m *measurement) *measurement {
	ctx, m.cancel = workflow.WithCancel(ctx)
	m.where, m.metrics = where, a.Metrics
	servers := r.doc().Prometheus
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { m.ended = true }()
		var state *analysis.State
		if m.after != nil {
			if workflow.Await(ctx, func() bool { return m.after.ended }) != nil {
				return
			}
			state, m.after = m.after.state, nil
			m.state = state
		}
		req := analysis.Request{
			Subject: r.subject(r.step + 1), Metrics: m.metrics, Servers: servers, Guard: m.guards, Stopped: m.stopped, Answers: m.answers, State: state, Earlier: m.earlier,
		}
		r.measure(ctx, m, req)
	})
	return m
}

// measure runs an analysis: until it has passed, and then, as long as it is
// needed, from where it was. Metrics that do not pass at the end of a timed hold
// are measured on until they do.
func (r *run) measure(ctx workflow.Context, m *measurement, req analysis.Request) {
	for {
		result, err := r.measureOnce(ctx, m, req)
		switch {
		case ctx.Err() != nil:
			return // nobody asks any more
		case err != nil:
			m.failure = &verdictFailure{policy: r.doc().OnFailure, reason: m.where + " cannot be measured: " + explain(err)}
			return
		}
		if m.answers {
			m.passed = true
			return
		}
		if m.failure = failureOf(m.where, result.Decision); m.failure != nil {
			return
		}
		pass := result.Decision.Action == verdict.Promote
		// The clock of the worker may be ahead of the timer.
		if pass && !req.Until.IsZero() && workflow.Await(ctx, func() bool { return !m.goOn() }) != nil {
			return
		}
		if pass && (m.goOn == nil || !m.goOn()) {
			m.passed = true
			return
		}
		req.Guard, req.Until, req.State = pass, time.Time{}, m.state
		if pass && !m.until.IsZero() && wantsPresentPass(ctx) {
			req.Until = m.until
		}
		m.passed = pass && req.Until.IsZero()
	}
}

// measureOnce runs one activity of an analysis and tells its decision.
func (r *run) measureOnce(ctx workflow.Context, m *measurement, req analysis.Request) (analysis.Result, error) {
	index := r.beginAnalysis(ctx, m, req)
	m.index = &index
	future := workflow.ExecuteActivity(r.analysisOptions(ctx, m, req, index), measures.AnalyseMetrics, req)
	var result analysis.Result
	err := future.Get(ctx, &result)
	r.endAnalysis(ctx, index, result, err)
	if err != nil {
		return result, err
	}
	m.state = &result.State
	switch {
	case ctx.Err() != nil:
	case m.answers:
		r.note(ctx, m.where+" can be measured")
	case result.Decision.Action == verdict.Continue:
		r.note(ctx, fmt.Sprintf("%s: the time is over, measured on until they pass: %s", m.where, result.Decision.Reason))
	default:
		r.note(ctx, fmt.Sprintf("%s: %s", m.where, result.Decision))
	}
	return result, nil
}

// failureOf is what follows a bad verdict; nil where it is none.
func failureOf(where string, d verdict.Decision) *verdictFailure {
	reason := fmt.Sprintf("%s: %s", where, d.Reason)
	switch d.Action {
	case verdict.Rollback:
		return &verdictFailure{policy: config.FailureRollback, reason: reason}
	case verdict.Pause:
		return &verdictFailure{policy: config.FailurePause, reason: reason}
	case verdict.Promote, verdict.Continue:
	}
	return nil
}

// analysisOptions of one measurement: it is tried again for ever, because what
// cannot be measured is a verdict, not an error.
func (r *run) analysisOptions(ctx workflow.Context, m *measurement, req analysis.Request, index int) workflow.Context {
	names := make([]string, len(req.Metrics))
	for i, metric := range req.Metrics {
		names[i] = metric.Name
	}
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID:          r.analyses[index].Activity,
		TaskQueue:           ActivityTaskQueue(r.in.Cluster),
		StartToCloseTimeout: watchTimeout,
		HeartbeatTimeout:    analysisHeartbeat,
		// Its result is wanted when it is cancelled, too: the numbers belong to the
		// history. Only a measurement that goes on from it waits for it.
		WaitForCancellation: true,
		Summary:             fmt.Sprintf("%s: %s", m.where, strings.Join(names, ", ")),
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 10 * time.Second},
	})
}

// beginAnalysis adds an analysis to the status and returns its place there.
func (r *run) beginAnalysis(ctx workflow.Context, m *measurement, req analysis.Request) int {
	r.analyses = append(r.analyses, AnalysisStatus{
		Where: m.where, Step: req.Subject.Step, Since: workflow.Now(ctx), Running: true, Guard: req.Guard,
		Activity: fmt.Sprintf("analysis-%d", len(r.analyses)+1),
	})
	return len(r.analyses) - 1
}

// endAnalysis keeps the numbers of an analysis.
func (r *run) endAnalysis(ctx workflow.Context, index int, result analysis.Result, err error) {
	a := &r.analyses[index]
	a.Running, a.Ended = false, workflow.Now(ctx)
	if err == nil {
		a.State = result.State.Brief(statusSamples)
	}
	r.publish(ctx)
}
