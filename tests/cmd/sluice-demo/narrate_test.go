package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPlainWithoutTerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer file.Close()
	n := newNarrator(file, lookupIn(map[string]string{"TERM": "xterm"}), time.Now())
	n.title("A chapter")
	n.draw("not to be seen")
	n.line(good, "good")
	n.clear()
	text, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	require.NotContains(t, string(text), "\x1b")
	require.NotContains(t, string(text), "\r")
	require.NotContains(t, string(text), "not to be seen")
	lines := strings.Split(string(text), "\n")
	require.Equal(t, "== A chapter "+strings.Repeat("=", 57)+" 0:00 ==", lines[1])
	require.Len(t, lines[1], width)
	require.Equal(t, "good", lines[2])
}

func TestTerminal(t *testing.T) {
	for name, c := range map[string]struct {
		colour bool
		want   string
	}{
		"colour":   {true, erase + "\x1b[2mdrawn\x1b[0m" + erase + "\x1b[1;32mgood\x1b[0m\n"},
		"NO_COLOR": {false, erase + "drawn" + erase + "good\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			n := &narrator{out: &out, terminal: true, colour: c.colour}
			n.draw("drawn")
			n.line(good, "good")
			n.clear()
			require.Equal(t, c.want, out.String())
		})
	}
}

func TestEvent(t *testing.T) {
	var out bytes.Buffer
	n := &narrator{out: &out}
	n.event(2140*time.Millisecond, "route weight 100 (confirmed by state at 2 of 2 gateway replicas, 1127 ms)")
	require.Equal(t, "   2.1 s  route weight 100 (confirmed by state at 2 of 2 gateway replicas,\n"+
		"          1127 ms)\n", out.String())
}
