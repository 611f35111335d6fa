package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/starter/control"
)

// statusOptions of `sluice status`.
type statusOptions struct {
	target
	watch bool
}

func addStatus(root *cobra.Command, a *app) {
	o := &statusOptions{}
	cmd := &cobra.Command{
		Use:   "status " + targetArgs,
		Short: "Show where a rollout stands",
		Long: targetHelp + "\nWithout a name the open rollout of the namespace is shown; where there are several, they are\n" +
			"listed.\n\nWith --watch the status is drawn in place on a terminal until the rollout ends; elsewhere, what\n" +
			"happens is printed line by line.",
		Example: "  sluice status web\n  sluice status web --watch\n  sluice status web -o json",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(a, cmd, args) },
	}
	o.bind(cmd)
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "go on until the rollout has ended")
	root.AddCommand(cmd)
}

func (o *statusOptions) run(a *app, cmd *cobra.Command, args []string) error {
	if err := o.validate(args); err != nil {
		return err
	}
	return a.connected(cmd, func(ctx context.Context, c Control) error {
		id, err := o.find(ctx, a, cmd, c)
		if err != nil || id == "" {
			return err
		}
		if o.watch {
			_, err := a.follow(ctx, c, id)
			return err
		}
		status, err := c.Status(ctx, id)
		if err != nil {
			return err
		}
		return a.print(status, func(p *page) { drawStatus(p, status, a.host.Now()) })
	})
}

// find returns the workflow ID that is meant. Without a name it is that of the
// only open rollout; several are listed, and the ID is empty.
func (o *statusOptions) find(ctx context.Context, a *app, cmd *cobra.Command, c Control) (string, error) {
	if o.given() {
		return o.id(a, cmd)
	}
	scope, err := a.host.Backend.Scope(cmd.Flags())
	if err != nil {
		return "", err
	}
	rows, err := c.List(ctx, control.Filter{Cluster: scope.Cluster, Namespace: scope.Namespace})
	if err != nil {
		return "", err
	}
	switch {
	case len(rows) == 1:
		return rows[0].WorkflowID, nil
	case len(rows) == 0:
		return "", errors.New("no rollout is open in namespace " + scope.Namespace + " of cluster " + scope.Cluster + ": name a workload to see its last one")
	case o.watch:
		a.warn("several rollouts are open: name one to watch it")
	}
	return "", a.print(rows, func(p *page) { drawList(p, rows, a.host.Now()) })
}
