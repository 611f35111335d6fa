package workflows

import (
	"fmt"
	"strings"
	"time"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/config"
)

// detailSamples is how many samples of a metric the details in the Temporal UI
// show.
const detailSamples = 5

// measuredHold tells what a step waits for, with its metrics.
func measuredHold(step config.Step, hold string) (text, metrics string) {
	switch {
	case step.Analysis == nil:
		return hold, ""
	case step.Hold.Mode == config.HoldNone:
		return "metrics", MetricNames(step.Analysis)
	}
	return hold, MetricNames(step.Analysis)
}

// analysisDetails shows the last verdict with its numbers as a person reads it in
// the Temporal UI; the numbers of one that runs are in its heartbeats.
func (r *run) analysisDetails() string {
	var b strings.Builder
	for _, a := range r.analyses {
		if a.Running {
			fmt.Fprintf(&b, "Measuring since %s: %s (pending activity `%s` has the numbers)\n\n", a.Since.UTC().Format(time.TimeOnly), a.Where, a.Activity)
		}
	}
	for i := len(r.analyses) - 1; i >= 0; i-- {
		if !r.analyses[i].Running {
			b.WriteString(verdictTable(r.analyses[i].Where, r.analyses[i].State))
			break
		}
	}
	return b.String()
}

// verdictTable is the state of an analysis as Markdown.
func verdictTable(where string, s analysis.State) string {
	if len(s.Metrics) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Last verdict on %s: **%s**\n\n| metric | verdict | at | canary | stable | requests |\n|---|---|---|---|---|---|\n", where, s.Decision.Outcome)
	for _, m := range s.Brief(detailSamples).Metrics {
		for _, sample := range m.Samples {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", m.Metric, sample.Outcome, sample.At.UTC().Format(time.TimeOnly),
				optional(sample.Value), optional(sample.Stable), optional(sample.Requests))
		}
	}
	return b.String() + "\n"
}

// optional writes a number that may be missing.
func optional(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.4g", *v)
}
