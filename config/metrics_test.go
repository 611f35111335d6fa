package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config/expression"
)

// measuredDocument decides by metrics wherever that is possible.
const measuredDocument = `apiVersion: sluice.dev/v1alpha1
kind: MetricTemplate
metadata: {name: checkout}
spec:
  args: {path: /checkout}
  query: sum(rate(http_requests_total{namespace="{{namespace}}",pod=~"{{pods}}",path="{{path}}",code=~"5.."}[{{window}}]))
  max: 0.5
---
apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  onFailure: rollback
  prometheus:
  - name: main
    address: http://prometheus.monitoring:9090
    headers: {X-Scope-OrgID: shop}
    bearerToken: {secret: prom, key: token}
  - name: other
    address: https://thanos.monitoring
    timeout: 10s
    maxBytes: 65536
    basicAuth: {username: sluice, password: {file: thanos/password}}
    tls: {ca: {secret: thanos, key: ca.crt}, serverName: thanos}
  analysis:
    startingStep: 2
    metrics:
    - template: app/success-rate
  strategy:
    canary:
      steps:
      - traffic: 10%
        replicas: 2
        analysis:
          metrics:
          - template: app/success-rate
            name: errors
            minRequests: 200
            test: {falseAlarm: 0.001, margin: {ratio: 3, delta: 0.001}}
          - template: checkout
            args: {path: /pay}
            server: other
            interval: 10s
            duration: 65s
            limits: {consecutiveFailures: 1, errors: 9}
            onFail: pause
            onNoData: ignore
          - name: memory
            query: max(container_memory_working_set_bytes{pod=~"{{pods}}"})
            condition: ratio < 1.2 || value < 1000000.0
            count: 3
            dryRun: true
      - traffic: 50%
        replicas: 3
        hold: approval
        analysis:
          metrics:
          - {template: checkout, configMap: shared}
      bake:
        duration: 15m
        analysis:
          metrics:
          - template: app/success-rate
            test: {bound: 0.01}
      trafficRoutings:
      - service: web
        ingress: {name: web}
`

func TestMeasuredDocument(t *testing.T) {
	r, err := ParseOne([]byte(measuredDocument), Options{})
	require.NoError(t, err)
	require.True(t, r.Measured())

	require.Equal(t, HoldNone, r.Steps[0].Hold.Mode, "metrics alone decide")
	failures, checkout, memory := r.Steps[0].Analysis.Metrics[0], r.Steps[0].Analysis.Metrics[1], r.Steps[0].Analysis.Metrics[2]
	require.Equal(t, "errors", failures.Name)
	require.True(t, failures.Counts())
	require.Equal(t, Test{FalseAlarm: 0.001, Tolerance: Worse{Ratio: 1}, Margin: Worse{Ratio: 3, Delta: 0.001}}, *failures.Test)
	require.InDelta(t, 200, failures.MinRequests, 0)
	require.Equal(t, DefaultInterval, failures.Interval)
	require.Equal(t, Duration(time.Minute), failures.Window)
	require.Equal(t, DefaultCount, failures.Count)
	require.Equal(t, FailureRollback, failures.OnFail, "as the document says")

	require.Equal(t, "checkout", checkout.Name)
	require.Equal(t, map[string]string{"path": "/pay"}, checkout.Args)
	require.Equal(t, 7, checkout.Count, "65 s of samples every 10 s")
	require.Equal(t, Limits{ConsecutiveFailures: 1, ConsecutiveErrors: DefaultErrors, Errors: 9, ConsecutiveNoData: DefaultEmpty}, checkout.Limits)
	require.Equal(t, FailurePause, checkout.OnFail)
	require.Equal(t, GapIgnore, checkout.OnNoData)
	require.Equal(t, GapWait, checkout.OnError)
	require.True(t, memory.DryRun)

	require.Equal(t, HoldApproval, r.Steps[1].Hold.Mode)
	require.Equal(t, "shared", r.Steps[1].Analysis.Pending[0].ConfigMap)
	require.Equal(t, 2, r.Analysis.StartingStep)
	require.Equal(t, Duration(15*time.Minute), r.Bake.Duration)

	server, ok := r.Server(checkout)
	require.True(t, ok)
	require.Equal(t, "other", server.Name)
	server, _ = r.Server(failures)
	require.Equal(t, "main", server.Name, "the first")
}

