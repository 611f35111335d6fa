package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox/standin"
	"sluice.dev/sluice/workflows"
)

// standIn starts what shows the gateway's numbers under other names and guards
// Prometheus.
func (r *rollout) standIn(credentials standin.Credentials) *harness.StandIn {
	r.t.Helper()
	s, err := r.StartStandIn(r.ctx, r.namespace, credentials)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { require.NoError(r.t, s.Stop()) })
	return s
}

// margin is that of a test that needs few requests.
const margin = pace + ", test: {margin: {ratio: 2, delta: 0.05}}, onFail: rollback"

// ofGateway are all templates of a gateway.
func ofGateway(name string) []string {
	return []string{
		"{template: " + name + "/success-rate, " + margin + "}", "{template: " + name + "/latency, " + margin + "}",
		"{template: " + name + "/latency-p50, " + longer + "}", "{template: " + name + "/latency-p95, " + even, "{template: " + name + "/latency-p99, " + even,
		"{template: " + name + "/request-rate, " + pace + "}", "{template: " + name + "/error-budget-burn, " + pace + "}",
	}
}

// ownNames are those of an Envoy that Istio did not configure.
const ownNames = "args: {requestsMetric: envoy_cluster_upstream_rq_xx, clusterLabel: envoy_cluster_name, codeLabel: envoy_response_code_class}"

// TestMetricsUnderOtherNames decides by the names that ingress-nginx, Higress,
// Envoy, cAdvisor and kube-state-metrics give to what the gateway and the pods of
// the sandbox have really counted: a version that is good passes all of them, and
// when it turns bad, it returns.
func TestMetricsUnderOtherNames(t *testing.T) {
	r := newRolloutOf(t, steady)
	require.NoError(t, r.standIn(standin.Credentials{}).ScrapeNames(r.Bed))
	env, turn := r.turningBad()
	r.startMeasured(document{steps: []measuredStep{
		{route: "traffic: 30%", metrics: append(ofGateway("ingress-nginx"),
			"{template: kube/cpu, "+pace+"}", "{template: kube/memory, "+pace+"}", "{template: kube/restarts, "+pace+"}")},
		{route: "traffic: 50%", hold: "approval", metrics: append(ofGateway("higress"),
			"{template: higress/success-rate, name: envoy, "+ownNames+", "+pace+", test: {margin: {ratio: 2, delta: 0.05}}, dryRun: true}",
			"{template: ingress-nginx/success-rate, name: nginx, "+pace+", test: {margin: {ratio: 2, delta: 0.05}}, dryRun: true}")},
	}}, env...)
	r.await(workflows.PhaseHolding, 2)
	r.passedAll(2)
	turn()
	s := r.returnedBy("the metrics of step 2: higress-success-rate: canary is worse")
	first := outcomes(s.Analyses[0])
	require.Len(t, first, 10)
	for name, outcome := range first {
		require.Equal(t, verdict.Pass, outcome, name)
	}
	last := s.Analyses[len(s.Analyses)-1].State.Metrics
	// All names count the same requests; Prometheus reads them one after the other.
	for _, name := range []string{"higress-success-rate", "envoy", "nginx"} {
		for _, m := range last {
			if m.Metric == name {
				require.Positive(t, m.Test.Canary.Bad, name)
				require.InDelta(t, last[0].Test.Canary.Requests, m.Test.Canary.Requests, 0.3*last[0].Test.Canary.Requests, name)
				require.Positive(t, m.Test.Stable.Requests, name)
				require.Zero(t, m.Test.Stable.Bad, "%s: other Services are none of ours", name)
			}
		}
	}
	r.finishBad(badVersion{about: "20 % of errors from step 2 on, weight 50 %, by the metrics of Higress"}, s)
	r.restored("v1")
}

// everyTemplate of some gateways with the limits that it comes with, only observed.
func everyTemplate(gateways ...string) []string {
	var all []string
	for _, gateway := range gateways {
		for _, what := range []string{"success-rate", "latency", "latency-p50", "latency-p95", "latency-p99", "error-budget-burn", "request-rate"} {
			all = append(all, fmt.Sprintf("{template: %s/%s, %s, dryRun: true}", gateway, what, pace))
		}
	}
	return all
}

// TestMetricsSeeEveryKindOfHarm shows a version that is bad in every way to all
// ready-made templates, which only observe: it fails, is slow, wastes CPU and
// memory, crashes, and in the end nobody asks for it any more.
func TestMetricsSeeEveryKindOfHarm(t *testing.T) {
	r := newRolloutUnder(t, steady, harness.LoadOptions{Clients: 48})
	require.NoError(t, r.standIn(standin.Credentials{}).ScrapeNames(r.Bed))
	r.startMeasured(document{
		whole: append(everyTemplate("ingress-nginx", "higress"), "{template: higress/success-rate, name: envoy, "+ownNames+", "+pace+", dryRun: true}"),
		steps: []measuredStep{{route: "traffic: 50%", hold: "approval", metrics: append(everyTemplate("app", "traefik"),
			"{template: kube/cpu, "+pace+", dryRun: true}", "{template: kube/memory, "+pace+", dryRun: true}", "{template: kube/restarts, "+pace+", dryRun: true}")}},
	}, "FAIL_SHARE=0.2", "LATENCY=400ms", "LATENCY_SHARE=0.7", "BURN_CPU=0.3", "HOLD_MEMORY=64", "CRASH_AFTER=40s")
	const late, last = "kube-restarts", "-request-rate"
	r.failing(func(name string) bool { return name != late && !strings.HasSuffix(name, last) })
	r.failing(func(name string) bool { return !strings.HasSuffix(name, last) })
	_, err := r.load.Finish(r.ctx)
	require.NoError(t, err)
	r.failing(func(string) bool { return true })
	s := r.await(workflows.PhaseHolding, 1)
	require.Empty(t, s.Decisions, "what only observes decides nothing")
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	r.restored("v1")
}

// failing waits until the verdict on all metrics of the step and of the whole
// rollout that are meant is Fail.
func (r *rollout) failing(meant func(metric string) bool) {
	r.t.Helper()
	for _, whole := range []bool{true, false} {
		var left []string
		err := harness.Await(r.ctx, "the verdicts are Fail", r.analysing(func(a workflows.AnalysisStatus) bool {
			if beside(a) != whole {
				return false
			}
			left = nil
			for _, m := range a.State.Metrics {
				if meant(m.Metric) && m.Outcome != verdict.Fail {
					left = append(left, fmt.Sprintf("%s: %s (%s)", m.Metric, m.Outcome, m.Reason))
				}
			}
			return len(a.State.Metrics) > 0 && len(left) == 0
		}))
		require.NoError(r.t, err, "left: %v", left)
	}
}
