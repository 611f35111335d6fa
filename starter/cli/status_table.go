package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// lastDecisions is how many decisions a status shows.
const lastDecisions = 5

// drawStatus draws a status as a person reads it.
func drawStatus(p *page, s control.Status, now time.Time) {
	p.line(styleBold, fmt.Sprintf("%s in %s of cluster %s (%s)", s.Workload, s.Namespace, s.Cluster, s.Name))
	p.field(phaseStyle(s.Phase), "Phase", phaseText(s, now))
	p.field(stylePlain, "", s.Message)
	if s.Failure != "" && !strings.Contains(s.Message, s.Failure) {
		p.field(styleBad, "Failure", s.Failure)
	}
	p.field(stylePlain, "Step", stepText(s))
	p.field(stylePlain, "Started", startedText(s))
	drawSides(p, s)
	for _, progress := range s.Progress {
		p.field(stylePlain, "Now", progress.String())
	}
	for _, warning := range s.Warnings {
		p.field(styleNotice, "Warning", warning)
	}
	p.field(styleNotice, "Note", s.Note)
	drawSteps(p, s)
	drawAnalyses(p, s, now)
	drawDecisions(p, s.Decisions, now)
}

// phaseStyle marks what needs a person.
func phaseStyle(phase workflows.Phase) style {
	switch phase {
	case workflows.PhasePromoted:
		return styleGood
	case workflows.PhaseHolding, workflows.PhasePaused, workflows.PhaseBaking:
		return styleNotice
	case workflows.PhaseStuck, workflows.PhaseRollingBack, workflows.PhaseRolledBack, workflows.PhaseRefused,
		control.PhaseTerminated, control.PhaseFailed:
		return styleBad
	}
	return styleBold
}

// phaseText is the phase and how long it lasts.
func phaseText(s control.Status, now time.Time) string {
	if s.Over() {
		return fmt.Sprintf("%s %s ago, after %s", s.Phase, age(now.Sub(s.Since)), age(s.Since.Sub(s.Started)))
	}
	text := fmt.Sprintf("%s for %s", s.Phase, age(now.Sub(s.Since)))
	if s.Paused && s.Phase != workflows.PhasePaused {
		text += ", paused by a person"
	}
	if s.Until != nil {
		text += fmt.Sprintf(", goes on in %s", age(s.Until.Sub(now)))
	}
	return text
}

// barWidth of all bars, brackets not counted.
const barWidth = 20

// stepText says how far the rollout is.
func stepText(s control.Status) string {
	if len(s.Steps) == 0 || s.Step == 0 {
		return ""
	}
	return fmt.Sprintf("%s %d of %d", stepBar(s, barWidth), s.Step, len(s.Steps))
}

// stepBar draws how many of the steps are completed.
func stepBar(s control.Status, width int) string {
	completed := 0
	for _, step := range s.Steps {
		if step.State == workflows.StepCompleted {
			completed++
		}
	}
	percent := completed * 100 / max(1, len(s.Steps))
	return bar(percent, percent, width)
}

// startedText says who started the rollout, and why.
func startedText(s control.Status) string {
	switch {
	case s.By == "":
		return s.Reason
	case s.Reason == "":
		return "by " + s.By
	}
	return "by " + s.By + ": " + s.Reason
}

// drawSides draws both revisions, the requests that each gets, and its pods.
func drawSides(p *page, s control.Status) {
	if s.StableRevision != "" || s.Revision != "" {
		p.field(stylePlain, "Revision", fmt.Sprintf("%s -> %s", unknown(s.StableRevision), unknown(s.Revision)))
	}
	for _, container := range slices.Sorted(maps.Keys(s.Images)) {
		p.field(stylePlain, "Image", imageText(container, s.StableImages[container], s.Images[container]))
	}
	if s.Note != "" {
		return
	}
	p.field(stylePlain, "Requests", requestsText(s))
	p.field(styleDim, "", confirmationText(s.Confirmation))
	pods := fmt.Sprintf("stable %d desired, canary %d of %d ready", s.Replicas, s.Canary.Ready, s.Canary.Total)
	p.field(stylePlain, "Pods", pods)
	p.field(styleBad, "", s.Canary.Trouble)
	p.field(stylePlain, "Service", selectsText(s.Selects))
}

