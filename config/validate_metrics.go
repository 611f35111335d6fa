package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sluice.dev/sluice/config/expression"
	own "sluice.dev/sluice/config/v1alpha1"
)

// Limits of an analysis.
const (
	maxMetrics  = 30
	minInterval = Duration(1e9)
)

// analysisOf reads an analysis of the document: templates are looked up, what is
// missing is filled in, and everything that is wrong is reported.
func (d *draft) analysisOf(r *report, path string, a *own.Analysis) *Analysis {
	if a == nil {
		return nil
	}
	built := &Analysis{}
	if len(a.Metrics) == 0 {
		r.add(path+".metrics", "an analysis needs a metric", "name one, such as {template: app/success-rate}")
	}
	if len(a.Metrics) > maxMetrics {
		r.add(path+".metrics", fmt.Sprintf("there are %d metrics", len(a.Metrics)), fmt.Sprintf("write at most %d", maxMetrics))
	}
	servers := make([]string, 0, len(d.doc.Spec.Prometheus))
	for _, s := range d.doc.Spec.Prometheus {
		servers = append(servers, s.Name)
	}
	for i, m := range a.Metrics {
		at := indexPath(path+".metrics", i)
		if d.metricsAt != "" {
			at = d.metricsAt
		}
		d.addMetric(r, at, m, servers, built)
	}
	seen := map[string]bool{}
	for i, m := range built.Metrics {
		if seen[m.Name] {
			r.add(indexPath(path+".metrics", i)+".name", fmt.Sprintf("two metrics have the name %q", m.Name), "name one of them otherwise")
		}
		seen[m.Name] = true
	}
	return built
}

// addMetric adds one metric, or what has to be read from a ConfigMap for it.
func (d *draft) addMetric(r *report, at string, m own.Metric, servers []string, built *Analysis) {
	switch {
	case m.ConfigMap != "":
		built.Pending = append(built.Pending, PendingMetric{ConfigMap: m.ConfigMap, Template: m.Template, Said: m, Path: at})
		return
	case m.Template != "":
		template, ok := d.templates.find(m.Template)
		if !ok {
			remedy := "ready-made are " + strings.Join(ReadyTemplates(), ", ")
			if near := Nearest(m.Template, d.templates.names()); near != "" {
				remedy = fmt.Sprintf("did you mean %q?", near)
			}
			r.add(at+".template", fmt.Sprintf("no template has the name %q", m.Template), remedy)
			return
		}
		m = merge(template, m)
	}
	built.Metrics = append(built.Metrics, checkMetric(r, at, m, servers, FailurePolicy(*d.doc.Spec.OnFailure)))
}

var argument = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)

// checkMetric builds a metric and reports what is wrong with it.
func checkMetric(r *report, path string, said own.Metric, servers []string, failure FailurePolicy) Metric {
	m := buildMetric(said, failure)
	if m.Name == "" {
		r.add(path+".name", "a metric needs a name", "")
	}
	if m.Server != "" && !slices.Contains(servers, m.Server) {
		remedy := "describe it in spec.prometheus"
		if near := Nearest(m.Server, servers); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		r.add(path+".server", fmt.Sprintf("no server has the name %q", m.Server), remedy)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Args)) {
		switch {
		case !argument.MatchString(name):
			r.add(joinPath(path+".args", name), "not a name of a variable", "write letters and digits, a letter first")
		case slices.Contains(QueryVariables, name):
			r.add(joinPath(path+".args", name), "every query has this variable already", "choose another name")
		}
	}
	checkShape(r, path, m)
	checkQueries(r, path, m)
	checkTimes(r, path, m, said)
	checkCriteria(r, path, m)
	checkTest(r, path+".test", m.Test)
	checkPolicies(r, path, m)
	return m
}

// checkShape wants either a query or counters.
func checkShape(r *report, path string, m Metric) {
	switch {
	case m.Query == "" && !m.Counts():
		r.add(path+".query", "the metric has no query", "write query, or the counters requests and bad, or name a template")
	case m.Query != "" && m.Counts():
		r.add(path+".query", "a metric has either a query or counters", "remove query, or bad and good")
	case m.Bad != "" && m.Good != "":
		r.add(path+".good", "a metric has either bad or good", "remove one of them")
	case m.Counts() && m.Requests == "":
		r.add(path+".requests", "the number of all requests is missing", "write the counter of all requests")
	case m.Test != nil && !m.Counts():
		r.add(path+".test", "a test needs counters", "write requests and bad instead of query")
	case m.Query != "" && m.MinRequests > 0 && m.Requests == "":
		r.add(path+".minRequests", "the number of requests is not known", "write requests, a query for the number of requests in the window")
	}
}

