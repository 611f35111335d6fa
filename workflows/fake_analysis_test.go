package workflows_test

import (
	"context"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// measured is what the cluster was asked about metrics: what ran for how long,
// and the tokens of what runs.
type measured struct {
	requests []analysis.Request
	tokens   [][]byte
}

// PrepareAnalysis fills in a metric for each that is in a ConfigMap; "missing" is
// none.
func (c *cluster) PrepareAnalysis(ctx context.Context, req analysis.PrepareRequest) (analysis.Prepared, error) {
	if err := c.do(ctx, req.Subject.Ref, "prepare metrics"); err != nil {
		return analysis.Prepared{}, err
	}
	for _, placed := range req.Rollout.Analyses() {
		for _, pending := range placed.Pending {
			if pending.ConfigMap == "missing" {
				return analysis.Prepared{}, temporal.NewNonRetryableApplicationError("there is no ConfigMap missing", "Refused", nil)
			}
			placed.Metrics = append(placed.Metrics, config.Metric{Name: pending.ConfigMap})
		}
		placed.Pending = nil
	}
	return analysis.Prepared{Rollout: req.Rollout, Warnings: []string{"metrics cannot be read now"}}, nil
}

// AnalyseMetrics goes on until the test says the verdict.
func (c *cluster) AnalyseMetrics(ctx context.Context, req analysis.Request) (analysis.Result, error) {
	c.requests = append(c.requests, req)
	c.tokens = append(c.tokens, activity.GetInfo(ctx).TaskToken)
	return analysis.Result{}, activity.ErrResultPending
}

// verdict lets the n-th analysis (from 1) end after a virtual delay.
func (b *bench) verdict(delay time.Duration, n int, action verdict.Action) {
	b.at(delay, func() {
		require.GreaterOrEqual(b.t, len(b.cluster.tokens), n, "analyses that have begun")
		outcome := map[verdict.Action]verdict.Outcome{
			verdict.Promote: verdict.Pass, verdict.Pause: verdict.NoData, verdict.Rollback: verdict.Fail,
		}[action]
		d := verdict.Decision{Action: action, Outcome: outcome, Metric: "errors", Reason: "errors: 12 of 100"}
		one := 0.12
		state := analysis.State{Decision: d, Metrics: []analysis.MetricState{{
			State: verdict.State{Metric: "errors", Outcome: outcome, Samples: []verdict.Sample{{Outcome: outcome, Value: &one}}},
		}}}
		require.NoError(b.t, b.CompleteActivity(b.cluster.tokens[n-1], analysis.Result{Decision: d, State: state}, nil))
	})
}

// known lets the n-th analysis (from 1) end with what it knows after a virtual delay,
// because it was cancelled or its time is over.
func (b *bench) known(delay time.Duration, n int, action verdict.Action, outcome verdict.Outcome) {
	b.at(delay, func() {
		require.GreaterOrEqual(b.t, len(b.cluster.tokens), n, "analyses that have begun")
		d := verdict.Decision{Action: action, Outcome: outcome, Metric: "errors", Reason: "errors: as it stands"}
		state := analysis.State{Decision: d, Metrics: []analysis.MetricState{{State: verdict.State{Metric: "errors", Outcome: outcome, Passed: 7}}}}
		require.NoError(b.t, b.CompleteActivity(b.cluster.tokens[n-1], analysis.Result{Decision: d, State: state}, nil))
	})
}

// metrics is an analysis of one metric.
func metrics() *config.Analysis {
	return &config.Analysis{Metrics: []config.Metric{{Name: "errors", OnFail: config.FailureRollback}}}
}

// byMetrics is the seed's document with steps that metrics alone promote.
func byMetrics() config.Rollout {
	doc := seed()
	for i := range doc.Steps {
		doc.Steps[i].Hold, doc.Steps[i].Analysis = config.Hold{Mode: config.HoldNone}, metrics()
	}
	return doc
}

// preparedOps is the same operations after the metrics were prepared.
func preparedOps(ops []string) []string {
	return append([]string{ops[0], "prepare metrics"}, ops[1:]...)
}

// told says that the timeline has a line with a text.
func told(s workflows.Status, text string) bool {
	for _, e := range s.Timeline {
		if strings.Contains(e.Text, text) {
			return true
		}
	}
	return false
}
