package config

import (
	"cmp"
	"fmt"
	"math"
	"time"

	own "sluice.dev/sluice/config/v1alpha1"
)

// What holds where a metric says nothing.
const (
	// DefaultInterval between samples is twice what Prometheus scrapes at by
	// default in most installations.
	DefaultInterval = Duration(30 * time.Second)
	// minWindow of rates; a rate needs two scrapes.
	minWindow = Duration(time.Minute)
	// DefaultCount of samples.
	DefaultCount = 10
	// DefaultFailures, DefaultErrors and DefaultEmpty in a row decide.
	DefaultFailures = 3
	DefaultErrors   = 5
	DefaultEmpty    = 5
	// DefaultFalseAlarm of a test.
	DefaultFalseAlarm = 0.01
	// The margin of a test: twice the proportion of stable and 0.2 % more.
	defaultMarginRatio = 2
	defaultMarginDelta = 0.002
)

// DefaultTest is the sequential test where a document says nothing about it.
func DefaultTest() Test {
	return Test{
		FalseAlarm: DefaultFalseAlarm,
		Tolerance:  Worse{Ratio: 1},
		Margin:     Worse{Ratio: defaultMarginRatio, Delta: defaultMarginDelta},
	}
}

// buildMetric fills in what a metric leaves out. Failure is what happens after a
// verdict Fail where the metric does not say it.
func buildMetric(m own.Metric, failure FailurePolicy) Metric {
	interval := period(m.Interval, DefaultInterval)
	built := Metric{
		Name: m.Name, Server: m.Server, Query: m.Query, Requests: m.Requests, Bad: m.Bad, Good: m.Good, Args: m.Args,
		Interval: interval, Window: period(m.Window, max(interval, minWindow)), InitialDelay: period(m.InitialDelay, 0),
		Min: m.Min, Max: m.Max,
		Compare:   Compare{MinRatio: m.MinRatio, MaxRatio: m.MaxRatio, MinDelta: m.MinDelta, MaxDelta: m.MaxDelta},
		Condition: m.Condition, Test: buildTest(m.Test),
		MinRequests: float64(value(m.MinRequests, 0)),
		Limits:      buildLimits(m.Limits),
		OnPass:      PassPolicy(cmp.Or(m.OnPass, string(PassContinue))),
		OnFail:      FailurePolicy(cmp.Or(m.OnFail, string(failure))),
		OnNoData:    GapPolicy(cmp.Or(m.OnNoData, string(GapWait))),
		OnError:     GapPolicy(cmp.Or(m.OnError, string(GapWait))),
		DryRun:      value(m.DryRun, false),
	}
	if built.Counts() && built.Test == nil && !judged(built) {
		built.Test = new(DefaultTest())
	}
	built.Count = int(value(m.Count, DefaultCount))
	if m.Duration != nil && interval > 0 {
		built.Count = int(math.Ceil(float64(*m.Duration) / float64(interval)))
	}
	if built.Args != nil && len(built.Args) == 0 {
		built.Args = nil
	}
	return built
}

// judged says whether samples are judged by something else than a test.
func judged(m Metric) bool {
	return m.Min != nil || m.Max != nil || m.Compare.Any() || m.Condition != ""
}

func buildTest(t *own.Test) *Test {
	if t == nil {
		return nil
	}
	built := DefaultTest()
	built.FalseAlarm = value(t.FalseAlarm, built.FalseAlarm)
	built.Tolerance = buildWorse(t.Tolerance, built.Tolerance)
	built.Margin = buildWorse(t.Margin, built.Margin)
	built.Bound = t.Bound
	return &built
}

func buildWorse(w *own.Worse, missing Worse) Worse {
	if w == nil {
		return missing
	}
	return Worse{Ratio: value(w.Ratio, 1), Delta: value(w.Delta, 0)}
}

func buildLimits(l *own.Limits) Limits {
	if l == nil {
		l = &own.Limits{}
	}
	return Limits{
		ConsecutiveFailures: int(value(l.ConsecutiveFailures, DefaultFailures)), Failures: int(value(l.Failures, 0)),
		ConsecutiveErrors: int(value(l.ConsecutiveErrors, DefaultErrors)), Errors: int(value(l.Errors, 0)),
		ConsecutiveNoData: int(value(l.ConsecutiveNoData, DefaultEmpty)), NoData: int(value(l.NoData, 0)),
	}
}