// checkQueries fills in examples for the variables and parses the result.
func checkQueries(r *report, path string, m Metric) {
	values := exampleOf(m)
	check := func(field, query string, parse func(string) error) {
		if query == "" {
			return
		}
		filled, err := expression.Fill(query, values)
		if err != nil {
			remedy := "known are " + strings.Join(slices.Sorted(maps.Keys(values)), ", ")
			for _, name := range expression.Variables(query) {
				if near := Nearest(name, slices.Collect(maps.Keys(values))); values[name] == "" && near != "" {
					remedy = fmt.Sprintf("did you mean %q?", near)
				}
			}
			r.add(path+"."+field, err.Error(), remedy)
			return
		}
		if err := parse(filled); err != nil {
			r.add(path+"."+field, err.Error(), "")
		}
	}
	parse := expression.CheckQuery
	if m.Counts() {
		parse = expression.CheckCounter
	}
	check("query", m.Query, parse)
	check("requests", m.Requests, parse)
	check("bad", m.Bad, parse)
	check("good", m.Good, parse)
}

func checkTimes(r *report, path string, m Metric, said own.Metric) {
	if m.Interval < minInterval {
		r.add(path+".interval", "the interval is shorter than a second", "write a length of time such as 30s")
	}
	if m.Window < minInterval {
		r.add(path+".window", "the window is shorter than a second", "write a length of time such as 1m")
	}
	if m.InitialDelay < 0 {
		r.add(path+".initialDelay", "the delay cannot be negative", "write a length of time such as 1m, or leave it out")
	}
	if said.Count != nil && said.Duration != nil {
		r.add(path+".duration", "a metric has either count or duration", "remove one of them")
	}
	if m.Count < 1 {
		r.add(path+".count", "at least one sample has to be taken", "write 1 or more, or a duration of at least the interval")
	}
}

func checkCriteria(r *report, path string, m Metric) {
	if m.Test == nil && !judged(m) && (m.Query != "" || m.Counts()) {
		r.add(path+".min", "nothing says what is good", "write min, max, minRatio, maxRatio, minDelta, maxDelta or condition")
	}
	for _, pair := range []struct {
		name      string
		low, high *float64
	}{{"min", m.Min, m.Max}, {"minRatio", m.Compare.MinRatio, m.Compare.MaxRatio}, {"minDelta", m.Compare.MinDelta, m.Compare.MaxDelta}} {
		if pair.low != nil && pair.high != nil && *pair.low > *pair.high {
			r.add(path+"."+pair.name, "the lower bound is above the upper one", "exchange them")
		}
	}
	if m.Condition != "" {
		if _, err := expression.CompileCondition(m.Condition); err != nil {
			r.add(path+".condition", err.Error(), "its variables are "+strings.Join(expression.ConditionVariables, ", "))
		}
	}
}

func checkTest(r *report, path string, t *Test) {
	if t == nil {
		return
	}
	if t.FalseAlarm <= 0 || t.FalseAlarm >= 0.5 {
		r.add(path+".falseAlarm", "the rate of false alarms must be above 0 and below 0.5", "write 0.01")
	}
	if t.Bound != nil && (*t.Bound <= 0 || *t.Bound >= 1) {
		r.add(path+".bound", "the bound must be above 0 and below 1", "write a proportion such as 0.01")
	}
	for _, w := range []struct {
		name string
		is   Worse
	}{{"tolerance", t.Tolerance}, {"margin", t.Margin}} {
		if w.is.Ratio <= 0 || w.is.Delta < 0 || w.is.Delta >= 1 {
			r.add(path+"."+w.name, "ratio must be above 0, and delta at least 0 and below 1", "write {ratio: 2, delta: 0.002}")
		}
	}
	if t.Margin.Ratio < t.Tolerance.Ratio || t.Margin.Delta < t.Tolerance.Delta || t.Margin == t.Tolerance {
		r.add(path+".margin", "the margin must be above the tolerance", "what is tolerated cannot be too much at the same time")
	}
}

func checkPolicies(r *report, path string, m Metric) {
	oneOf := func(field, value string, known ...string) {
		if !slices.Contains(known, value) {
			r.add(path+"."+field, "unknown policy", "write "+strings.Join(known, ", "))
		}
	}
	oneOf("onPass", string(m.OnPass), string(PassContinue), string(PassWait))
	oneOf("onFail", string(m.OnFail), string(FailurePause), string(FailureRollback))
	gaps := []string{string(GapWait), string(GapPause), string(GapRollback), string(GapIgnore)}
	oneOf("onNoData", string(m.OnNoData), gaps...)
	oneOf("onError", string(m.OnError), gaps...)
	l := m.Limits
	if min(l.ConsecutiveFailures, l.Failures, l.ConsecutiveErrors, l.Errors, l.ConsecutiveNoData, l.NoData) < 0 {
		r.add(path+".limits", "a limit cannot be negative", "write 0 for no limit")
	}
	if m.MinRequests < 0 {
		r.add(path+".minRequests", "a number of requests cannot be negative", "")
	}
}
