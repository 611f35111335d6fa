package cli

import (
	"fmt"
	"maps"
	"slices"

	"sluice.dev/sluice/starter/preview"
)

// drawPlan draws what a rollout would do.
func drawPlan(p *page, plan preview.Plan) {
	p.line(styleBold, fmt.Sprintf("%s/%s in %s of cluster %s (%s)", plan.Workload.Kind, plan.Workload.Name, plan.Namespace, plan.Cluster, plan.Name))
	p.field(stylePlain, "Revision", fmt.Sprintf("%s -> %s", unknown(plan.StableRevision), unknown(plan.Revision)))
	for _, container := range slices.Sorted(maps.Keys(plan.Images)) {
		p.field(stylePlain, "Image", imageText(container, plan.StableImages[container], plan.Images[container]))
	}
	p.field(stylePlain, "Pods", fmt.Sprintf("%d, %d of them ready", plan.Replicas, plan.Ready))
	if plan.Confirm != "" {
		p.field(stylePlain, "Confirmed", "by "+plan.Confirm)
	}
	for _, warning := range plan.Warnings {
		p.field(styleNotice, "Warning", warning)
	}
	drawFindings(p, plan.Findings)
	for _, stage := range plan.Stages {
		drawStage(p, stage)
	}
	drawPlannedAnalyses(p, plan.Analyses)
	p.lines = append(p.lines, "")
	rows := [][]string{{"OBJECT", "WHAT HAPPENS TO IT"}}
	for _, object := range plan.Objects {
		rows = append(rows, []string{object.Name, object.Action})
	}
	p.rows("", rows, headed)
}

// drawStage draws the operations of one step.
func drawStage(p *page, stage preview.Stage) {
	p.lines = append(p.lines, "")
	title := fmt.Sprintf("Step %d of %d, at most %s", stage.Step, stage.Steps, short(stage.Deadline.Std()))
	if stage.Bake != nil {
		title += ": all requests to canary"
	} else if stage.Step == stage.Steps {
		title += ": promote under cover of the canary"
	}
	p.line(styleBold, title)
	p.line(styleBold, planRow("STABLE", "CANARY", "WEIGHT")+"OPERATION")
	for _, op := range stage.Operations {
		drawOperation(p, op)
	}
	switch {
	case stage.Bake != nil:
		p.line(styleNotice, gap+"bakes for "+stage.Bake.String()+" with the old revision kept ready")
	case stage.Hold == "none" && stage.Metrics != "":
		p.line(styleNotice, gap+"goes on when its metrics pass: "+stage.Metrics)
		return
	case stage.Hold == "none":
	case stage.Hold == "approval":
		p.line(styleNotice, gap+"holds until it is promoted")
	default:
		p.line(styleNotice, gap+"holds for "+stage.Hold)
	}
	if stage.Metrics != "" {
		p.line(styleNotice, gap+"and its metrics have to pass: "+stage.Metrics)
	}
}

// drawPlannedAnalyses draws what would be measured.
func drawPlannedAnalyses(p *page, analyses []preview.Analysis) {
	for _, a := range analyses {
		p.lines = append(p.lines, "")
		p.line(styleBold, "Metrics of "+a.Where)
		p.paragraph(styleNotice, gap, gap, a.Decides)
		for _, m := range a.Metrics {
			p.paragraph(stylePlain, gap+m.Name+": ", gap+gap, m.Good)
			if m.Server == "" {
				continue
			}
			p.paragraph(styleDim, gap+gap, gap+gap, fmt.Sprintf("every %s; Prometheus %s; %s", m.Every, m.Server, m.Policies))
			drawQueries(p, m.Queries)
		}
	}
}

// planRow is the part of a row before the operation.
func planRow(stable, canary, weight string) string {
	const width = 6
	return gap + pad(stable, width) + gap + pad(canary, width) + gap + pad(weight, width) + gap
}

// drawOperation draws the world after an operation, what it does, and below that
// what it writes and waits for.
func drawOperation(p *page, op preview.Operation) {
	below := planRow("", "", "")
	p.paragraph(stylePlain, planRow(fmt.Sprint(op.Stable), fmt.Sprint(op.Canary), fmt.Sprintf("%d%%", op.Weight)), below, op.What)
	for _, detail := range []struct{ label, text string }{
		{"writes ", list(op.Objects)}, {"needs ", op.Needs}, {"until ", op.Waits},
	} {
		if detail.text != "" {
			p.paragraph(styleDim, below, below, detail.label+detail.text)
		}
	}
}

// list joins names.
func list(names []string) string {
	text := ""
	for i, name := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			text += " and "
		default:
			text += ", "
		}
		text += name
	}
	return text
}
