package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"sluice.dev/sluice/tests/sandbox/build"
	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/tests/sandbox/proc"
)

// progress shows builds on out, drawing only on a terminal.
func progress(out io.Writer) build.Progress {
	file, ok := out.(*os.File)
	return build.Progress{Out: out, Terminal: ok && term.IsTerminal(int(file.Fd()))}
}

// startProgress prints a line for each part that has become ready.
type startProgress struct {
	out  io.Writer
	seen map[string]proc.State
}

func (s *startProgress) see(now proc.Status) {
	if s.seen == nil {
		s.seen = make(map[string]proc.State)
	}
	for _, part := range now.Parts {
		if s.seen[part.Name] == part.State {
			continue
		}
		s.seen[part.Name] = part.State
		switch part.State {
		case proc.Ready, proc.Done:
			fmt.Fprintf(s.out, "%-20s %-7s %s\n", part.Name, part.State, part.ReadyAfter.Round(10*time.Millisecond))
		case proc.Failed:
			fmt.Fprintf(s.out, "%-20s %s\n", part.Name, part.State)
		}
	}
}

// printState prints how the sandbox is reached.
func printState(out io.Writer, state layout.State) {
	for _, row := range [][2]string{
		{"kubeconfig", state.Outside.Kubeconfig},
		{"API server", state.Outside.APIServer},
		{"gateway", state.Outside.GatewayURL},
		{"Temporal", state.Outside.Temporal},
		{"Temporal UI", state.Outside.TemporalUI},
		{"Prometheus", state.Outside.PrometheusURL},
		{"logs", state.Dir.Join("logs")},
	} {
		fmt.Fprintf(out, "%-12s %s\n", row[0], row[1])
	}
}
