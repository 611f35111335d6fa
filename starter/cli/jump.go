package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// jumpOptions of `sluice jump`.
type jumpOptions struct {
	message
	step int
}

func addJump(root *cobra.Command, a *app) {
	o := &jumpOptions{}
	cmd := &cobra.Command{
		Use:     "jump " + targetArgs + " --step N",
		Short:   "Go to another step, forwards or backwards",
		Long:    targetHelp + "\n\nHolds on the way are skipped; the order that loses no request is kept.",
		Example: "  sluice jump web --step 1",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(a, cmd, args) },
	}
	o.bind(cmd)
	cmd.Flags().IntVar(&o.step, "step", 0, "step to go to, from 1")
	root.AddCommand(cmd)
}

func (o *jumpOptions) run(a *app, cmd *cobra.Command, args []string) error {
	if o.step < 1 {
		return errors.New("--step: name the step to go to, from 1")
	}
	id, err := o.resolve(a, cmd, args)
	if err != nil {
		return err
	}
	return o.send(a, cmd, id, workflows.VerbJump, func(status control.Status, m *workflows.Message) error {
		m.Step, m.Revision = o.step, status.Revision
		return nil
	})
}
