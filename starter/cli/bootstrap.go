package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/starter/control"
)

// bootstrapOptions of `sluice bootstrap`.
type bootstrapOptions struct {
	retention time.Duration
}

// Temporal keeps closed workflows for at least a day.
const (
	minRetention     = 24 * time.Hour
	defaultRetention = 30 * 24 * time.Hour
)

func addBootstrap(root *cobra.Command, a *app) {
	o := &bootstrapOptions{}
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Prepare the Temporal namespace",
		Long: "Makes the Temporal namespace, if there is none, and registers the search attributes of rollouts.\n" +
			"It needs the rights of an administrator of Temporal and may be repeated. Rollouts work without\n" +
			"it, but cannot be searched for by phase.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(a, cmd) },
	}
	cmd.Flags().DurationVar(&o.retention, "retention", defaultRetention, "how long a new namespace keeps rollouts that have ended")
	root.AddCommand(cmd)
}

func (o *bootstrapOptions) run(a *app, cmd *cobra.Command) error {
	if o.retention < minRetention {
		return fmt.Errorf("--retention %s: Temporal keeps them for at least %s", o.retention, minRetention)
	}
	return a.connected(cmd, func(ctx context.Context, c Control) error {
		prepared, err := c.Bootstrap(ctx, o.retention)
		if len(prepared) == 0 {
			return err
		}
		if printErr := a.print(prepared, func(p *page) { drawPrepared(p, prepared) }); printErr != nil {
			return printErr
		}
		return err
	})
}

func drawPrepared(p *page, prepared []control.Prepared) {
	rows := make([][]string, 0, len(prepared))
	for _, one := range prepared {
		rows = append(rows, []string{one.What, one.Result})
	}
	p.rows("", rows, func(int) style { return stylePlain })
}
