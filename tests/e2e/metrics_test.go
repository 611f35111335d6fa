package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// analysing says that an analysis which runs fits, with the numbers of its last
// heartbeat as `sluice status` knows them.
func (r *rollout) analysing(fits func(workflows.AnalysisStatus) bool) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		out, err := r.Sluice(ctx, r.namespace, "status", harness.Demo, "-o", "json")
		if err != nil {
			return false, err
		}
		var s workflows.Status
		if err := json.Unmarshal([]byte(out.Stdout), &s); err != nil {
			return false, err
		}
		for _, a := range s.Analyses {
			if a.Running && fits(a) {
				return true, nil
			}
		}
		return false, nil
	}
}

// TestMetricsPromoteAlone promotes a good version without a person, by the
// metrics of the application and then by those of the gateway.
func TestMetricsPromoteAlone(t *testing.T) {
	r := newRolloutOf(t, steady)
	d := document{steps: []measuredStep{
		{route: "traffic: 30%", metrics: []string{
			successRate,
			"{template: app/latency, " + pace + ", test: {margin: {ratio: 2, delta: 0.05}}}",
			"{template: app/latency-p50, " + longer + "}",
			"{template: app/latency-p95, " + even,
			"{template: app/latency-p99, " + even,
			"{template: app/request-rate, " + pace + "}",
			"{template: app/error-budget-burn, " + pace + "}",
		}},
		{route: "traffic: 50%", metrics: []string{
			"{template: traefik/success-rate, " + pace + ", test: {margin: {ratio: 2, delta: 0.05}}}",
			"{template: traefik/latency, " + pace + ", test: {margin: {ratio: 2, delta: 0.05}}}",
			"{template: traefik/latency-p50, " + longer + "}",
			"{template: traefik/latency-p95, " + even,
			"{template: traefik/latency-p99, " + even,
			"{template: traefik/request-rate, " + pace + "}",
			"{template: traefik/error-budget-burn, " + pace + "}",
		}},
	}}
	r.looked(d)
	r.startMeasured(d)
	s := r.await(workflows.PhasePromoted, 0)
	require.Empty(t, s.Decisions, "no person")
	require.Len(t, s.Analyses, 2)
	for _, a := range s.Analyses {
		require.Len(t, a.State.Metrics, 7)
		for _, m := range a.State.Metrics {
			require.Equal(t, verdict.Pass, m.Outcome, "%s: %s", m.Metric, m.Reason)
		}
	}
	r.detailed(s.Analyses[1], verdict.Pass)
	r.checkShare("promoted", "v2", 100)
	r.finish()
	r.restored("v2")
}

func TestMetricsReturnFromErrors(t *testing.T)  { badErrors.returns(t) }
func TestMetricsReturnFromLatency(t *testing.T) { badLatency.returns(t) }
func TestMetricsReturnFromACohort(t *testing.T) { badCohort.returns(t) }
func TestMetricsReturnFromStep2(t *testing.T)   { badFromStep2.returns(t) }
func TestMetricsReturnFromTheBake(t *testing.T) { badInTheBake.returns(t) }

