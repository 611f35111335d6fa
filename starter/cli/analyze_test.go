package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/settings"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/starter/preview"
	"sluice.dev/sluice/workflows"
)

// fakeMetrics measures without settings.
type fakeMetrics struct{ credentials string }

func (f fakeMetrics) Measurer(_ context.Context, _ *pflag.FlagSet, doc config.Rollout) (*analysis.Activities, config.Rollout, error) {
	return &analysis.Activities{Default: settings.Prometheus{}.Server(), Credentials: f.credentials}, doc, nil
}

func (fakeMetrics) Templates(ctx context.Context, _ *pflag.FlagSet, manifests []byte, doc config.Rollout) (config.Rollout, []string, error) {
	if manifests == nil {
		return doc, nil, nil
	}
	return preview.TemplatesOfManifests(ctx, manifests, doc)
}

// prometheus answers every query with a value.
func prometheus(t *testing.T, value string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,%q]}]}}`, value)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAnalyze(t *testing.T) {
	tests := map[string]struct {
		value string
		code  int
		want  []string
	}{
		"good": {"0.2", 0, []string{"Measuring", "1 of 10 samples", `canary: sum(rate(http_requests_total{namespace="shop", pod=~"demo-canary-`}},
		"bad":  {"0.9", 1, []string{"the value is 0.9, above 0.5"}},
		"NaN":  {"NaN", 0, []string{"NaN"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			require.Equal(t, test.code, b.run("analyze", "testdata/measured.yaml", "--metric", "failures", "--server", prometheus(t, test.value)), b.err)
			for _, want := range test.want {
				require.Contains(t, strings.Join(strings.Fields(b.out), " "), want)
			}
		})
	}
}

// TestAnalyzeFailsByTheTest: a sample of counters passes, and all of them together
// do not.
func TestAnalyzeFailsByTheTest(t *testing.T) {
	for name, test := range map[string]struct {
		bad  float64
		want string
	}{"bad": {5, "the verdict is Fail"}, "good": {0, ""}} {
		t.Run(name, func(t *testing.T) {
			asked := 0.0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked++
				// All requests and the bad ones, of canary, then of stable.
				var series []string
				for part, grows := range []float64{50, test.bad, 50, 0} {
					series = append(series, fmt.Sprintf(`{"metric":{"sluice_part":"%d"},"value":[1,"%v"]}`, part, grows*asked))
				}
				fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, strings.Join(series, ","))
			}))
			defer server.Close()
			doc, err := config.ParseOne(read(t, "testdata/measured.yaml"), config.Options{})
			require.NoError(t, err)
			metric := doc.Steps[1].Analysis.Metrics[0]
			metric.Interval = config.Duration(time.Millisecond)
			measurer, _, err := fakeMetrics{}.Measurer(t.Context(), nil, doc)
			require.NoError(t, err)
			shell := &app{host: Host{Out: io.Discard, Env: os.LookupEnv, Terminal: func() (int, int, bool) { return 0, 0, false }}, format: formatJSON}
			err = (&analyzeOptions{samples: 10, server: server.URL}).measure(t.Context(), shell, measurer, doc, config.PlacedAnalysis{Analysis: doc.Steps[1].Analysis, Step: 2}, metric)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.want)
		})
	}
}

