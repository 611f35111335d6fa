// Command sluice-worker executes rollouts: it runs the workflow and its
// activities against one cluster.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/config/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "sluice-worker:", err)
		stop()
		os.Exit(1)
	}
}

// newCommand is the command line of the worker.
func newCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "sluice-worker",
		Short:         "Executes rollouts against one cluster",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := settings.Load(cmd.Flags())
			if err != nil {
				return err
			}
			return run(cmd.Context(), s, s.Log.Logger(cmd.ErrOrStderr()))
		},
	}
	settings.AddFlags(cmd.Flags())
	settings.AddWorkerFlags(cmd.Flags())
	cmd.AddCommand(newDocs())
	cmd.CompletionOptions.DisableDefaultCmd = true
	return cmd
}
