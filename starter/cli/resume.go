package cli

import (
	"github.com/spf13/cobra"

	"sluice.dev/sluice/workflows"
)

func addResume(root *cobra.Command, a *app) {
	o := &message{}
	cmd := &cobra.Command{
		Use:   "resume " + targetArgs,
		Short: "End a pause",
		Long:  targetHelp + "\n\nThe rollout goes on with what it was doing.",
		RunE:  func(cmd *cobra.Command, args []string) error { return o.sendNamed(a, cmd, args, workflows.VerbResume) },
	}
	o.bind(cmd)
	root.AddCommand(cmd)
}
