package cli

import (
	"fmt"
	"strings"
	"time"

	"sluice.dev/sluice/starter/control"
)

// liveView draws the status on a terminal, again and again in the same place.
type liveView struct {
	app    *app
	status control.Status
	notice string
	// drawn is how many lines of the last picture the cursor is below.
	drawn int
}

func (v *liveView) show(status control.Status) error {
	v.status, v.notice = status, ""
	return v.tick()
}

func (v *liveView) trouble(err error) error {
	v.notice = err.Error() + "; trying again"
	return v.tick()
}

// tick draws the picture again: times go on while nothing else does, and the
// terminal may have another size.
func (v *liveView) tick() error {
	p := v.app.page()
	if v.status.WorkflowID != "" {
		drawStatus(p, v.status, v.app.host.Now())
	}
	p.field(styleBad, "Trouble", v.notice)
	if _, height, ok := v.app.terminal(); ok && len(p.lines) >= height {
		// What does not fit cannot be drawn over later.
		p.lines = p.lines[:max(1, height-1)]
	}
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", v.drawn)
	}
	// Each line replaces the one that was there, so that nothing flickers.
	b.WriteString("\r" + strings.ReplaceAll(p.String(), "\n", "\x1b[K\n") + "\x1b[J")
	v.drawn = len(p.lines)
	_, err := fmt.Fprint(v.app.host.Out, b.String())
	return err
}

func (v *liveView) interval() time.Duration { return time.Second }
