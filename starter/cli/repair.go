package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// Remains is how commands read from the cluster what rollouts have left. Nothing
// is written.
type Remains interface {
	// FindMarked finds the workloads of a namespace, of all where it is empty,
	// that a rollout has marked.
	FindMarked(ctx context.Context, flags *pflag.FlagSet, namespace string) ([]preflight.Marked, error)
	// InspectRemains reads what is left on one of them.
	InspectRemains(ctx context.Context, flags *pflag.FlagSet, request preflight.RemainsRequest) (preflight.Remains, error)
}

// repairOptions of `sluice repair`.
type repairOptions struct {
	target
	who
	wait       bool
	dryRun     bool
	all        bool
	everywhere bool
}

func addRepair(root *cobra.Command, a *app) {
	o := &repairOptions{}
	cmd := &cobra.Command{
		Use:   "repair " + targetArgs,
		Short: "End what a lost rollout has left",
		Long: targetHelp + `

A rollout is lost when its workflow was terminated or its history is gone: nobody goes on, and what
it has changed is still there. Serving is safe meanwhile. The repair reads from the cluster how far
the rollout had come, and brings everything to its end in the order that loses no request: back to
stable, or, where all pods run the new revision already, on to it. It is a workflow with the ID of
the workload's rollout, so that it never runs beside an open one: where one is open the command
fails and does nothing (sluice abort ends an open one).

How long requests in flight may take is read from the document (-f), else from the last rollout that
Temporal knows, else it is the default of documents; where the rollout has noted a longer time on the
workload, that is waited.

Without a name, everything that rollouts have left in the namespace is listed, with the rollout that
is open for it, if one is. --all repairs what has none. Listing and --dry-run need access to the
cluster; nothing else does.

With --wait the exit code is 0 for both ends.`,
		Example: "  sluice repair\n  sluice repair web --dry-run\n  sluice repair web --wait --reason 'terminated by mistake'\n  sluice repair --all -A",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(a, cmd, args) },
	}
	o.target.bind(cmd)
	o.who.bind(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&o.wait, "wait", false, "wait for the end and show the progress")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show what is left and what would be done; write nothing")
	flags.BoolVar(&o.all, "all", false, "repair everything that is left and has no open rollout")
	flags.BoolVarP(&o.everywhere, "all-namespaces", "A", false, "look in all namespaces of the cluster")
	root.AddCommand(cmd)
}

func (o *repairOptions) validate(args []string) error {
	if err := o.target.validate(args); err != nil {
		return err
	}
	switch {
	case o.given() && (o.all || o.everywhere):
		return errors.New("--all and --all-namespaces are for everything: name no workload")
	case o.dryRun && o.wait:
		return errors.New("--dry-run starts nothing: leave --wait out")
	case o.dryRun && !o.given():
		return errors.New("--dry-run shows one repair: name the workload")
	case o.wait && !o.given() && !o.all:
		return errors.New("--wait is for a repair: name the workload, or give --all")
	}
	return nil
}

func (o *repairOptions) run(a *app, cmd *cobra.Command, args []string) error {
	if err := o.validate(args); err != nil {
		return err
	}
	if !o.given() {
		return o.survey(a, cmd)
	}
	id, err := o.id(a, cmd)
	if err != nil {
		return err
	}
	return a.connected(cmd, func(ctx context.Context, c Control) error {
		in, err := o.input(ctx, a, cmd, c, id)
		if err != nil {
			return err
		}
		if o.dryRun {
			return o.show(ctx, a, cmd, c, in, id)
		}
		return o.start(ctx, a, c, in)
	})
}

// input is the repair of the workload with a workflow ID.
func (o *repairOptions) input(ctx context.Context, a *app, cmd *cobra.Command, c Control, id string) (workflows.Input, error) {
	cluster, namespace, kind, name, err := workflows.ParseWorkflowID(id)
	if err != nil {
		return workflows.Input{}, err
	}
	doc, err := o.graces(ctx, a, cmd, c, id)
	if err != nil {
		return workflows.Input{}, err
	}
	return workflows.Input{
		Cluster: cluster, Repair: true, By: o.actor(a.host), Reason: o.reason,
		Rollout: config.Rollout{
			Source: doc.Source, Name: doc.Name, Namespace: namespace,
			Workload: config.ObjectRef{APIVersion: "apps/v1", Kind: kind, Name: name},
			Traffic:  doc.Traffic, Deadline: doc.Deadline, OnFailure: doc.OnFailure,
		},
	}, nil
}

// graces returns the document from which a repair takes its times: the one that
// was named, that of the last rollout, or the defaults where both are unknown.
func (o *repairOptions) graces(ctx context.Context, a *app, cmd *cobra.Command, c Control, id string) (config.Rollout, error) {
	if o.file != "" {
		scope, err := a.host.Backend.Scope(cmd.Flags())
		if err != nil {
			return config.Rollout{}, err
		}
		return o.load(a, scope)
	}
	last, err := c.Input(ctx, control.Run{ID: id})
	if err == nil && last.Rollout.Traffic.ConfirmTimeout > 0 {
		return last.Rollout, nil
	}
	if err != nil && !control.IsNotFound(err) {
		if !control.Permanent(err) {
			return config.Rollout{}, err
		}
		a.warn("the last rollout cannot be read (" + err.Error() + "): its times are not known, those of a document that says nothing are taken; -f names a document")
	}
	return workflows.RepairDocument(nil), nil
}

// start starts a repair, and waits for its end where that is wanted. One that
// runs already is waited for.
func (o *repairOptions) start(ctx context.Context, a *app, c Control, in workflows.Input) error {
	run, err := c.Start(ctx, in, control.StartOptions{Link: jobLink(a.host)})
	a.warn(run.Warnings...)
	var open *control.AlreadyRunning
	if errors.As(err, &open) {
		return o.attach(ctx, a, c, open)
	}
	if err != nil {
		return err
	}
	if o.wait {
		return o.await(ctx, a, c, run.ID)
	}
	return a.print(run, func(p *page) {
		p.paragraph(stylePlain, "", "", "started the repair of "+control.Subject(run.ID)+", run "+run.RunID)
	})
}

func (o *repairOptions) attach(ctx context.Context, a *app, c Control, open *control.AlreadyRunning) error {
	in, err := c.Input(ctx, open.Run)
	if err != nil {
		return errors.Join(open, err)
	}
	switch {
	case in.Repair && o.wait:
		a.warn("a repair of " + control.Subject(open.Run.ID) + " runs already: waiting for it")
		return o.await(ctx, a, c, open.Run.ID)
	case in.Repair:
		return fmt.Errorf("%w: it is a repair; --wait waits for it", open)
	}
	return fmt.Errorf("%w: it is not lost, and nothing was done; `sluice status` shows it, `sluice abort` ends it", open)
}

// await follows the repair to its end. Both ends are what a repair is for.
func (o *repairOptions) await(ctx context.Context, a *app, c Control, id string) error {
	status, err := a.follow(ctx, c, id)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case status.Phase == workflows.PhaseRolledBack:
		return nil
	}
	return outcome(status)
}
