package preview

import (
	"fmt"
	"strings"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/config"
)

// Analysis is what is measured somewhere in a rollout.
type Analysis struct {
	// Where it stands in the document, and the step, from 1; 0 for the whole
	// rollout.
	Where string `json:"where"`
	Step  int    `json:"step,omitempty"`
	// Decides says in words what follows from the verdict.
	Decides string   `json:"decides"`
	Metrics []Metric `json:"metrics"`
}

// Metric is one measurement.
type Metric struct {
	Name string `json:"name"`
	// Server that is asked, and Every, how often and how many times.
	Server string `json:"server"`
	Every  string `json:"every"`
	// Good says what is good, Policies what follows otherwise.
	Good     string `json:"good"`
	Policies string `json:"policies"`
	// Queries with the variables filled in.
	Queries []analysis.Queries `json:"queries"`
}

// analyses tells everything that would be measured.
func analyses(doc *config.Rollout, observed preflight.Observed) ([]Analysis, error) {
	var all []Analysis
	for _, placed := range doc.Analyses() {
		a := Analysis{Where: placed.Where, Step: placed.Step, Decides: decides(doc, placed)}
		subject := analysis.Subject{
			Ref: observed.Ref, Step: max(1, placed.Step),
			StableRevision: observed.StableRevision, Revision: observed.CanaryRevision,
		}
		for _, m := range placed.Metrics {
			planned, err := metricOf(doc, subject, m)
			if err != nil {
				return nil, err
			}
			a.Metrics = append(a.Metrics, planned)
		}
		for _, p := range placed.Pending {
			a.Metrics = append(a.Metrics, Metric{Name: strings.TrimSuffix("configmap/"+p.ConfigMap+"/"+p.Template, "/"), Good: "as the ConfigMap says when the rollout begins"})
		}
		all = append(all, a)
	}
	return all, nil
}

// decides says who releases a step that is measured.
func decides(doc *config.Rollout, placed config.PlacedAnalysis) string {
	switch {
	case placed.Step == 0:
		return fmt.Sprintf("measured beside the rollout from step %d on until the new revision is stable; only a bad verdict does anything", placed.StartingStep)
	case placed.Step > len(doc.Steps):
		return fmt.Sprintf("the new revision has all requests and the old one is kept ready for %s; the metrics have to pass", doc.Bake.Duration)
	}
	switch hold := doc.Steps[placed.Step-1].Hold; hold.Mode {
	case config.HoldApproval:
		return "the metrics have to hold while the step waits, and a person promotes"
	case config.HoldTimed:
		return fmt.Sprintf("goes on after %s if the metrics have passed by then, otherwise as soon as they pass", hold.Duration)
	case config.HoldNone:
	}
	return "the metrics alone promote the step"
}

func metricOf(doc *config.Rollout, subject analysis.Subject, m config.Metric) (Metric, error) {
	planned := Metric{Name: m.Name, Server: "of the worker", Every: fmt.Sprintf("%s, %d samples", m.Interval, m.Count), Good: good(m), Policies: policies(m)}
	if server, ok := doc.Server(m); ok {
		planned.Server = server.Name + " at " + server.Address
	}
	judge, err := verdict.New(m)
	if err != nil {
		return planned, err
	}
	sides := []analysis.Side{analysis.Canary}
	if judge.NeedsStable() {
		sides = append(sides, analysis.Stable)
	}
	for _, side := range sides {
		queries, err := subject.Fill(m, side)
		if err != nil {
			return planned, err
		}
		planned.Queries = append(planned.Queries, queries)
	}
	return planned, nil
}

// good says what is good in one line.
func good(m config.Metric) string {
	var parts []string
	bound := func(what, sign string, v *float64) {
		if v != nil {
			parts = append(parts, fmt.Sprintf("%s %s %g", what, sign, *v))
		}
	}
	bound("value", ">=", m.Min)
	bound("value", "<=", m.Max)
	bound("canary/stable", ">=", m.Compare.MinRatio)
	bound("canary/stable", "<=", m.Compare.MaxRatio)
	bound("canary-stable", ">=", m.Compare.MinDelta)
	bound("canary-stable", "<=", m.Compare.MaxDelta)
	if m.Condition != "" {
		parts = append(parts, m.Condition)
	}
	if t := m.Test; t != nil && t.Bound != nil {
		parts = append(parts, fmt.Sprintf("evidence that fewer than %g %% of requests are bad (false alarms %g %%)", 100**t.Bound, 100*t.FalseAlarm))
	} else if t != nil {
		parts = append(parts, fmt.Sprintf("evidence that canary is not worse than %g times stable and %g %% (false alarms %g %%)", t.Margin.Ratio, 100*t.Margin.Delta, 100*t.FalseAlarm))
	}
	if m.MinRequests > 0 {
		parts = append(parts, fmt.Sprintf("at least %g requests", m.MinRequests))
	}
	return strings.Join(parts, ", ")
}

// policies says what follows from the other verdicts.
func policies(m config.Metric) string {
	if m.DryRun {
		return "dry run: observed only"
	}
	return fmt.Sprintf("Fail: %s; NoData: %s; Error: %s", m.OnFail, m.OnNoData, m.OnError)
}
