package cli

import (
	"github.com/spf13/cobra"

	"sluice.dev/sluice/workflows"
)

func addPause(root *cobra.Command, a *app) {
	o := &message{}
	cmd := &cobra.Command{
		Use:   "pause " + targetArgs,
		Short: "Stop before the next operation",
		Long:  targetHelp + "\n\nNothing is undone, and no request moves, until resume or abort.",
		RunE:  func(cmd *cobra.Command, args []string) error { return o.sendPlain(a, cmd, args, workflows.VerbPause) },
	}
	o.bind(cmd)
	root.AddCommand(cmd)
}
