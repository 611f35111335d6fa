package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/standin"
	"sluice.dev/sluice/workflows"
)

// guarded is a server of the document behind the guard, with a tenant and what
// else is said.
func guarded(name, tenant, more string) string {
	return fmt.Sprintf("{name: %s, address: %q, headers: {X-Scope-OrgID: %s}, %s}", name, harness.GuardURL, tenant, more)
}

// shared is a template in a ConfigMap.
const shared = `apiVersion: sluice.dev/v1alpha1
kind: MetricTemplate
metadata: {name: shared}
spec:
  query: 'sum(rate(http_requests_total{namespace="{{namespace}}",pod=~"{{pods}}"}[{{window}}]))'
  min: 0.01
`

// workAs gives the worker the rights of a manifest of deploy/rbac only, until the
// case is over.
func (r *rollout) workAs(manifest, account string) {
	r.t.Helper()
	kubeconfig, err := r.Identity(r.ctx, manifest, account)
	require.NoError(r.t, err)
	start := func(args ...string) {
		require.NoError(r.t, worker.Kill())
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		worker, err = r.StartWorker(ctx, args...)
		require.NoError(r.t, err)
	}
	start("--kubeconfig", kubeconfig)
	r.t.Cleanup(func() { start() })
}

// allowMetrics gives the worker the right to read what metrics name.
func (r *rollout) allowMetrics() {
	r.t.Helper()
	root, err := sandbox.Root()
	require.NoError(r.t, err)
	require.NoError(r.t, r.Sandbox.ApplyFile(r.ctx, r.namespace, filepath.Join(filepath.Dir(root), "deploy", "rbac", "metrics.yaml")))
}

// TestMetricsOfSeveralServers measures at the sandbox's Prometheus and at servers
// that ask for a password, a token and a tenant; what is not let in, has no data
// or only observes decides nothing, and what has no data yet is waited for. The
// worker has the rights of deploy/rbac only, and says which one is missing.
func TestMetricsOfSeveralServers(t *testing.T) {
	r := newRollout(t)
	credentials := standin.Credentials{Username: "sluice", Password: "open sesame", Token: "abc123", Tenant: "shop"}
	s := r.standIn(credentials)
	r.workAs("worker.yaml", "sluice-worker")
	_, err := r.Kube.CoreV1().ConfigMaps(r.namespace).Create(r.ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "sluice-metrics"}, Data: map[string]string{"any": shared},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = r.Kube.CoreV1().Secrets(r.namespace).Create(r.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "sluice-metrics"},
		StringData: map[string]string{"password": credentials.Password + "\n", "token": credentials.Token, "wrong": "guess", "ca.crt": string(s.CA)},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	for name, text := range map[string]string{"token": credentials.Token + "\n", "ca.crt": string(s.CA)} {
		require.NoError(t, os.WriteFile(filepath.Join(r.Credentials(), name), []byte(text), 0o600))
	}
	const secretCA, fileCA = "tls: {ca: {secret: sluice-metrics, key: ca.crt}}", "tls: {ca: {file: ca.crt}}"
	const observed = pace + ", limits: {consecutiveErrors: 2, consecutiveNoData: 2}, "
	rate := func(name, policy string) string {
		return fmt.Sprintf("{template: app/request-rate, name: %s, server: %s, %s%s}", name, name, observed, policy)
	}
	r.startMeasured(document{
		servers: []string{
			guarded("basic", "shop", "basicAuth: {username: sluice, password: {secret: sluice-metrics, key: password}}, "+secretCA),
			guarded("bearer", "shop", "bearerToken: {secret: sluice-metrics, key: token}, "+secretCA),
			guarded("file", "shop", "bearerToken: {file: token}, "+fileCA),
			guarded("stranger", "shop", "basicAuth: {username: sluice, password: {secret: sluice-metrics, key: wrong}}, "+secretCA),
			guarded("tenant", "other", "bearerToken: {secret: sluice-metrics, key: token}, "+secretCA),
			guarded("unproven", "shop", "bearerToken: {secret: sluice-metrics, key: token}"),
		},
		steps: []measuredStep{{route: "traffic: 30%", metrics: []string{
			rate("main", "onFail: pause"), rate("basic", "onFail: pause"), rate("bearer", "onFail: pause"), rate("file", "onFail: pause"),
			rate("stranger", "onError: ignore"), rate("tenant", "onError: ignore"), rate("unproven", "onError: ignore"),
			"{name: nothing, query: sum(nothing_of_the_kind), max: 1, " + observed + "onNoData: ignore}",
			"{name: observed, query: vector(5), max: 1, " + observed + "dryRun: true}",
			"{configMap: sluice-metrics, template: shared, " + pace + "}",
			`{name: late, query: 'max(up{pod="late"})', min: 0, ` + observed + "onNoData: wait}",
		}}},
	})
	require.NoError(t, harness.Await(r.ctx, "the right that is missing is told", func(ctx context.Context) (bool, error) {
		out, err := r.Sluice(ctx, r.namespace, "status", harness.Demo)
		return strings.Contains(strings.Join(strings.Fields(out.Stdout), " "), "grant get on the ConfigMap sluice-metrics"), err
	}))
	r.allowMetrics()
	require.NoError(t, harness.Await(r.ctx, "only what is late is waited for", r.analysing(func(a workflows.AnalysisStatus) bool {
		o := outcomes(a)
		return o["late"] == verdict.NoData && o["file"] == verdict.Pass && o["unproven"] == verdict.Error && o["nothing"] == verdict.NoData
	})))
	require.Equal(t, workflows.PhaseHolding, r.await(workflows.PhaseHolding, 1).Phase)
	require.NoError(t, s.Scrape(r.Bed, "late", false, harness.Target{
		Targets: []string{"192.0.2.60:9100"}, Labels: map[string]string{"__metrics_path__": "/kube", "pod": "late"},
	}))
	status := r.await(workflows.PhasePromoted, 0)
	require.Empty(t, status.Decisions, "no person")
	require.Equal(t, map[string]verdict.Outcome{
		"main": verdict.Pass, "basic": verdict.Pass, "bearer": verdict.Pass, "file": verdict.Pass, "late": verdict.Pass, "shared": verdict.Pass,
		"stranger": verdict.Error, "tenant": verdict.Error, "unproven": verdict.Error, "nothing": verdict.NoData, "observed": verdict.Fail,
	}, outcomes(status.Analyses[0]))
	for name, reason := range map[string]string{
		"stranger": "answered 401 Unauthorized", "tenant": "answered 401 Unauthorized", "unproven": "certificate", "nothing": "no series",
	} {
		for _, m := range status.Analyses[0].State.Metrics {
			if m.Metric == name {
				require.Contains(t, m.Reason, reason, name)
			}
		}
	}
	var told strings.Builder
	for _, e := range status.Timeline {
		fmt.Fprintln(&told, e.Text)
	}
	for _, name := range []string{"stranger", "tenant", "unproven"} {
		require.Contains(t, told.String(), "warning: metrics cannot be read now: Prometheus "+name+": ", "before anything was touched")
	}
	r.finish()
	r.restored("v2")
}

