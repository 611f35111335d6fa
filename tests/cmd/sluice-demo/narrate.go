package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// width of everything that is printed, except for addresses.
const width = 78

// style is how a text stands out on a terminal.
type style string

// The styles, as the parameters of an SGR sequence.
const (
	plain   style = ""
	bold    style = "1"
	dim     style = "2"
	command style = "36"
	good    style = "1;32"
	bad     style = "1;31"
)

// narrator prints the story. It may be used by several goroutines.
type narrator struct {
	out      io.Writer
	person   bool // somebody sits at a terminal
	terminal bool // lines can be drawn again
	colour   bool
	begun    time.Time

	mu    sync.Mutex
	drawn bool // a line that will be drawn again stands
}

func newNarrator(out *os.File, lookup func(string) (string, bool), begun time.Time) *narrator {
	kind, _ := lookup("TERM")
	person := term.IsTerminal(int(out.Fd()))
	terminal := person && kind != "dumb"
	noColour, _ := lookup("NO_COLOR")
	return &narrator{out: out, person: person, terminal: terminal, colour: terminal && noColour == "", begun: begun}
}

// erase goes back to the beginning of a terminal's line and empties it.
const erase = "\r\x1b[K"

// line prints a line.
func (n *narrator) line(s style, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.drawn {
		text, n.drawn = erase+n.styled(s, text), false
	} else {
		text = n.styled(s, text)
	}
	// A story that nobody reads is played to its end all the same.
	_, _ = io.WriteString(n.out, text+"\n")
}

func (n *narrator) styled(s style, text string) string {
	if !n.colour || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// draw shows a line on a terminal until the next one is printed or drawn.
func (n *narrator) draw(text string) {
	if !n.terminal {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drawn = true
	_, _ = io.WriteString(n.out, erase+n.styled(dim, text[:min(len(text), width)]))
}

// clear removes the line that was drawn.
func (n *narrator) clear() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.drawn {
		_, _ = io.WriteString(n.out, erase)
	}
	n.drawn = false
}

// title begins a chapter, with the time since the beginning.
func (n *narrator) title(text string) {
	left := "== " + text + " "
	right := fmt.Sprintf(" %s ==", clock(time.Since(n.begun)))
	n.line(plain, "")
	n.line(bold, left+strings.Repeat("=", max(2, width-len(left)-len(right)))+right)
}

// heading begins a part of a chapter.
func (n *narrator) heading(text string) {
	n.line(plain, "")
	left := "-- " + text + " "
	n.line(bold, left+strings.Repeat("-", max(2, width-len(left))))
}

// say prints a paragraph.
func (n *narrator) say(text string) {
	for _, line := range wrap(text, width) {
		n.line(plain, line)
	}
}

// event prints what a rollout reports about itself, and how long after its start.
func (n *narrator) event(after time.Duration, text string) {
	prefix := fmt.Sprintf("%6.1f s  ", after.Seconds())
	for _, line := range wrap(text, width-len(prefix)) {
		n.line(dim, prefix+line)
		prefix = strings.Repeat(" ", len(prefix))
	}
}

// run shows a command line that is run.
func (n *narrator) run(args []string) {
	for _, line := range commandLines(args) {
		n.line(command, line)
	}
}

// rows prints a table, indented.
func (n *narrator) rows(rows [][]string) {
	for _, line := range align(rows) {
		n.line(plain, "  "+line)
	}
}
