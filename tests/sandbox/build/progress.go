package build

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	// lineEvery is the pause between two lines on an output that keeps lines.
	lineEvery = 15 * time.Second
	// redrawEvery is the pause between two drawings on a terminal.
	redrawEvery = 200 * time.Millisecond
)

// Progress shows how far builds are: on a terminal in one line that is drawn
// again, elsewhere with a line now and then.
type Progress struct {
	Out io.Writer
	// Terminal says that Out understands a carriage return and erasing.
	Terminal bool
}

// Say prints a line.
func (p Progress) Say(text string) {
	fmt.Fprintln(p.Out, text)
}

// Report shows how far one build is. It is shown again and again until End.
type Report struct {
	p     Progress
	name  string
	begun time.Time
	stop  chan struct{}
	ended sync.WaitGroup

	mu          sync.Mutex
	done, total int
}

// Begin starts a Report.
func (p Progress) Begin(name string) *Report {
	r := &Report{p: p, name: name, begun: time.Now(), stop: make(chan struct{})}
	every := lineEvery
	if p.Terminal {
		every = redrawEvery
	} else {
		p.Say(name + ": building")
	}
	r.ended.Go(func() { r.repeat(every) })
	return r
}

// At says how many packages of how many have been compiled.
func (r *Report) At(done, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done, r.total = done, max(done, total)
}

// End shows the outcome in a line of its own.
func (r *Report) End(outcome string) {
	close(r.stop)
	r.ended.Wait()
	r.show(r.name+": "+outcome, "\n")
}

func (r *Report) repeat(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-ticker.C:
			if r.p.Terminal {
				r.show(r.text(), "")
			} else {
				r.show(r.text(), "\n")
			}
		}
	}
}

func (r *Report) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := time.Since(r.begun).Round(time.Second)
	if r.total == 0 {
		return fmt.Sprintf("%s: fetching modules, %s", r.name, since)
	}
	if r.total-r.done <= 1 {
		// What is linked counts as a package, even if it is compiled already.
		return fmt.Sprintf("%s: linking, %s", r.name, since)
	}
	return fmt.Sprintf("%s: %d of %d packages, %d %%, %s", r.name, r.done, r.total, 100*r.done/r.total, since)
}

func (r *Report) show(text, end string) {
	var line strings.Builder
	if r.p.Terminal {
		line.WriteString("\r\x1b[K")
	}
	line.WriteString(text)
	line.WriteString(end)
	// Progress that cannot be shown must not fail the build.
	_, _ = io.WriteString(r.p.Out, line.String())
}
