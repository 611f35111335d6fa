package cli

import (
	"github.com/spf13/cobra"

	"sluice.dev/sluice/workflows"
)

func addRetry(root *cobra.Command, a *app) {
	o := &message{}
	cmd := &cobra.Command{
		Use:   "retry " + targetArgs,
		Short: "Try a failed step again",
		Long:  targetHelp + "\n\nFor a rollout that is Stuck, when the cause is gone.",
		RunE:  func(cmd *cobra.Command, args []string) error { return o.sendNamed(a, cmd, args, workflows.VerbRetry) },
	}
	o.bind(cmd)
	root.AddCommand(cmd)
}