func value[T any](pointer *T, missing T) T {
	if pointer == nil {
		return missing
	}
	return *pointer
}

func period(p *own.Period, missing Duration) Duration {
	return Duration(value(p, own.Period(missing)))
}

// PendingMetric is a metric whose template is in a ConfigMap that was not read
// yet.
type PendingMetric struct {
	ConfigMap string `json:"configMap"`
	// Template by name; all of them where empty.
	Template string `json:"template,omitempty"`
	// Said is what the document says beside it.
	Said own.Metric `json:"said,omitzero"`
	// Path of the metric in the document.
	Path string `json:"path"`
}

// Resolve returns the rollout with its pending metrics filled in from ConfigMaps
// of its namespace, whose data read returns by name. The error is Errors and
// names the ConfigMap, its fields and what to write instead.
func Resolve(r Rollout, read func(configMap string) (map[string]string, error)) (Rollout, error) {
	var errs Errors
	complete := func(a *Analysis) *Analysis {
		if a == nil || len(a.Pending) == 0 {
			return a
		}
		full := &Analysis{StartingStep: a.StartingStep, Metrics: append([]Metric(nil), a.Metrics...)}
		for _, pending := range a.Pending {
			metrics, found := pending.resolve(r, read)
			full.Metrics, errs = append(full.Metrics, metrics...), append(errs, found...)
		}
		return full
	}
	r.Analysis = complete(r.Analysis)
	r.Steps = append([]Step(nil), r.Steps...)
	for i := range r.Steps {
		r.Steps[i].Analysis = complete(r.Steps[i].Analysis)
	}
	if r.Bake != nil {
		before := len(errs)
		r.Bake = &Bake{Duration: r.Bake.Duration, Analysis: complete(r.Bake.Analysis)}
		if full := r.Bake.Analysis; full != nil && len(errs) == before {
			errs = append(errs, full.comparing()...)
		}
	}
	for _, placed := range r.Analyses() {
		if n := len(placed.Metrics); n > maxMetrics {
			errs = append(errs, tooMany(placed.Where, n))
		}
	}
	return r, errs.orNil()
}

// tooMany reports that an analysis has more metrics than its heartbeats can carry.
func tooMany(where string, n int) FieldError {
	return FieldError{Path: where + ".metrics", Problem: fmt.Sprintf("there are %d metrics", n), Remedy: fmt.Sprintf("write at most %d", maxMetrics)}
}

// comparing reports the metrics of a bake that compare with stable.
func (a *Analysis) comparing() Errors {
	var errs Errors
	for _, m := range a.Metrics {
		if comparesWithStable(m) {
			errs = append(errs, FieldError{Path: canaryPath + ".bake.analysis", Found: m.Name, Problem: comparesInBake(m), Remedy: boundRemedy})
		}
	}
	return errs
}

func (p PendingMetric) resolve(r Rollout, read func(string) (map[string]string, error)) ([]Metric, Errors) {
	wrong := func(problem, remedy string) Errors {
		return Errors{{Path: p.Path, Found: p.ConfigMap, Problem: problem, Remedy: remedy}}
	}
	data, err := read(p.ConfigMap)
	if err != nil {
		return nil, wrong(err.Error(), "make the ConfigMap, or name another one")
	}
	found, order, err := templatesOf(data)
	if err != nil {
		return nil, wrong(fmt.Sprintf("ConfigMap %s/%s: %s", r.Namespace, p.ConfigMap, err), "mend the templates there")
	}
	if p.Template != "" {
		order = []string{p.Template}
	}
	if len(order) == 0 {
		return nil, wrong("the ConfigMap holds no "+kindTemplate, "put one under any key of its data")
	}
	var metrics []Metric
	report := newReport(0, "")
	for _, name := range order {
		template, ok := found[name]
		if !ok {
			return nil, wrong(fmt.Sprintf("the ConfigMap has no %s %q", kindTemplate, name), "")
		}
		said := p.Said
		said.Template = name
		merged := merge(template, said)
		metrics = append(metrics, checkMetric(report, p.Path, merged, serverNames(r.Prometheus), r.OnFailure))
	}
	return metrics, report.errs
}
