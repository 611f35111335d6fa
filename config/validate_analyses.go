package config

import (
	"fmt"
	"slices"
)

// measured is what a draft says about metrics.
type measured struct {
	// templates that stand in the same input.
	templates templates
	// metricsAt and serversAt are the annotations that stand for the metrics and
	// the servers; empty where they are fields.
	metricsAt, serversAt string

	whole *Analysis
	steps map[int]*Analysis
	bake  *Bake
}

// validateAnalyses reads everything that the document says about metrics.
func validateAnalyses(r *report, d *draft) {
	validateServers(r, d)
	d.steps = map[int]*Analysis{}
	d.wholeAnalysis(r)
	canary := d.doc.Spec.Strategy.Canary
	if canary == nil {
		return
	}
	for i, step := range canary.Steps {
		path := indexPath(stepsPath, i)
		if step.Analysis == nil {
			continue
		}
		if step.Analysis.StartingStep != nil {
			r.add(path+".analysis.startingStep", "only the analysis of the whole rollout has a starting step", "leave it out")
		}
		d.steps[i] = d.analysisOf(r, path+".analysis", step.Analysis)
		if hold := holdOf(step, i == len(canary.Steps)-1); hold.Mode == HoldNone && silent(d.steps[i]) {
			r.add(path+".analysis", "every metric is a dry run: nothing would ever promote the step", "write hold: approval, or let one metric decide")
		}
	}
	d.readBake(r)
}

// silent says whether an analysis decides nothing.
func silent(a *Analysis) bool {
	return len(a.Metrics) > 0 && len(a.Pending) == 0 &&
		!slices.ContainsFunc(a.Metrics, func(m Metric) bool { return !m.DryRun })
}

func (d *draft) wholeAnalysis(r *report) {
	said := d.doc.Spec.Analysis
	if said == nil {
		return
	}
	d.whole = d.analysisOf(r, "spec.analysis", said)
	d.whole.StartingStep = int(value(said.StartingStep, 1))
	steps := 0
	if canary := d.doc.Spec.Strategy.Canary; canary != nil {
		steps = len(canary.Steps)
	}
	if d.whole.StartingStep < 1 || d.whole.StartingStep > steps+1 {
		r.add("spec.analysis.startingStep", "there is no such step", fmt.Sprintf("write a number from 1 to %d", steps+1))
	}
}

func (d *draft) readBake(r *report) {
	said := d.doc.Spec.Strategy.Canary.Bake
	if said == nil {
		return
	}
	path := canaryPath + ".bake"
	d.bake = &Bake{Duration: period(said.Duration, 0), Analysis: d.analysisOf(r, path+".analysis", said.Analysis)}
	if d.bake.Duration <= 0 {
		r.add(path+".duration", "a bake needs a time", "write a length of time such as 15m")
	}
	if said.Analysis == nil && d.whole == nil {
		r.add(path+".analysis", "nothing is measured during the bake", "write metrics here or in spec.analysis")
	}
	if said.Analysis == nil {
		return
	}
	if said.Analysis.StartingStep != nil {
		r.add(path+".analysis.startingStep", "only the analysis of the whole rollout has a starting step", "leave it out")
	}
	for i, m := range d.bake.Analysis.Metrics {
		if comparesWithStable(m) {
			r.add(indexPath(path+".analysis.metrics", i), comparesInBake(m), boundRemedy)
		}
	}
}

// boundRemedy is for metrics that compare with stable where it has no requests.
const boundRemedy = "write test.bound, max or min"

func comparesInBake(m Metric) string {
	return fmt.Sprintf("metric %s compares with stable, which has no requests during the bake", m.Name)
}
