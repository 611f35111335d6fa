package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// startOptions of `sluice start`.
type startOptions struct {
	document
	change
	who
	wait    bool
	timeout time.Duration
	dryRun  bool
}

func addStart(root *cobra.Command, a *app) {
	o := &startOptions{}
	cmd := &cobra.Command{
		Use:   "start -f FILE --image CONTAINER=IMAGE",
		Short: "Start a rollout",
		Long: "Starts the rollout of a new revision as the document says. A workload has one open rollout:\n" +
			"where there is one already, its status is shown and the command fails, unless --wait is given\n" +
			"and it releases the same change; then it is waited for, so that a CI job can be repeated.\n\n" +
			"Exit codes:\n" + exitCodes,
		Example: "  sluice start -f rollout.yaml --image main=shop/web:v2\n" +
			"  sluice start -f rollout.yaml --image main=shop/web:v2 --wait --timeout 30m\n" +
			"  sluice start -f rollout.yaml --manifest web.yaml --dry-run",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(a, cmd) },
	}
	o.document.bind(cmd)
	o.change.bind(cmd)
	o.who.bind(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&o.wait, "wait", false, "wait for the end and show the progress")
	flags.DurationVar(&o.timeout, "timeout", 0, "with --wait: how long to wait, such as 30m (default: without end)")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show the plan and write nothing, like sluice plan")
	root.AddCommand(cmd)
}

func (o *startOptions) validate() error {
	switch {
	case o.file == "":
		return errors.New("-f FILE: name the file with the Rollout document")
	case o.file == "-" && o.manifest == "-":
		return errors.New("-f and --manifest cannot both read standard input")
	case o.timeout < 0:
		return fmt.Errorf("--timeout %s: cannot be negative", o.timeout)
	case o.timeout > 0 && !o.wait:
		return errors.New("--timeout is for --wait: give both")
	case o.wait && o.dryRun:
		return errors.New("--dry-run starts nothing: leave --wait out")
	}
	return nil
}

func (o *startOptions) run(a *app, cmd *cobra.Command) error {
	if err := o.validate(); err != nil {
		return err
	}
	in, err := o.input(a, cmd)
	if err != nil {
		return err
	}
	if o.dryRun {
		return showPlan(a, cmd, in, nil)
	}
	return a.connected(cmd, func(ctx context.Context, c Control) error {
		run, err := c.Start(ctx, in, control.StartOptions{Link: jobLink(a.host)})
		a.warn(run.Warnings...)
		var open *control.AlreadyRunning
		switch {
		case errors.As(err, &open):
			return o.attach(ctx, a, c, in, open)
		case err != nil:
			return err
		case o.wait:
			return o.await(ctx, a, c, run.ID)
		}
		return a.print(run, func(p *page) {
			p.paragraph(stylePlain, "", "", "started the rollout of "+control.Subject(run.ID)+", run "+run.RunID)
			p.paragraph(stylePlain, "", "", "It is checked before anything is touched: `"+statusCommand(in)+"` tells whether it is refused.")
		})
	})
}

// statusCommand shows the rollout that was started.
func statusCommand(in workflows.Input) string {
	name := in.Rollout.Workload.Name
	if kind := in.Rollout.Workload.Kind; kind != "Deployment" {
		name = kind + "/" + name
	}
	return "sluice status " + name + " -n " + in.Rollout.Namespace
}

// input reads the document and the change.
func (o *startOptions) input(a *app, cmd *cobra.Command) (workflows.Input, error) {
	scope, err := a.host.Backend.Scope(cmd.Flags())
	if err != nil {
		return workflows.Input{}, err
	}
	doc, err := o.load(a, scope)
	if err != nil {
		return workflows.Input{}, err
	}
	change, err := o.read(a.host.In, doc.Workload)
	if err != nil {
		return workflows.Input{}, err
	}
	return workflows.Input{Cluster: scope.Cluster, Rollout: doc, Change: change, By: o.actor(a.host), Reason: o.reason}, nil
}

// attach is for a workload that has an open rollout: it is waited for if it
// releases the same change, and otherwise only shown.
func (o *startOptions) attach(ctx context.Context, a *app, c Control, in workflows.Input, open *control.AlreadyRunning) error {
	status, err := c.Status(ctx, open.Run.ID)
	if err != nil {
		return errors.Join(open, err)
	}
	same, err := sameChange(ctx, c, open.Run, in, status)
	if err != nil {
		return errors.Join(open, err)
	}
	leaving := status.Phase == workflows.PhaseRollingBack
	if same && o.wait && !leaving {
		a.warn(open.Error() + " and releases the same change: waiting for it")
		return o.await(ctx, a, c, open.Run.ID)
	}
	if err := a.print(status, func(p *page) { drawStatus(p, status, a.host.Now()) }); err != nil {
		return err
	}
	switch {
	case leaving:
		return fmt.Errorf("%w and is being rolled back: start again when it has ended", open)
	case same:
		return fmt.Errorf("%w and releases the same change: --wait waits for it", open)
	}
	return fmt.Errorf("%w and releases another change: `sluice revise` replaces its revision, `sluice abort` ends it", open)
}

// await follows the rollout to its end and turns that into an exit code.
func (o *startOptions) await(ctx context.Context, a *app, c Control, id string) error {
	waiting := ctx
	if o.timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, o.timeout)
		defer cancel()
		waiting = limited
	}
	status, err := a.follow(waiting, c, id)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return &exitError{code: ExitWaiting, text: fmt.Sprintf("the rollout has not ended within %s (%s): %s", o.timeout, status.Phase, status.Message)}
	case err != nil:
		return err
	}
	return outcome(status)
}

// outcome is the error that an ended rollout means for its caller.
func outcome(status control.Status) error {
	switch status.Phase {
	case workflows.PhasePromoted:
		return nil
	case workflows.PhaseRolledBack:
		return &exitError{code: ExitRolledBack, text: status.Message}
	case workflows.PhaseRefused:
		return errors.New(status.Message)
	}
	return fmt.Errorf("the rollout is %s: %s", status.Phase, status.Message)
}