func TestMeasuredDocumentRendered(t *testing.T) {
	r, err := ParseOne([]byte(measuredDocument), Options{})
	require.NoError(t, err)
	text, err := Render(r)
	require.NoError(t, err)
	again, err := ParseOne(text, Options{})
	require.NoError(t, err)
	again.Steps[1].Analysis.Pending[0].Path = r.Steps[1].Analysis.Pending[0].Path
	require.Equal(t, r, again)
}

func TestResolve(t *testing.T) {
	r, err := ParseOne([]byte(measuredDocument), Options{Namespace: "shop"})
	require.NoError(t, err)
	template := strings.Split(measuredDocument, "---")[0]
	read := func(data map[string]string) func(string) (map[string]string, error) {
		return func(name string) (map[string]string, error) {
			require.Equal(t, "shared", name)
			return data, nil
		}
	}
	full, err := Resolve(r, read(map[string]string{"any.yaml": template}))
	require.NoError(t, err)
	require.Empty(t, full.Steps[1].Analysis.Pending)
	require.Equal(t, "checkout", full.Steps[1].Analysis.Metrics[0].Name)
	require.NotEmpty(t, r.Steps[1].Analysis.Pending, "what was given stays")

	for data, problem := range map[string]string{
		"":                 `has no MetricTemplate "checkout"`,
		"kind: Deployment": "only MetricTemplate documents are accepted here",
		strings.Replace(template, "max: 0.5", "max: high", 1):             "must be a number",
		strings.Replace(template, "sum(rate", "sun(rate", 1):              "not valid PromQL",
		strings.Replace(template, "name: checkout", "name: somewhere", 1): `has no MetricTemplate "checkout"`,
	} {
		_, err := Resolve(r, read(map[string]string{"any.yaml": data}))
		require.ErrorContains(t, err, problem)
	}
	bake := *r.Steps[1].Analysis
	baked := r
	baked.Bake = &Bake{Duration: r.Bake.Duration, Analysis: &bake}
	_, err = Resolve(baked, read(map[string]string{"any.yaml": template}))
	require.NoError(t, err)
	_, err = Resolve(baked, read(map[string]string{"any.yaml": strings.Replace(template, "max: 0.5", "maxRatio: 2", 1)}))
	require.ErrorContains(t, err, "spec.strategy.canary.bake.analysis: metric checkout compares with stable, which has no requests during the bake (found checkout); write test.bound, max or min")
	var many []string
	for i := range 31 {
		many = append(many, strings.Replace(template, "name: checkout", fmt.Sprintf("name: checkout-%d", i), 1))
	}
	all := r
	all.Steps = slices.Clone(r.Steps)
	all.Steps[1].Analysis = &Analysis{Pending: []PendingMetric{{ConfigMap: "shared"}}}
	_, err = Resolve(all, read(map[string]string{"any.yaml": strings.Join(many, "---\n")}))
	require.ErrorContains(t, err, "spec.strategy.canary.steps[1].analysis.metrics: there are 31 metrics; write at most 30")
	_, err = Resolve(r, func(string) (map[string]string, error) { return nil, errors.New("not found") })
	require.ErrorContains(t, err, "spec.strategy.canary.steps[1].analysis.metrics[0]: not found (found shared)")
}

