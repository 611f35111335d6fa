package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// logView prints what happens line by line, for logs and pipes: what was done,
// where the rollout rests, and what an operation says that takes long.
type logView struct {
	app    *app
	status control.Status
	// event is the last one that was printed, head the last headline, progress
	// the last words of each activity.
	event    workflows.Event
	head     string
	progress []string
	// printed is when the last line was.
	printed time.Time
}

// silence is how long the log may say nothing: CI systems end jobs that do.
const silence = 5 * time.Minute

func (v *logView) show(status control.Status) error {
	v.status = status
	p := v.app.page()
	for _, event := range v.news(status.Timeline) {
		// The end is told by the headline.
		if !status.Over() || event.Text != status.Message {
			v.add(p, event.At, event.Text)
		}
		v.event = event
	}
	if head := headline(status); head != v.head && !v.told(status) {
		v.add(p, v.app.host.Now(), head)
		v.head = head
	}
	var progress []string
	for _, one := range status.Progress {
		text := one.String()
		if (one.Text != "" || one.Failure != "") && !slices.Contains(v.progress, text) {
			v.add(p, v.app.host.Now(), text)
		}
		progress = append(progress, text)
	}
	v.progress = progress
	return v.write(p)
}

// news returns the events after the last one that was printed.
func (v *logView) news(timeline []workflows.Event) []workflows.Event {
	for i, event := range slices.Backward(timeline) {
		if event.At.Equal(v.event.At) && event.Text == v.event.Text {
			return timeline[i+1:]
		}
	}
	return slices.DeleteFunc(slices.Clone(timeline), func(e workflows.Event) bool { return e.At.Before(v.event.At) })
}

// told says that the headline would only repeat what was printed: operations
// are told when they are done.
func (v *logView) told(s control.Status) bool {
	switch s.Phase {
	case workflows.PhaseProgressing, workflows.PhasePromoting:
		return s.Note == ""
	case workflows.PhaseRollingBack:
		return strings.Contains(v.event.Text, s.Message) && s.Failure == ""
	}
	return false
}

// headline says where the rollout rests.
func headline(s control.Status) string {
	if s.Over() {
		return s.Message
	}
	text := fmt.Sprintf("%s: %s (step %d of %d, weight %d%%, pods: stable %d, canary %d of %d)",
		s.Phase, s.Message, s.Step, len(s.Steps), s.Confirmed.Weight, s.Replicas, s.Canary.Ready, s.Canary.Total)
	if s.Note != "" {
		text = fmt.Sprintf("%s: %s", s.Phase, s.Note)
	}
	return text
}

func (v *logView) trouble(err error) error {
	p := v.app.page()
	v.add(p, v.app.host.Now(), err.Error()+"; trying again")
	return v.write(p)
}

// tick breaks a long silence.
func (v *logView) tick() error {
	now := v.app.host.Now()
	if now.Sub(v.printed) < silence || v.status.WorkflowID == "" {
		return nil
	}
	p := v.app.page()
	v.add(p, now, fmt.Sprintf("still %s for %s: %s", v.status.Phase, age(now.Sub(v.status.Since)), v.status.Message))
	return v.write(p)
}

func (v *logView) interval() time.Duration { return time.Minute }

// add adds one entry.
func (v *logView) add(p *page, at time.Time, text string) {
	now := v.app.host.Now()
	v.printed = now
	stamp := clock(at, now) + gap
	p.paragraph(stylePlain, stamp, strings.Repeat(" ", len(stamp)), text)
}

func (v *logView) write(p *page) error {
	_, err := fmt.Fprint(v.app.host.Out, p.String())
	return err
}
