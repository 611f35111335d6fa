package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// redrawEvery is the pause between two drawings on a terminal.
	redrawEvery = 250 * time.Millisecond
	// lineEvery is the pause between two lines where nothing is drawn again.
	lineEvery = time.Minute
	// width of a line that is drawn again.
	width = 79
	// shown is how many lines of a failure are shown.
	shown = 80
)

// erase goes back to the beginning of a terminal's line and empties it.
const erase = "\r\x1b[K"

// screen is where a person, or a CI log, sees how the suites go.
type screen struct {
	out      io.Writer
	terminal bool

	mu sync.Mutex
}

// line prints a line.
func (s *screen) line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal {
		text = erase + text
	}
	fmt.Fprintln(s.out, text)
}

// draw shows a line until the next one.
func (s *screen) draw(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprint(s.out, erase+text[:min(len(text), width)])
}

// result prints the line of a suite, and why it failed.
func (s *screen) result(name string, o outcome) {
	word := "ok  "
	if o.bad() {
		word = "FAIL"
	}
	s.line(fmt.Sprintf("%s  %-9s %5d passed %3d failed %9s", word, name, o.passed, o.failed, o.took.Round(100*time.Millisecond)))
	if !o.bad() {
		return
	}
	if o.err != nil {
		s.line("      " + o.err.Error())
	}
	// What matters most comes first: logs of CI are often cut.
	for _, line := range slices.Concat(o.briefs, o.why[:min(len(o.why), whyLines)], cut(tail(strings.Join(o.reasons, ""), shown))) {
		s.line("      " + line)
	}
	s.line("      all of it is in " + logFolder + "/" + name + ".log")
}

// cutAt bounds a line of what a failed test has printed.
const cutAt = 2000

// cut shortens long lines.
func cut(lines []string) []string {
	for i, line := range lines {
		if len(line) > cutAt {
			lines[i] = strings.ToValidUTF8(line[:cutAt], "") + "..."
		}
	}
	return lines
}

// tail returns the last lines of a text.
func tail(text string, most int) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	if len(lines) <= most {
		return lines
	}
	return append([]string{fmt.Sprintf("(%d lines before)", len(lines)-most)}, lines[len(lines)-most:]...)
}

// progress of the suite that runs.
type progress struct {
	s     *screen
	name  string
	begun time.Time
	stop  chan struct{}
	ended sync.WaitGroup

	mu   sync.Mutex
	now  counts
	what string
}

// begin shows how a suite goes until its end.
func (s *screen) begin(name string) *progress {
	p := &progress{s: s, name: name, begun: time.Now(), stop: make(chan struct{})}
	every, show := lineEvery, s.line
	if s.terminal {
		every, show = redrawEvery, s.draw
	}
	p.ended.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-ticker.C:
				show(p.text())
			}
		}
	})
	return p
}

// at says how far the suite is, and what it does.
func (p *progress) at(now counts, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now, p.what = now, what
}

func (p *progress) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("...   %-9s %5d passed %3d failed %9s %s",
		p.name, p.now.passed, p.now.failed, time.Since(p.begun).Round(time.Second), p.what)
}

func (p *progress) end() {
	close(p.stop)
	p.ended.Wait()
}

// lineWriter hands on what is written line by line.
type lineWriter struct {
	line func(string)
	part []byte
}

// Write takes a part of the text; what has no end yet waits for it.
func (w *lineWriter) Write(text []byte) (int, error) {
	w.part = append(w.part, text...)
	for {
		line, after, found := bytes.Cut(w.part, []byte("\n"))
		if !found {
			return len(text), nil
		}
		w.line("      " + string(line))
		w.part = after
	}
}