func TestKruiseDocumentNamesMetrics(t *testing.T) {
	document := `apiVersion: rollouts.kruise.io/v1alpha1
kind: Rollout
metadata:
  name: web
  annotations:
    sluice.dev/analysis: app/success-rate, configmap/shared
    sluice.dev/prometheus: http://prometheus.monitoring:9090
spec:
  objectRef:
    workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  strategy:
    canary:
      steps:
      - weight: 10
        replicas: 1
      - weight: 30
        pause: {}
      - weight: 60
        pause: {duration: 60}
      trafficRoutings:
      - service: web
        ingress: {name: web}
`
	r, err := ParseOne([]byte(document), Options{})
	require.NoError(t, err)
	require.Equal(t, "http://prometheus.monitoring:9090", r.Prometheus[0].Address)
	for i, mode := range []HoldMode{HoldNone, HoldApproval, HoldTimed} {
		require.Equal(t, mode, r.Steps[i].Hold.Mode, "step %d", i+1)
		require.Equal(t, "app-success-rate", r.Steps[i].Analysis.Metrics[0].Name)
		require.Equal(t, "shared", r.Steps[i].Analysis.Pending[0].ConfigMap)
	}
	_, err = ParseOne([]byte(strings.Replace(document, "app/success-rate", "app/sucess-rate", 1)), Options{})
	require.ErrorContains(t, err, `metadata.annotations["sluice.dev/analysis"]`)
	require.ErrorContains(t, err, `did you mean "app/success-rate"?`)
	_, err = ParseOne([]byte(strings.Replace(document, "http://prom", "prom", 1)), Options{})
	require.ErrorContains(t, err, `metadata.annotations["sluice.dev/prometheus"]: not an address`)
}

func TestWrongMetrics(t *testing.T) {
	tests := map[string]struct{ old, new, problem string }{
		"unknown template":       {"template: app/success-rate\n            name: errors", "template: app/succes-rate\n            name: errors", `did you mean "app/success-rate"?`},
		"unknown server":         {"server: other", "server: othr", `no server has the name "othr" (found "othr"); did you mean "other"?`},
		"unknown variable":       {"{{window}}", "{{windw}}", `unknown variable windw; did you mean "window"?`},
		"wrong PromQL":           {"max(container", "max((container", "not valid PromQL"},
		"range instead of value": {"max(container_memory_working_set_bytes{pod=~\"{{pods}}\"})", "up[5m]", "the query has the type range vector"},
		"wrong CEL":              {"ratio < 1.2 ||", "ration < 1.2 ||", "undeclared reference to 'ration'"},
		"CEL of another type":    {"ratio < 1.2 || value < 1000000.0", "value + 1.0", "the condition is a double"},
		"nothing is good":        {"  max: 0.5\n", "", "nothing says what is good"},
		"count and duration":     {"duration: 65s", "duration: 65s\n            count: 3", "a metric has either count or duration"},
		"short interval":         {"interval: 10s", "interval: 10ms", "shorter than a second"},
		"bad policy":             {"onNoData: ignore", "onNoData: pass", "unknown policy (found \"pass\"); write wait, pause, rollback, ignore"},
		"bad false alarm":        {"falseAlarm: 0.001", "falseAlarm: 1", "above 0 and below 0.5"},
		"margin is tolerated":    {"margin: {ratio: 3, delta: 0.001}", "margin: {ratio: 1}", "the margin must be above the tolerance"},
		"argument is known":      {"args: {path: /pay}", "args: {pods: x}", "every query has this variable already"},
		"same name twice":        {"name: memory", "name: errors", `two metrics have the name "errors"`},
		"bake compares":          {"test: {bound: 0.01}", "interval: 30s", "which has no requests during the bake"},
		"bake compares by CEL":   {"test: {bound: 0.01}", "condition: ratio < 2.0", "which has no requests during the bake"},
		"bake without time":      {"duration: 15m\n", "duration: 0s\n", "a bake needs a time"},
		"starting step":          {"startingStep: 2", "startingStep: 9", "there is no such step"},
		"secret in a header":     {"headers: {X-Scope-OrgID: shop}", "headers: {Authorization: x}", "a document is no place for a secret"},
		"two credentials":        {"{secret: prom, key: token}", "{secret: prom, key: token, file: x}", "either in a file or in a Secret"},
		"address of a page":      {"http://prometheus.monitoring:9090", "http://prometheus.monitoring:9090/api/v1/query", "leave out what begins with /api"},
		"not a number":           {"max: 0.5", "max: .inf", "must be a number"},
		"unknown field":          {"minRequests: 200", "minRequest: 200", `did you mean "minRequests"?`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, measuredDocument, test.old)
			_, err := Parse([]byte(strings.Replace(measuredDocument, test.old, test.new, 1)), Options{})
			require.ErrorContains(t, err, test.problem)
		})
	}
}