// TestAnalyzeAtAnotherAddress: it gets the tenant, and credentials if they are
// wanted there.
func TestAnalyzeAtAnotherAddress(t *testing.T) {
	document := strings.Replace(string(read(t, "testdata/measured.yaml")), "spec:\n", "spec:\n"+
		"  prometheus: [{name: main, address: 'https://prometheus.example', headers: {X-Scope-OrgID: shop}, basicAuth: {username: ann, password: {file: password}}, tls: {ca: {file: ca}}}]\n", 1)
	dir := t.TempDir()
	file := filepath.Join(dir, "rollout.yaml")
	require.NoError(t, os.WriteFile(file, []byte(document), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "password"), []byte("secret"), 0o600))
	for name, test := range map[string]struct {
		args []string
		code int
		said string
	}{
		"without":      {nil, 1, "--credentials sends them"},
		"with":         {[]string{"--credentials"}, 0, ""},
		"without need": {[]string{"--credentials", "--server", ""}, 1, "--credentials: it is for --server"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				require.Equal(t, "shop", r.Header.Get("X-Scope-OrgID"))
				if username, password, _ := r.BasicAuth(); username != "ann" || password != "secret" {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0.1"]}]}}`)
			}))
			defer server.Close()
			b := newBench(t)
			b.metrics.credentials = dir
			code := b.run(append([]string{"analyze", file, "--metric", "failures", "--server", server.URL}, test.args...)...)
			require.Equal(t, test.code, code, b.out+b.err)
			require.Contains(t, b.err, test.said)
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return text
}

func TestAnalyzeNamesWhatIsWrong(t *testing.T) {
	for arguments, problem := range map[string]string{
		"analyze":                        "name the file with the Rollout document",
		"analyze testdata/measured.yaml": "--metric: the document has several: name one of failures, app-success-rate",
		"analyze testdata/measured.yaml --metric failure":              `did you mean "failures"?`,
		"analyze testdata/measured.yaml --metric failures":             "no Prometheus is known",
		"analyze testdata/measured.yaml --metric failures --samples 0": "take at least one",
		"analyze testdata/rollout.yaml --metric failures":              "the document has no metric",
	} {
		b := newBench(t)
		require.Equal(t, 1, b.run(strings.Fields(arguments)...), arguments)
		require.Contains(t, b.err, problem)
	}
}

func TestPlanShowsQueries(t *testing.T) {
	b := newBench(t)
	require.Zero(t, b.run("plan", "testdata/measured.yaml", "--image", "main=registry.example.com/shop/web:v2"), b.err)
	text := strings.Join(strings.Fields(b.out), " ")
	require.Contains(t, strings.Join(strings.Fields(b.out), ""), `pod=~"demo-canary-[^aeiou-]+-[^aeiou-]{5}"`, "long lines are broken")
	fits(t, b.out, 80)
	for _, want := range []string{
		"goes on when its metrics pass: failures",
		"the metrics alone promote the step",
		"the metrics have to hold while the step waits, and a person promotes",
		"stable requests: sum by (pod)",
		"Fail: rollback; NoData: wait; Error: wait",
		"bakes for 10m0s with the old revision kept ready",
	} {
		require.Contains(t, text, want)
	}
}

// TestPlanShowsQueriesOfConfigMaps: where the file of the workload has them.
func TestPlanShowsQueriesOfConfigMaps(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	document := write("rollout.yaml", strings.Replace(string(read(t, "testdata/measured.yaml")), "- template: app/success-rate\n      bake", "- {template: checkout, configMap: shared, args: {path: /pay}}\n      bake", 1))
	shared := `
---
apiVersion: v1
kind: ConfigMap
metadata: {name: shared, namespace: shop}
data:
  checkout: |
    apiVersion: sluice.dev/v1alpha1
    kind: MetricTemplate
    metadata: {name: checkout}
    spec:
      query: sum(rate(checkouts_total{namespace="{{namespace}}",pod=~"{{pods}}",path="{{path}}"}[{{window}}]))
      min: 1
`
	app := string(read(t, "testdata/app.yaml"))
	for name, test := range map[string]struct {
		manifests string
		code      int
		want      []string
	}{
		"there":     {app + shared, 0, []string{`checkout: value >= 1`, `canary: sum(rate(checkouts_total{namespace="shop",pod=~"demo-canary-`, `path="/pay"}[60s]))`}},
		"not there": {app, 0, []string{"the workload file has no ConfigMap shop/shared", "configmap/shared/checkout: as the ConfigMap says when the rollout begins"}},
		"wrong":     {app + strings.Replace(shared, "min: 1", "min: one", 1), 1, []string{"the metrics cannot be measured", "must be a number"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			code := b.run("plan", document, "--image", "main=registry.example.com/shop/web:v2", "--workload-file", write("app.yaml", test.manifests))
			require.Equal(t, test.code, code, b.err)
			for _, want := range test.want {
				require.Contains(t, strings.Join(strings.Fields(b.out+b.err), ""), strings.Join(strings.Fields(want), ""))
			}
		})
	}
}

