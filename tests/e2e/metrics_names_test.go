package e2e

import (
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

// limited gives the containers limits, which kube/cpu and kube/memory compare
// with.
const limited = `{"spec":{"template":{"spec":{"containers":[{"name":"main","resources":{"limits":{"cpu":"1","memory":"256Mi"},"requests":{"cpu":"1m","memory":"1Mi"}}}]}}}}`

// margin is that of a test that needs few requests.
const margin = pace + ", test: {margin: {ratio: 2, delta: 0.05}}, onFail: rollback"

// ofGateway are all templates of a gateway.
func ofGateway(name string) []string {
	return []string{
		"{template: " + name + "/success-rate, " + margin + "}", "{template: " + name + "/latency, " + margin + "}",
		"{template: " + name + "/latency-p50, " + pace + ", maxRatio: 20}", "{template: " + name + "/latency-p95, " + slowest, "{template: " + name + "/latency-p99, " + slowest,
		"{template: " + name + "/request-rate, " + pace + "}", "{template: " + name + "/error-budget-burn, " + pace + ", minRequests: 1}",
	}
}

// TestMetricsUnderOtherNames decides by the names that ingress-nginx, Higress,
// Envoy, cAdvisor and kube-state-metrics give to what the gateway and the pods of
// the sandbox have really counted: a version that is good passes all of them, and
// when it turns bad, it returns.
func TestMetricsUnderOtherNames(t *testing.T) {
	r := newRolloutOf(t, limited)
	require.NoError(t, r.standIn(standin.Credentials{}).ScrapeNames(r.Bed))
	env, turn := r.turningBad()
	own := "args: {requestsMetric: envoy_cluster_upstream_rq_xx, clusterLabel: envoy_cluster_name, codeLabel: envoy_response_code_class}"
	r.startMeasured(document{steps: []measuredStep{
		{route: "traffic: 30%", metrics: append(ofGateway("ingress-nginx"),
			"{template: kube/cpu, "+pace+"}", "{template: kube/memory, "+pace+"}", "{template: kube/restarts, "+pace+"}")},
		{route: "traffic: 50%", hold: "approval", metrics: append(ofGateway("higress"),
			"{template: higress/success-rate, name: envoy, "+own+", "+pace+", test: {margin: {ratio: 2, delta: 0.05}}, dryRun: true}",
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
