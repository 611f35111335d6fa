package cli

import (
	"github.com/spf13/cobra"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// resumeOptions of `sluice resume`.
type resumeOptions struct {
	message
	adopt bool
}

func addResume(root *cobra.Command, a *app) {
	o := &resumeOptions{}
	cmd := &cobra.Command{
		Use:   "resume " + targetArgs,
		Short: "End a pause",
		Long: targetHelp + "\n\nThe rollout goes on with what it was doing. Where it was paused because somebody else has changed\n" +
			"one of its objects, it first writes that again as it was; with --adopt it keeps the change.",
		Example: "  sluice resume web\n  sluice resume web --adopt --reason '5 % is enough for now'",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(a, cmd, args) },
	}
	o.bind(cmd)
	cmd.Flags().BoolVar(&o.adopt, "adopt", false, "keep what somebody else has changed")
	root.AddCommand(cmd)
}

func (o *resumeOptions) run(a *app, cmd *cobra.Command, args []string) error {
	id, err := o.resolve(a, cmd, args)
	if err != nil {
		return err
	}
	return o.send(a, cmd, id, workflows.VerbResume, func(_ control.Status, m *workflows.Message) error {
		m.Adopt = o.adopt
		return nil
	})
}
