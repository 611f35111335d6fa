package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
}

func TestReadSettings(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want settings
		fail string
	}{
		"nothing":      {nil, settings{pause: defaultPause}, ""},
		"empty":        {map[string]string{"DEMO_PAUSE": "", "INTERACTIVE": ""}, settings{pause: defaultPause}, ""},
		"no pause":     {map[string]string{"DEMO_PAUSE": "0"}, settings{}, ""},
		"fractions":    {map[string]string{"DEMO_PAUSE": "0.5"}, settings{pause: 500 * time.Millisecond}, ""},
		"interactive":  {map[string]string{"INTERACTIVE": "1"}, settings{pause: defaultPause, interactive: true}, ""},
		"kept":         {map[string]string{"DEMO_KEEP": "1", "INTERACTIVE": "0"}, settings{pause: defaultPause, keep: true}, ""},
		"bad pause":    {map[string]string{"DEMO_PAUSE": "soon"}, settings{}, "DEMO_PAUSE=soon: write seconds, 0 to 60"},
		"long pause":   {map[string]string{"DEMO_PAUSE": "61"}, settings{}, "write seconds"},
		"not a number": {map[string]string{"DEMO_PAUSE": "NaN"}, settings{}, "write seconds"},
		"bad switch":   {map[string]string{"DEMO_KEEP": "maybe"}, settings{}, "DEMO_KEEP=maybe: write 1 or 0"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readSettings(lookupIn(c.env), false)
			if c.fail != "" {
				require.ErrorContains(t, err, c.fail)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// TestTerminalKeeps makes sure that a person finds the story where the last line
// says, and that a CI job ends.
func TestTerminalKeeps(t *testing.T) {
	for name, c := range map[string]struct {
		keep     string
		terminal bool
		want     bool
	}{
		"a terminal":           {"", true, true},
		"a terminal, told not": {"0", true, false},
		"a log":                {"", false, false},
		"a log, told to":       {"1", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readSettings(lookupIn(map[string]string{keepVariable: c.keep}), c.terminal)
			require.NoError(t, err)
			require.Equal(t, c.want, got.stays())
		})
	}
}

func TestStays(t *testing.T) {
	require.False(t, settings{}.stays())
	require.True(t, settings{keep: true}.stays())
	require.True(t, settings{interactive: true}.stays())
}