// measuredStatus is a rollout whose second step is measured, after the first one
// has passed.
func measuredStatus() control.Status {
	s := holding()
	s.Message = "step 1 goes on when errors, slow pass; promote to go on now"
	s.Steps[0].Hold, s.Steps[0].Metrics = "metrics", "errors, slow"
	state := func(name string, outcome verdict.Outcome, reason string, values ...float64) analysis.MetricState {
		m := analysis.MetricState{State: verdict.State{Metric: name, Outcome: outcome, Reason: reason}}
		for i, v := range values {
			m.Samples = append(m.Samples, verdict.Sample{
				At: now.Add(time.Duration(i-len(values)) * 30 * time.Second), Outcome: verdict.Pass,
				Value: &v, Stable: new(0.002), Requests: new(300.0),
			})
		}
		return m
	}
	metrics := []analysis.MetricState{
		state("errors", verdict.Fail, "canary is worse: canary 42 of 1500 requests bad (2.8 %), stable 27 of 13500 requests bad (0.2 %); odds of 3.1e+06 to 1, 100 are enough",
			0.001, 0.004, 0.02, 0.05, 0.06),
		state("slow", verdict.Measuring, "5 of 10 samples, 0 of them failed; the last value is 0.12, of stable 0.11", 0.1, 0.11, 0.13, 0.1, 0.12),
	}
	s.Analyses = []workflows.AnalysisStatus{{
		Where: "the metrics of step 1", Step: 1, Since: now.Add(-2 * time.Minute), Running: true, Activity: "analysis-1",
		State: analysis.State{Metrics: metrics, Decision: verdict.Decision{Action: verdict.Rollback, Outcome: verdict.Fail, Metric: "errors"}},
	}}
	return s
}

func TestStatusShowsMetrics(t *testing.T) {
	b := newBench(t)
	b.control.status = measuredStatus()
	require.Zero(t, b.run("status", "web"), b.err)
	golden(t, "status-metrics", b.out)
	fits(t, b.out, 100)
}

// TestPictureOfTheDocs draws the picture of a verdict in the docs: that of a
// rollout on the sandbox, by the document of the page, as its status kept it.
func TestPictureOfTheDocs(t *testing.T) {
	text, err := os.ReadFile("testdata/verdict.json")
	require.NoError(t, err)
	var a workflows.AnalysisStatus
	require.NoError(t, json.Unmarshal(text, &a))
	p := &page{width: 100}
	drawAnalysis(p, a, a.Ended)
	docs, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	require.Contains(t, string(docs), strings.TrimSpace(p.String()), "paste what is drawn:\n%s", p.String())
}

func TestPromoteOverMetrics(t *testing.T) {
	b := newBench(t)
	b.control.status = holding()
	b.control.status.Phase, b.control.status.Failure = workflows.PhaseStuck, "errors: canary is worse"
	require.NotZero(t, b.run("promote", "web"))
	require.Contains(t, b.err, "step 1 has failed")
	require.Zero(t, b.run("promote", "web", "--reason", "known", "--skip-analysis"), b.err)
	require.Equal(t, workflows.Message{
		Step: 1, Run: b.control.status.Run, Revision: b.control.status.Revision, By: "carol@laptop", Reason: "known", SkipAnalysis: true,
	}, b.control.sent[0].m)
}