// TestMetricsWithoutRequests has no client at all, and goes through all policies
// for what is not known: it is ignored beside something that is known, waited for,
// stops the rollout until a person overrides it, and returns.
func TestMetricsWithoutRequests(t *testing.T) {
	r := newIdleRollout(t)
	empty := "{template: app/success-rate, name: errors, interval: 1s, limits: {consecutiveNoData: 3}, onNoData: "
	scraped := `{name: scraped, query: 'count(up{namespace="{{namespace}}",pod=~"{{pods}}"})', min: 1, interval: 1s, count: 2}`
	r.startMeasured(document{steps: []measuredStep{
		{route: "traffic: 10%", metrics: []string{empty + "ignore}", scraped}},
		{route: "traffic: 20%", metrics: []string{empty + "wait}", scraped}},
		{route: "traffic: 30%", metrics: []string{empty + "pause}", scraped}},
		{route: "traffic: 50%", metrics: []string{empty + "rollback}", scraped}},
	}})
	require.NoError(t, harness.Await(r.ctx, "step 2 has waited for longer than its limit", r.analysing(func(a workflows.AnalysisStatus) bool {
		return a.Step == 2 && len(a.State.Metrics) == 2 && a.State.Metrics[0].Empty > 6 && a.State.Metrics[1].Outcome == verdict.Pass
	})))
	s := r.await(workflows.PhaseHolding, 2)
	require.Empty(t, s.Decisions, "step 1 went on by what was known")
	require.Equal(t, map[string]verdict.Outcome{"errors": verdict.NoData, "scraped": verdict.Pass}, outcomes(s.Analyses[0]))
	r.sluice("promote", harness.Demo, "--reason", "the shop is shut")
	s = r.await(workflows.PhaseStuck, 3)
	// A busy machine scrapes the new pods late. That no request was bad is told beside it.
	require.Regexp(t, "no (requests since the last sample|series of requests to canary: none was scraped yet).*; 3 times in a row", s.Failure)
	out, err := r.Sluice(r.ctx, r.namespace, "promote", harness.Demo)
	require.NoError(t, err)
	require.NotZero(t, out.Code, "without a reason")
	r.sluice("promote", harness.Demo, "--reason", "nobody shops at night")
	s = r.await(workflows.PhaseRolledBack, 0)
	require.Contains(t, s.Result.Reason, "the metrics of step 4: errors: no requests")
	require.Equal(t, "nobody shops at night", s.Decisions[len(s.Decisions)-1].Reason)
	r.restored("v1")
}

// long is a metric that needs many samples, so that something can happen to it.
const long = "{template: app/latency-p95, name: slow, interval: 1s, window: 10s, count: 15, maxRatio: 50, limits: {consecutiveErrors: 2}}"

func TestPrometheusKilledWhileMeasuring(t *testing.T) {
	r := newRollout(t)
	r.startMeasured(document{steps: []measuredStep{{route: "traffic: 30%", metrics: []string{long}}}})
	r.passedSamples(3)
	require.NoError(t, r.Sandbox.Kill(r.ctx, "prometheus"))
	require.NoError(t, harness.Await(r.ctx, "the verdict is Error", r.analysing(func(a workflows.AnalysisStatus) bool {
		return len(a.State.Metrics) > 0 && a.State.Metrics[0].Outcome == verdict.Error
	})))
	require.Equal(t, workflows.PhaseHolding, r.await(workflows.PhaseHolding, 1).Phase, "nothing is promoted by what is not known")
	require.NoError(t, r.Sandbox.Start(r.ctx, "prometheus"))
	s := r.await(workflows.PhasePromoted, 0)
	require.Positive(t, s.Analyses[0].State.Metrics[0].Errors)
	r.finish()
	r.restored("v2")
}

func TestWorkerKilledWhileMeasuring(t *testing.T) {
	r := newRollout(t)
	r.startMeasured(document{steps: []measuredStep{{route: "traffic: 30%", metrics: []string{long}}}})
	// The state that the server has is as old as the last heartbeat.
	began := r.passedSamples(3)
	r.crashWorker()
	s := r.await(workflows.PhasePromoted, 0)
	require.Len(t, s.Analyses, 1)
	require.Equal(t, began.UTC(), s.Analyses[0].State.Began.UTC(), "it went on from the last heartbeat")
	require.Equal(t, 15, s.Analyses[0].State.Metrics[0].Judged())
	r.samplesAreNoEvents(15)
	r.finish()
	r.restored("v2")
}

// samplesAreNoEvents requires that one activity has measured, and that fewer things
// than samples are in the history while it did.
func (r *rollout) samplesAreNoEvents(samples int) {
	r.t.Helper()
	history, err := r.History(r.ctx, harness.DemoWorkflow(r.namespace), "")
	require.NoError(r.t, err)
	var begun, ended []int64
	for _, e := range history.Events {
		if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == "AnalyseMetrics" {
			begun = append(begun, e.EventId)
		}
		if id := e.GetActivityTaskCompletedEventAttributes().GetScheduledEventId(); slices.Contains(begun, id) {
			ended = append(ended, e.EventId)
		}
	}
	require.Len(r.t, begun, 1)
	require.Len(r.t, ended, 1)
	require.Less(r.t, int(ended[0]-begun[0]), samples, "events while %d samples were taken", samples)
}
