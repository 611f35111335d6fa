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
			f.metric(indexPath(placed.Where+".metrics", i), m)
			if placed.Step == 0 && r.Bake != nil && comparesWithStable(m) && (m.OnNoData == GapPause || m.OnNoData == GapRollback) {
				f.warn(indexPath(placed.Where+".metrics", i)+".onNoData", fmt.Sprintf("metric %s compares with stable, which has no requests during the bake: it will have no data then", m.Name), "write wait")
			}
		}
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
	if m.Interval.Std() > 0 && m.Window < m.Interval {
		f.warn(path+".window", "the window is shorter than the interval: some requests are never looked at", "write at least "+m.Interval.String())
	}
}

// comparesWithStable says whether a metric needs values of stable; of a condition
// only its text is looked at.
func comparesWithStable(m Metric) bool {
	if m.Condition != "" {
		if c, err := expression.CompileCondition(m.Condition); err == nil && c.NeedsStable() {
			return true
		}
	}
	return m.Compare.Any() || m.Test != nil && m.Test.Bound == nil
}

// sided says whether the queries of a metric differ between the sides.
func sided(m Metric) bool {
	return slices.ContainsFunc(expression.Variables(m.Query+m.Requests+m.Bad+m.Good), func(name string) bool {
		return slices.Contains(sideVariables, name)
	})
}
