package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/tests/sandbox"
)

func newBuild() *cobra.Command {
	return &cobra.Command{
		Use:   "build",
		Short: "Build the parts of a sandbox, and kubectl, into the cache",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			begun := time.Now()
			if _, err := sandbox.Build(cmd.Context(), progress(cmd.OutOrStdout())); err != nil {
				return err
			}
			if _, err := sandbox.BuildKubectl(cmd.Context(), progress(cmd.OutOrStdout())); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "all parts are built, after", time.Since(begun).Round(100*time.Millisecond))
			return nil
		},
	}
}