func TestStepOfDryRunsAlone(t *testing.T) {
	document := edit(t, ownDocument, "traffic: 20%", "traffic: 20%\n        analysis: {metrics: [{template: app/success-rate, dryRun: true}]}")
	_, err := Parse([]byte(document), Options{})
	require.ErrorContains(t, err, "spec.strategy.canary.steps[1].analysis: every metric is a dry run")
	_, err = Parse([]byte(edit(t, document, "traffic: 20%", "traffic: 20%\n        hold: approval")), Options{})
	require.NoError(t, err)
}

// TestReadyTemplates parses every template that comes with Sluice.
func TestReadyTemplates(t *testing.T) {
	names := ReadyTemplates()
	require.Len(t, names, 4*7+3)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			document := strings.Replace(measuredDocument, "- template: app/success-rate\n  strategy", "- template: "+name+"\n  strategy", 1)
			r, err := ParseOne([]byte(document), Options{})
			require.NoError(t, err)
			m := r.Analysis.Metrics[0]
			require.Equal(t, strings.ReplaceAll(name, "/", "-"), m.Name)
			require.NotEmpty(t, m.Requests, "minRequests can be written")
			if !m.Counts() {
				for _, query := range []string{m.Query, m.Requests} {
					filled, err := expression.Fill(query, exampleOf(m))
					require.NoError(t, err)
					require.False(t, expression.ReadsLatest(filled), "old samples would pass")
				}
			}
			if strings.Contains(name, "/latency-p") || strings.HasSuffix(name, "-burn") {
				require.Positive(t, m.MinRequests)
			}
		})
	}
}

