package analysis_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
)

// prometheus answers queries from a table: the text of a query, and then for
// each request the next of its vectors; the last one stays.
type prometheus struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string][]vector
	asked   []string
	// then is told of every query.
	then func(query string)
	// warnings of every answer.
	warnings []string
}

// vector is a value by pod.
type vector map[string]float64

func newPrometheus(t *testing.T, answers map[string][]vector) *prometheus {
	t.Helper()
	p := &prometheus{answers: answers}
	p.Server = httptest.NewServer(http.HandlerFunc(p.answer))
	t.Cleanup(p.Close)
	return p
}

func (p *prometheus) answer(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	series := []any{}
	for _, part := range partsOf(r.FormValue("query")) {
		p.asked = append(p.asked, part.query)
		if p.then != nil {
			p.then(part.query)
		}
		next := p.answers[part.query]
		if len(next) == 0 {
			continue
		}
		for pod, value := range next[0] {
			series = append(series, map[string]any{"metric": part.labels("pod", pod), "value": []any{1, fmt.Sprint(value)}})
		}
		if len(next) > 1 {
			p.answers[part.query] = next[1:]
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "warnings": p.warnings, "data": map[string]any{"resultType": "vector", "result": series}})
}

// part of a question for several queries at once: the label that its answer gets.
type part struct{ query, label, value string }

// labels of a series of the part, as JSON, with others.
func (p part) labels(others ...string) json.RawMessage {
	all := map[string]string{}
	for i := 0; i < len(others); i += 2 {
		all[others[i]] = others[i+1]
	}
	if p.label != "" {
		all[p.label] = p.value
	}
	text, _ := json.Marshal(all)
	return text
}

// partsOf a question are the queries that label_replace() marks and "or" joins, or
// it is one query by itself.
func partsOf(question string) []part {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(question)
	if err != nil {
		return nil
	}
	var parts []part
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		call, ok := node.(*parser.Call)
		if !ok || call.Func.Name != "label_replace" {
			return nil
		}
		text := func(i int) string { s, _ := call.Args[i].(*parser.StringLiteral); return s.Val }
		inner := call.Args[0].PositionRange()
		query := strings.Trim(question[inner.Start:inner.End], "()\n")
		parts = append(parts, part{query, text(1), text(2)})
		return nil
	})
	if parts == nil {
		return []part{{query: question}}
	}
	return parts
}

// after does something once, when a query is asked for the n-th time.
func (p *prometheus) after(query string, n int, do func()) {
	p.then = func(asked string) {
		if asked == query {
			n--
		}
		if n == 0 {
			do()
			p.then = nil
		}
	}
}

func (p *prometheus) server() config.Prometheus {
	return config.Prometheus{Name: "default", Address: p.URL, Timeout: config.Duration(time.Second), MaxBytes: 1 << 20}
}

// subject of the seed's workload.
func subject() analysis.Subject {
	return analysis.Subject{
		Ref: release.Ref{
			ID: "run", Namespace: "shop", Workload: config.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
			Service: "web", Ingress: "web", Class: "nginx",
		},
		Step: 1, StableRevision: "aaa", Revision: "bbb",
	}
}

// valueMetric asks for {{side}} and is judged by a maximum.
func valueMetric(change func(*config.Metric)) config.Metric {
	m := config.Metric{
		Name: "errors", Query: `sum({{side}})`, Max: new(0.1), Count: 2, Interval: config.Duration(5 * time.Millisecond), Window: config.Duration(time.Minute),
		Limits: config.Limits{ConsecutiveFailures: 2, ConsecutiveErrors: 2, ConsecutiveNoData: 2},
		OnPass: config.PassContinue, OnFail: config.FailureRollback, OnNoData: config.GapPause, OnError: config.GapPause,
	}
	if change != nil {
		change(&m)
	}
	return m
}

// countMetric is read from counters.
func countMetric(change func(*config.Metric)) config.Metric {
	return valueMetric(func(m *config.Metric) {
		m.Query, m.Max, m.Requests, m.Bad = "", nil, "requests_{{side}}", "bad_{{side}}"
		m.Count, m.Test = 100, new(config.DefaultTest())
		if change != nil {
			change(m)
		}
	})
}

// bench runs activities.
type bench struct {
	t   *testing.T
	env *testsuite.TestActivityEnvironment
	a   *analysis.Activities
}

func newBench(t *testing.T, p *prometheus) *bench {
	t.Helper()
	env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
	a := &analysis.Activities{}
	if p != nil {
		a.Default = p.server()
	}
	env.RegisterActivity(a)
	return &bench{t: t, env: env, a: a}
}

func (b *bench) analyse(req analysis.Request) (analysis.Result, error) {
	b.t.Helper()
	req.Subject = subject()
	value, err := b.env.ExecuteActivity(b.a.AnalyseMetrics, req)
	if err != nil {
		return analysis.Result{}, err
	}
	var result analysis.Result
	require.NoError(b.t, value.Get(&result))
	return result, nil
}