// TestMetricsBesideTheRollout watches a rollout from its second step on: a verdict
// pauses it, a person overrides that step only, and ends the analysis only by
// saying so.
func TestMetricsBesideTheRollout(t *testing.T) {
	r := newRollout(t)
	env, turn := r.turningBad()
	quiet := []string{"{template: app/request-rate, " + pace + "}"}
	r.startMeasured(document{
		from: 2, whole: []string{"{template: app/success-rate, name: errors, " + pace + ", test: {margin: {ratio: 2, delta: 0.05}}, onFail: pause}"},
		steps: []measuredStep{
			{route: "traffic: 20%", metrics: quiet},
			{route: "traffic: 30%", hold: "approval", metrics: quiet},
			{route: "traffic: 50%", hold: "approval", metrics: quiet},
		},
	}, env...)
	r.await(workflows.PhaseHolding, 2)
	require.NoError(t, harness.Await(r.ctx, "the rollout's metrics are measured", r.analysing(beside)))
	s := r.await(workflows.PhaseHolding, 2)
	for _, a := range s.Analyses {
		require.False(t, beside(a) && a.Step < 2, "it begins with step 2")
	}
	turn()
	for _, step := range []int{2, 3} {
		s = r.await(workflows.PhaseStuck, step)
		require.Contains(t, s.Failure, "the rollout's metrics: errors: canary is worse")
		args := []string{"promote", harness.Demo, "--reason", "known"}
		if step == 3 {
			args = append(args, "--skip-analysis")
		}
		r.sluice(args...)
	}
	s = r.await(workflows.PhasePromoted, 0)
	require.Len(t, s.Decisions, 2)
	for _, d := range s.Decisions {
		require.Equal(t, "known", d.Reason)
	}
	report, err := r.load.Finish(r.ctx)
	require.NoError(t, err)
	require.Zero(t, report.Whole.TransportErrors, "%v", report.Whole.Examples)
	require.Equal(t, report.Whole.Statuses[500], report.Whole.Lost(), "lost by the rollout: %v", report.Whole.Examples)
	after, err := r.Snapshot(r.ctx, r.namespace)
	require.NoError(t, err)
	require.NotContains(t, after, "Service demo-canary")
}

// beside says that an analysis is that of the whole rollout.
func beside(a workflows.AnalysisStatus) bool { return a.Where == "the rollout's metrics" }