func TestFindingsAboutMetrics(t *testing.T) {
	r, err := ParseOne([]byte(strings.Replace(measuredDocument, `query: max(container_memory_working_set_bytes{pod=~"{{pods}}"})`, "query: max(container_memory_working_set_bytes)", 1)), Options{})
	require.NoError(t, err)
	var all []string
	for _, f := range Warnings(r, 0) {
		all = append(all, string(f.Severity)+" "+f.Path+": "+f.Problem)
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{
		"info spec.strategy.canary.steps[0].analysis: the metrics alone promote this step",
		"info spec.strategy.canary.steps[1].analysis: the metrics have to hold while the step waits, and a person promotes it",
		"warning spec.strategy.canary.steps[0].analysis.metrics[1]: metric checkout is left out where it cannot be measured",
		"warning spec.strategy.canary.steps[0].analysis.metrics[2]: metric memory compares canary with stable, but its queries are the same for both",
		"warning spec.strategy.canary.steps[0].analysis.metrics[2].query: metric memory reads the latest samples, which may be 5 minutes old",
	} {
		require.Contains(t, text, want)
	}
}

// TestFindingsAboutFullSteps: what compares with stable has nothing to compare
// with where canary has all requests.
func TestFindingsAboutFullSteps(t *testing.T) {
	const test, ratio, bound = "{template: app/success-rate}", "{template: app/latency-p95}", "{template: app/success-rate, test: {bound: 0.01}}"
	const never = "it has no data there, and does not pass"
	tests := map[string]struct {
		whole, first, second, bake string
		from                       string
		want                       []string
	}{
		"step, test":          {first: test, second: test, want: []string{"warning spec.strategy.canary.steps[1].analysis.metrics[0]: metric app-success-rate compares with stable, which has no requests in step 2: " + never}},
		"step, ratio":         {second: ratio, want: []string{"metric app-latency-p95 compares with stable, which has no requests in step 2: " + never}},
		"step, bound":         {second: bound},
		"whole, test":         {whole: test, want: []string{"info spec.analysis.metrics[0]: metric app-success-rate compares with stable, which has no requests in step 2: it judges canary by what stable did before"}},
		"whole, ratio":        {whole: ratio, want: []string{"warning spec.analysis.metrics[0]: metric app-latency-p95 compares with stable, which has no requests in step 2: it has no data then, and guards nothing"}},
		"whole, from then on": {whole: test, from: "2", want: []string{"warning spec.analysis.metrics[0]: metric app-success-rate compares with stable, which has no requests in step 2: it has no data then"}},
		"whole, bound":        {whole: bound},
		"bake, test":          {whole: test, bake: "{duration: 15m}", want: []string{"info spec.analysis", "warning spec.strategy.canary.bake: every metric compares with stable"}},
		"bake, bound beside":  {whole: test, bake: "{duration: 15m, analysis: {metrics: [" + bound + "]}}", want: []string{"info spec.analysis"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			document := fullDocument
			for mark, text := range map[string]string{"WHOLE": test.whole, "FIRST": test.first, "SECOND": test.second} {
				analysis := ""
				if text != "" {
					analysis = "analysis: {metrics: [" + text + "], startingStep: " + test.from + "}"
					if mark != "WHOLE" || test.from == "" {
						analysis = "analysis: {metrics: [" + text + "]}"
					}
				}
				document = strings.Replace(document, mark, analysis, 1)
			}
			if test.bake != "" {
				test.bake = "bake: " + test.bake
			}
			r, err := ParseOne([]byte(strings.Replace(document, "BAKE", test.bake, 1)), Options{})
			require.NoError(t, err)
			var found []string
			for _, f := range Warnings(r, 0) {
				if strings.Contains(f.Problem, "with stable") {
					found = append(found, string(f.Severity)+" "+f.Path+": "+f.Problem)
				}
			}
			require.Len(t, found, len(test.want), "%s", strings.Join(found, "\n"))
			for i, want := range test.want {
				require.Contains(t, found[i], want)
			}
		})
	}
}

const fullDocument = `apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  WHOLE
  strategy:
    canary:
      trafficRoutings: [{service: web, ingress: {name: web}}]
      steps:
      - traffic: 50%
        replicas: 3
        FIRST
      - traffic: 100%
        replicas: 5
        SECOND
      BAKE
`

func TestServerAtAnotherAddress(t *testing.T) {
	file := func(name string) *Credential { return &Credential{File: name} }
	server := Prometheus{
		Name: "main", Address: "https://prometheus", Headers: map[string]string{"X-Scope-OrgID": "shop"},
		Username: "ann", Password: file("password"), TLS: &TLS{CA: file("ca"), Cert: file("cert"), PrivateKey: file("key"), ServerName: "prometheus"},
	}
	require.True(t, server.Authenticated())
	near := server.At("https://localhost:9090", false)
	require.Equal(t, Prometheus{
		Name: "main", Address: "https://localhost:9090", Headers: server.Headers, TLS: &TLS{CA: file("ca"), ServerName: "prometheus"},
	}, near)
	require.False(t, near.Authenticated())
	require.Nil(t, server.At("http://localhost:9090", true).TLS)
	near = server.At("https://localhost:9090", true)
	require.Equal(t, server.TLS, near.TLS)
	require.Equal(t, server.Password, near.Password)
	require.Equal(t, "https://prometheus", server.Address, "what was given stays")
}
