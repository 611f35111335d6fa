package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/tests/sandbox"
)

func newDown(w *which) *cobra.Command {
	var purge bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Take a sandbox down",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := w.folder()
			if err != nil {
				return err
			}
			s, err := sandbox.Attach(string(dir))
			switch {
			case errors.Is(err, sandbox.ErrNotRunning):
				fmt.Fprintln(cmd.OutOrStdout(), "no sandbox runs in", dir)
			case err != nil:
				return err
			default:
				if err := s.Down(cmd.Context()); err != nil {
					return fmt.Errorf("taking the sandbox down: %w", err)
				}
				fmt.Fprintln(cmd.OutOrStdout(), "sandbox", s.State().Name, "is down")
			}
			if purge {
				return dir.Remove()
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "delete the sandbox's folder as well")
	return cmd
}
