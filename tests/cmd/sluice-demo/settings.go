package main

import (
	"fmt"
	"strconv"
	"time"
)

// settings say how the story is told.
type settings struct {
	// pause at each hold, at least.
	pause time.Duration
	// interactive lets a person promote.
	interactive bool
	// keep the sandbox when the story is told.
	keep bool
}

// keepVariable says whether the sandbox is kept.
const keepVariable = "DEMO_KEEP"

// defaultPause is what a person needs to read a hold.
const defaultPause = 3 * time.Second

// maxPause keeps the whole story within its limit.
const maxPause = time.Minute

// readSettings reads the environment. If it does not say whether to keep the
// sandbox, that is done for somebody who sits at a terminal.
func readSettings(lookup func(string) (string, bool), terminal bool) (settings, error) {
	s := settings{pause: defaultPause, keep: terminal}
	if text, ok := lookup("DEMO_PAUSE"); ok && text != "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(seconds >= 0 && seconds <= maxPause.Seconds()) {
			return s, fmt.Errorf("DEMO_PAUSE=%s: write seconds, 0 to %v", text, maxPause.Seconds())
		}
		s.pause = time.Duration(seconds * float64(time.Second))
	}
	for name, into := range map[string]*bool{"INTERACTIVE": &s.interactive, keepVariable: &s.keep} {
		text, ok := lookup(name)
		if !ok || text == "" {
			continue
		}
		value, err := strconv.ParseBool(text)
		if err != nil {
			return s, fmt.Errorf("%s=%s: write 1 or 0", name, text)
		}
		*into = value
	}
	return s, nil
}

// stays says whether the sandbox is kept until somebody interrupts.
func (s settings) stays() bool { return s.interactive || s.keep }

// loadLimit bounds how long requests are sent.
func (s settings) loadLimit() time.Duration {
	if s.interactive {
		return time.Hour
	}
	return 15 * time.Minute
}

// limit bounds everything, cold builds included.
func (s settings) limit() time.Duration {
	if s.stays() {
		return 24 * time.Hour
	}
	return 90 * time.Minute
}
