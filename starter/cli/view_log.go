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
	// event is the last one that was printed, head the last headline and phase
	// its phase, progress the last words of each activity.
	event    workflows.Event
	head     string
	phase    workflows.Phase
	progress map[string]bool
	// printed is when the last line was, and stamped the time that it carries.
	printed, stamped time.Time
}

// silence is how long the log may say nothing: CI systems end jobs that do.
const silence = 5 * time.Minute

func (v *logView) show(status control.Status) error {
	v.status = status
	p := v.app.page()
	for _, event := range v.news(status.Timeline) {
		// The end is told by the headline.
		if !status.Over() || event.Text != status.Message {
			v.addEvent(p, event)
		}
		v.event = event
	}
	if head := headline(status); head != v.head && !v.told(status) {
		at := v.app.host.Now()
		if status.Phase != v.phase {
			at = status.Since
		}
		v.add(p, at, head)
		v.head, v.phase = head, status.Phase
	}
	v.addProgress(p, status)
	return v.write(p)
}

// addProgress adds what running operations say. A failure that repeats is told
// once.
func (v *logView) addProgress(p *page, status control.Status) {
	progress := map[string]bool{}
	for _, one := range status.Progress {
		key := one.Activity + "\n" + one.Text + "\n" + one.Failure
		progress[key] = true
		if (one.Text != "" || one.Failure != "") && !v.progress[key] {
			v.add(p, v.app.host.Now(), status.Message+": "+one.String())
		}
	}
	v.progress = progress
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
		return s.Failure == "" && s.Note == ""
	}
	return false
}

// headline says where the rollout rests.
func headline(s control.Status) string {
	switch {
	case s.Over():
		return s.Message
	case s.Note != "":
		return fmt.Sprintf("%s: %s", s.Phase, s.Note)
	case s.Phase == workflows.PhaseChecking:
		return fmt.Sprintf("%s: %s", s.Phase, s.Message)
	}
	return fmt.Sprintf("%s: %s (%s step %d of %d, canary %d%% asked, %d%% confirmed, pods: stable %d desired, canary %d of %d ready)",
		s.Phase, s.Message, stepBar(s, logBar), s.Step, len(s.Steps), s.Asked.Weight, s.Confirmed.Weight, s.Replicas, s.Canary.Ready, s.Canary.Total)
}

// logBar is the width of the bar in a log, where a line has more to tell.
const logBar = 10

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

// addEvent adds an event. One that is heard of late, as after an outage, says when it
// was.
func (v *logView) addEvent(p *page, event workflows.Event) {
	text, now := event.Text, v.app.host.Now()
	if at := clock(event.At, now); event.At.Before(v.stamped) && at != clock(v.stamped, now) {
		text += " (at " + at + ")"
	}
	v.add(p, event.At, text)
}

// add adds one entry. The clock of a log never runs backwards.
func (v *logView) add(p *page, at time.Time, text string) {
	now := v.app.host.Now()
	if at.Before(v.stamped) {
		at = v.stamped
	}
	v.printed, v.stamped = now, at
	stamp := clock(at, now) + gap
	p.paragraph(stylePlain, stamp, strings.Repeat(" ", len(stamp)), text)
}

func (v *logView) write(p *page) error {
	_, err := fmt.Fprint(v.app.host.Out, p.String())
	return err
}
