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
	for _, warning := range plan.Warnings {
		p.field(styleNotice, "Warning", warning)
	}
	drawFindings(p, plan.Findings)
	for _, stage := range plan.Stages {
		drawStage(p, stage)
	}
	p.lines = append(p.lines, "")
	rows := [][]string{{"OBJECT", "WHAT HAPPENS TO IT"}}
	for _, object := range plan.Objects {
		rows = append(rows, []string{object.Name, object.Action})
	}
	p.rows("", rows, headed)
}

// drawStage draws the operations of one step: each with the world after it, and
// below it what is waited for.
func drawStage(p *page, stage preview.Stage) {
	p.lines = append(p.lines, "")
	title := fmt.Sprintf("Step %d of %d, at most %s", stage.Step, stage.Steps, short(stage.Deadline.Std()))
	if stage.Step == stage.Steps {
		title += ": promote under cover of the canary"
	}
	p.line(styleBold, title)
	indent := gap
	rows := [][]string{{"STABLE", "CANARY", "WEIGHT", "OPERATION"}}
	for _, op := range stage.Operations {
		rows = append(rows, []string{fmt.Sprint(op.Stable), fmt.Sprint(op.Canary), fmt.Sprintf("%d%%", op.Weight), op.What})
	}
	table := &page{width: p.width, colour: p.colour}
	table.rows(indent, rows, headed)
	// Below each row, under its operation, stands what is waited for.
	below := fmt.Sprintf("%*s", len(indent)+len("STABLE")+len("CANARY")+len("WEIGHT")+3*len(gap), "")
	for i, line := range table.lines {
		p.lines = append(p.lines, line)
		if i == 0 {
			continue
		}
		op := stage.Operations[i-1]
		if len(op.Objects) > 0 {
			p.paragraph(styleDim, below, below, "writes "+list(op.Objects))
		}
		if op.Needs != "" {
			p.paragraph(styleDim, below, below, "needs "+op.Needs)
		}
		p.paragraph(styleDim, below, below, "waits for: "+op.Waits)
	}
	switch stage.Hold {
	case "none":
	case "approval":
		p.line(styleNotice, indent+"holds until it is promoted")
	default:
		p.line(styleNotice, indent+"holds for "+stage.Hold)
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
