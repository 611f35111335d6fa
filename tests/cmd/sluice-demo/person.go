package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/workflows"
)

// environmentFile holds what `sluice` and `kubectl` need in another terminal.
func (s *story) environmentFile() string { return s.Sandbox.Dir().Join("env") }

func (s *story) writeEnvironment() error {
	text := ""
	for _, pair := range [][2]string{
		{"KUBECONFIG", quote(s.Sandbox.Dir().Kubeconfig())},
		{"TEMPORAL_ADDRESS", quote(s.Sandbox.State().Outside.Temporal)},
		{"SLUICE_NAMESPACE", quote(namespace)},
		{"PATH", quote(filepath.Dir(s.Programs.Sluice)) + `:"$PATH"`},
	} {
		text += fmt.Sprintf("export %s=%s\n", pair[0], pair[1])
	}
	return layout.WriteFile(s.environmentFile(), []byte(text))
}

// invite tells a person how to go on.
func (s *story) invite() {
	s.heading("Your turn, in another terminal")
	for _, line := range []string{
		". " + quote(s.environmentFile()),
		"sluice status " + harness.Demo,
		"sluice promote " + harness.Demo + " --reason 'looks good'",
		"sluice abort " + harness.Demo + " --reason 'looks bad'",
	} {
		s.line(command, "  "+line)
	}
	s.line(plain, "or send the signal `promote` in the Temporal UI:")
	s.line(plain, "  "+s.storyURL())
}

// awaitPerson shows what clients see until the rollout no longer holds at its
// step.
func (s *story) awaitPerson(ctx context.Context, held workflows.Status) error {
	byCohort := len(held.Confirmed.Matches) > 0
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		w, err := s.load.Window(ctx, holdMark(held))
		if err != nil {
			return err
		}
		s.draw(liveShares(w, byCohort) + "; waiting for you")
		st, err := s.Status(ctx, namespace)
		if err != nil {
			return err
		}
		if st.Phase != workflows.PhaseHolding || holdsAnew(held, st) {
			s.showAnswers(w, byCohort)
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
