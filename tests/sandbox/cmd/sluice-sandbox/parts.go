package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/tests/sandbox"
)

// partCommand is a command that does something to parts of a sandbox.
type partCommand struct {
	use, short, done string
	act              func(ctx context.Context, s *sandbox.Sandbox, part string) error
}

func newPartCommands(w *which) []*cobra.Command {
	var kill bool
	stop := newPartCommand(w, partCommand{"stop", "End parts, such as apiserver or traefik-1", "is stopped",
		func(ctx context.Context, s *sandbox.Sandbox, part string) error {
			if kill {
				return s.Kill(ctx, part)
			}
			return s.Stop(ctx, part)
		}})
	stop.Flags().BoolVar(&kill, "kill", false, "with SIGKILL, as a machine that fails would")
	return []*cobra.Command{
		stop,
		newPartCommand(w, partCommand{"start", "Start parts that were stopped or have died", "is ready",
			func(ctx context.Context, s *sandbox.Sandbox, part string) error { return s.Start(ctx, part) }}),
		newPartCommand(w, partCommand{"restart", "Stop parts and start them again", "is ready",
			func(ctx context.Context, s *sandbox.Sandbox, part string) error { return s.Restart(ctx, part) }}),
		newPartCommand(w, partCommand{"freeze", "Keep parts from running until thaw", "is frozen",
			func(ctx context.Context, s *sandbox.Sandbox, part string) error { return s.Freeze(ctx, part) }}),
		newPartCommand(w, partCommand{"thaw", "Let frozen parts go on", "goes on",
			func(ctx context.Context, s *sandbox.Sandbox, part string) error { return s.Thaw(ctx, part) }}),
	}
}

func newPartCommand(w *which, p partCommand) *cobra.Command {
	return &cobra.Command{
		Use:   p.use + " PART...",
		Short: p.short,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, parts []string) error {
			s, err := w.attach()
			if err != nil {
				return err
			}
			for _, part := range parts {
				if err := p.act(cmd.Context(), s, part); err != nil {
					return fmt.Errorf("%s %s: %w", p.use, part, err)
				}
				fmt.Fprintln(cmd.OutOrStdout(), part, p.done)
			}
			return nil
		},
	}
}
