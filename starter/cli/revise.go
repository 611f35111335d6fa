package cli

import (
	"github.com/spf13/cobra"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// reviseOptions of `sluice revise`.
type reviseOptions struct {
	message
	change
}

func addRevise(root *cobra.Command, a *app) {
	o := &reviseOptions{}
	cmd := &cobra.Command{
		Use:   "revise " + targetArgs,
		Short: "Release another revision instead of the present one",
		Long: targetHelp + "\n\nThe canary is emptied first, and the steps begin again with the new revision; no request\n" +
			"ever goes to both.",
		Example: "  sluice revise web --image main=shop/web:v3",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(a, cmd, args) },
	}
	o.message.bind(cmd)
	o.change.bind(cmd)
	root.AddCommand(cmd)
}

func (o *reviseOptions) run(a *app, cmd *cobra.Command, args []string) error {
	id, err := o.resolve(a, cmd, args)
	if err != nil {
		return err
	}
	_, _, kind, name, err := workflows.ParseWorkflowID(id)
	if err != nil {
		return err
	}
	change, err := o.change.read(a.host.In, config.ObjectRef{Kind: kind, Name: name})
	if err != nil {
		return err
	}
	return o.send(a, cmd, id, workflows.VerbRevise, func(_ control.Status, m *workflows.Message) error {
		m.Change = &change
		return nil
	})
}