// confirmationText says how it is known that the last change was taken.
func confirmationText(c *traffic.Confirmation) string {
	if c == nil {
		return ""
	}
	return "last change " + c.String()
}

// selectsText says which pods the user's Service selects, where the rollout
// changes that.
func selectsText(selects string) string {
	switch selects {
	case "":
		return ""
	case "all":
		return "its own selector"
	case "changing":
		return "its selector is being changed"
	}
	return "narrowed to the " + selects + " pods"
}

func unknown(text string) string {
	if text == "" {
		return "?"
	}
	return text
}

// imageText tells the old and the new image of a container; a repository that
// both share is written once.
func imageText(container, old, fresh string) string {
	if container != "" {
		container += " "
	}
	if old == "" || old == fresh {
		return container + fresh
	}
	repository, tag := splitImage(old)
	if freshRepository, freshTag := splitImage(fresh); freshRepository == repository && tag != "" && freshTag != "" {
		return fmt.Sprintf("%s%s%s -> %s", container, repository, tag, freshTag)
	}
	return fmt.Sprintf("%s%s -> %s", container, old, fresh)
}

// splitImage splits the tag or the digest, with its mark, from an image.
func splitImage(image string) (repository, tag string) {
	if i := strings.Index(image, "@"); i >= 0 {
		return image[:i], image[i:]
	}
	if i := strings.LastIndex(image, ":"); i > strings.LastIndex(image, "/") {
		return image[:i], image[i:]
	}
	return image, ""
}

// requestsText says which requests go to canary: asked and confirmed.
func requestsText(s control.Status) string {
	text := fmt.Sprintf("%s canary %d%% asked, %d%% confirmed", bar(s.Confirmed.Weight, s.Asked.Weight, barWidth), s.Asked.Weight, s.Confirmed.Weight)
	asked, confirmed := config.MatchesText(s.Asked.Matches), config.MatchesText(s.Confirmed.Matches)
	switch {
	case asked == "" && confirmed == "":
		return text
	case asked == confirmed:
		return text + "; and " + asked
	case confirmed == "":
		return text + "; and " + asked + " (not yet confirmed)"
	}
	return fmt.Sprintf("%s; and %s asked, %s confirmed", text, unknown(asked), confirmed)
}

// drawSteps draws the plan with a mark for the state of each step.
func drawSteps(p *page, s control.Status) {
	if len(s.Steps) == 0 {
		return
	}
	rows := [][]string{{"", "STEP", "WEIGHT", "CANARY", "HOLD", "STATE", "MATCH"}}
	matches := false
	for i, step := range s.Steps {
		rows = append(rows, []string{
			mark(s, i), fmt.Sprint(i + 1), fmt.Sprintf("%d%%", step.Weight), step.Replicas, step.Hold, string(step.State), step.Matches,
		})
		matches = matches || step.Matches != ""
	}
	if !matches {
		for i, row := range rows {
			rows[i] = row[:len(row)-1]
		}
	}
	p.lines = append(p.lines, "")
	p.rows("", rows, func(row int) style {
		switch {
		case row == 0:
			return styleBold
		case s.Steps[row-1].State == workflows.StepCompleted:
			return styleDim
		}
		return stylePlain
	})
}

// mark of a step: done, at work, waiting or failed.
func mark(s control.Status, i int) string {
	switch {
	case s.Steps[i].State == workflows.StepCompleted:
		return "x"
	case i+1 != s.Step || s.Over():
		return " "
	case s.Phase == workflows.PhaseStuck:
		return "!"
	}
	return ">"
}

// drawDecisions draws what people have decided, the latest last.
func drawDecisions(p *page, decisions []workflows.Decision, now time.Time) {
	if len(decisions) == 0 {
		return
	}
	p.lines = append(p.lines, "")
	p.line(styleBold, "Decisions")
	for _, d := range decisions[max(0, len(decisions)-lastDecisions):] {
		s := stylePlain
		if !d.Accepted {
			s = styleNotice
		}
		stamp := clock(d.At, now) + gap
		p.paragraph(s, stamp, strings.Repeat(" ", len(stamp)), d.String())
	}
}

// clock is a time of day in the reader's time zone; with the date where it is
// not today.
func clock(at, now time.Time) string {
	at = at.In(now.Location())
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format(time.TimeOnly)
	}
	return at.Format("01-02 15:04")
}
