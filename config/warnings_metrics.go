package config

import (
	"fmt"
	"slices"

	"sluice.dev/sluice/config/expression"
)

// analyses says what is likely not meant about the metrics of a rollout.
func (f *findings) analyses(r Rollout) {
	for _, placed := range r.Analyses() {
		if placed.Step > 0 && placed.Step <= len(r.Steps) {
			f.measuredStep(placed, r.Steps[placed.Step-1])
		}
		for i, m := range placed.Metrics {
			path := indexPath(placed.Where+".metrics", i)
			f.metric(path, m)
			f.unseen(r, placed, path, m)
		}
	}
	f.bake(r)
}

// unseen says what becomes of a metric that compares with stable while that has
// no requests.
func (f *findings) unseen(r Rollout, placed PlacedAnalysis, path string, m Metric) {
	when := fullFrom(r, placed.Step)
	if when == "" || !comparesWithStable(m) {
		return
	}
	problem := fmt.Sprintf("metric %s compares with stable, which has no requests %s: ", m.Name, when)
	const remedy = boundRemedy + ", or another metric that does"
	switch {
	case placed.Step > 0:
		f.warn(path, problem+"it has no data there, and does not pass", remedy)
	case !comparesValues(m) && seenBefore(r, placed.StartingStep):
		f.info(path, problem+"it judges canary by what stable did before", "")
	default:
		f.warn(path, problem+"it has no data then, and guards nothing", remedy)
		if m.OnNoData == GapPause || m.OnNoData == GapRollback {
			f.warn(path+".onNoData", problem+"it will have no data then", "write wait")
		}
	}
}

// fullFrom says in words when stable has no requests while an analysis goes on: of
// a step, from 1, or of the whole rollout with 0. It is empty where it always has
// some. The bake refuses such metrics by itself.
func fullFrom(r Rollout, step int) string {
	for i, s := range r.Steps {
		if s.weight() == 100 && (step == i+1 || step == 0) {
			return fmt.Sprintf("in step %d", i+1)
		}
	}
	if step == 0 && r.Bake != nil {
		return "during the bake"
	}
	return ""
}

// seenBefore says whether stable has requests in a step that an analysis of the
// whole rollout, from a step on, is there for.
func seenBefore(r Rollout, from int) bool {
	return slices.ContainsFunc(r.Steps[max(0, min(from-1, len(r.Steps))):], func(s Step) bool { return s.routed() && s.weight() < 100 })
}

// bake says whether anything judges the bake that needs no stable side.
func (f *findings) bake(r Rollout) {
	if r.Bake == nil || r.Bake.Analysis != nil || r.Analysis == nil || len(r.Analysis.Pending) > 0 {
		return
	}
	if !slices.ContainsFunc(r.Analysis.Metrics, func(m Metric) bool { return !m.DryRun && !comparesWithStable(m) }) {
		f.warn(canaryPath+".bake", "every metric compares with stable, which has no requests during the bake: an analysis that begins then has no data",
			"write an analysis of the bake, such as {metrics: [{template: app/success-rate, test: {bound: 0.01}}]}")
	}
}

// measuredStep says who promotes a step, which two fields decide together.
func (f *findings) measuredStep(placed PlacedAnalysis, step Step) {
	if !step.routed() {
		f.warn(placed.Where, "no requests go to canary in this step: there is nothing to measure", "route some, or leave the analysis out")
	}
	switch step.Hold.Mode {
	case HoldNone:
		f.info(placed.Where, "the metrics alone promote this step", "")
	case HoldApproval:
		f.info(placed.Where, "the metrics have to hold while the step waits, and a person promotes it", "leave the hold out to let the metrics promote it")
	case HoldTimed:
		f.info(placed.Where, fmt.Sprintf("the step goes on after %s, once its metrics have passed", step.Hold.Duration), "")
	}
}

func (f *findings) metric(path string, m Metric) {
	if m.OnNoData == GapIgnore || m.OnError == GapIgnore {
		f.warn(path, fmt.Sprintf("metric %s is left out where it cannot be measured: nobody notices", m.Name), "write wait or pause")
	}
	if comparesWithStable(m) && !sided(m) {
		f.warn(path, fmt.Sprintf("metric %s compares canary with stable, but its queries are the same for both", m.Name), "use {{pods}}, {{service}} or {{side}} in them")
	}
	if filled, err := expression.Fill(m.Query, exampleOf(m)); m.Query != "" && err == nil && expression.ReadsLatest(filled) {
		f.warn(path+".query", fmt.Sprintf("metric %s reads the latest samples, which may be 5 minutes old when Prometheus has been away", m.Name),
			"write last_over_time(up[{{window}}]) instead of up")
	}
	if m.Interval.Std() > 0 && m.Window < m.Interval {
		f.warn(path+".window", "the window is shorter than the interval: some requests are never looked at", "write at least "+m.Interval.String())
	}
}

// comparesWithStable says whether a metric needs the stable side.
func comparesWithStable(m Metric) bool {
	return comparesValues(m) || m.Test != nil && m.Test.Bound == nil
}

// comparesValues says whether every sample needs a value of stable; of a condition
// only its text is looked at.
func comparesValues(m Metric) bool {
	if m.Condition != "" {
		if c, err := expression.CompileCondition(m.Condition); err == nil && c.NeedsStable() {
			return true
		}
	}
	return m.Compare.Any()
}

// sided says whether the queries of a metric differ between the sides.
func sided(m Metric) bool {
	return slices.ContainsFunc(expression.Variables(m.Query+m.Requests+m.Bad+m.Good), func(name string) bool {
		return slices.Contains(sideVariables, name)
	})
}
