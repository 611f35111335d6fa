package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/sandbox/load"
)

// TestConclude tells the account of a story that nobody keeps.
func TestConclude(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		window load.Window
		lost   string
		fails  bool
	}{
		"nothing lost": {load.Window{Requests: 1200, Good: 1200}, "Requests lost  0", false},
		"some lost":    {load.Window{Requests: 1200, Good: 1197}, "Requests lost  3", true},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			s := &story{stage: &stage{narrator: &narrator{out: &out, begun: now}}}
			c.window.From, c.window.To = now.Add(-time.Minute), now
			err := s.conclude(c.window)
			require.Equal(t, c.fails, errors.Is(err, errLost))
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			require.Equal(t, []string{
				"Requests sent  1200, in 1:00", c.lost,
				"Temporal UI    ends with the sandbox; `make demo DEMO_KEEP=1` keeps both until Ctrl-C",
			}, lines[len(lines)-3:])
		})
	}
}
