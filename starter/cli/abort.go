package cli

import (
	"github.com/spf13/cobra"

	"sluice.dev/sluice/workflows"
)

// addAbort sends the abort without a look at the status first: it acts on
// whatever run is open.
func addAbort(root *cobra.Command, a *app) {
	o := &message{}
	cmd := &cobra.Command{
		Use:   "abort " + targetArgs,
		Short: "Return all requests to stable and remove the canary",
		Long: targetHelp + "\n\nAn abort waits for nothing: where no worker answers within two seconds it is left as a signal,\n" +
			"which acts as soon as one is back.",
		Example: "  sluice abort web --reason 'errors on checkout'",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.sendPlain(a, cmd, args, workflows.VerbAbort) },
	}
	o.bind(cmd)
	root.AddCommand(cmd)
}
