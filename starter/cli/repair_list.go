package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/starter/preview"
	"sluice.dev/sluice/workflows"
)

// leftover is what one rollout has left, and what became of its workflow.
type leftover struct {
	WorkflowID string `json:"workflowId"`
	Namespace  string `json:"namespace"`
	Workload   string `json:"workload"`
	// Left in words, or why it cannot be told.
	Left string `json:"left"`
	// Open says that a rollout of the workload goes on: what is there is its own.
	// Workflow tells where it stands, or how the last one ended.
	Open     bool   `json:"open"`
	Workflow string `json:"workflow"`
}

// survey lists what is left, or repairs all of it.
func (o *repairOptions) survey(a *app, cmd *cobra.Command) error {
	scope, err := a.host.Backend.Scope(cmd.Flags())
	if err != nil {
		return err
	}
	namespace := scope.Namespace
	if o.everywhere {
		namespace = ""
	}
	marked, err := a.host.Remains.FindMarked(cmd.Context(), cmd.Flags(), namespace)
	if err != nil {
		return err
	}
	return a.connected(cmd, func(ctx context.Context, c Control) error {
		found := make([]leftover, 0, len(marked))
		for _, m := range marked {
			one, err := o.look(ctx, a, cmd, c, scope.Cluster, m)
			if err != nil {
				return err
			}
			found = append(found, one)
		}
		if o.all {
			return o.repairAll(ctx, a, cmd, c, found)
		}
		return a.print(found, func(p *page) { drawLeftovers(p, found) })
	})
}

// look describes what is left on one workload.
func (o *repairOptions) look(ctx context.Context, a *app, cmd *cobra.Command, c Control, cluster string, m preflight.Marked) (leftover, error) {
	id := workflows.WorkflowID(cluster, m.Namespace, m.Workload)
	one := leftover{WorkflowID: id, Namespace: m.Namespace, Workload: m.Workload.Kind + "/" + m.Workload.Name}
	found, err := a.host.Remains.InspectRemains(ctx, cmd.Flags(), preflight.RemainsRequest{Namespace: m.Namespace, Workload: m.Workload, WorkflowID: id})
	one.Left = found.String()
	if err != nil {
		one.Left = err.Error()
	}
	one.Open, one.Workflow, err = whereabouts(ctx, c, id, a.host.Now())
	return one, err
}

// whereabouts tells whether a rollout is open, and what is known of the last one.
func whereabouts(ctx context.Context, c Control, id string, now time.Time) (open bool, text string, err error) {
	status, err := c.Status(ctx, id)
	switch {
	case control.IsNotFound(err):
		return false, "unknown to Temporal", nil
	case err != nil:
		return false, "", err
	case status.Closed == nil:
		return true, fmt.Sprintf("open (%s)", status.Phase), nil
	}
	return false, fmt.Sprintf("%s %s ago", status.Phase, age(now.Sub(*status.Closed))), nil
}

// repairAll starts a repair for everything that has no open rollout. One that
// fails does not stop the others.
func (o *repairOptions) repairAll(ctx context.Context, a *app, cmd *cobra.Command, c Control, found []leftover) error {
	var errs []error
	started := 0
	for _, one := range found {
		if one.Open {
			a.warn("a rollout of " + control.Subject(one.WorkflowID) + " is " + one.Workflow + ": left alone")
			continue
		}
		in, err := o.input(ctx, a, cmd, c, one.WorkflowID)
		if err == nil {
			started++
			err = o.start(ctx, a, c, in)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("repairing %s: %w", control.Subject(one.WorkflowID), err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if started == 0 && len(errs) == 0 {
		return a.print([]leftover{}, func(p *page) { p.line(stylePlain, "nothing to repair") })
	}
	return errors.Join(errs...)
}

// show prints what a repair would do.
func (o *repairOptions) show(ctx context.Context, a *app, cmd *cobra.Command, c Control, in workflows.Input, id string) error {
	found, err := a.host.Remains.InspectRemains(ctx, cmd.Flags(), preflight.RemainsRequest{
		Namespace: in.Rollout.Namespace, Workload: in.Rollout.Workload, WorkflowID: id,
	})
	if err != nil {
		return err
	}
	open, text, err := whereabouts(ctx, c, id, a.host.Now())
	if err != nil {
		return err
	}
	repair, err := preview.MakeRepair(in.Cluster, &in.Rollout, found)
	if err != nil {
		return err
	}
	if open {
		a.warn("a rollout of " + control.Subject(id) + " is " + text + ": it is not lost, and a repair would be refused")
	}
	return a.print(repair, func(p *page) { drawRepair(p, repair, text) })
}

func drawLeftovers(p *page, found []leftover) {
	if len(found) == 0 {
		p.line(stylePlain, "no rollout has left anything")
		return
	}
	for i, one := range found {
		if i > 0 {
			p.lines = append(p.lines, "")
		}
		p.line(styleBold, one.Workload+" in "+one.Namespace)
		p.field(stylePlain, "Left", one.Left)
		s := styleNotice
		if one.Open {
			s = styleGood
		}
		p.field(s, "Rollout", one.Workflow)
	}
}

// drawRepair draws what is left and the operations of its repair.
func drawRepair(p *page, r preview.Repair, workflow string) {
	p.line(styleBold, fmt.Sprintf("%s/%s in %s of cluster %s", r.Workload.Kind, r.Workload.Name, r.Namespace, r.Cluster))
	p.field(stylePlain, "Left", r.Left)
	p.field(stylePlain, "By", "rollout "+r.Remains.Observed.Ref.ID)
	p.field(stylePlain, "Rollout", workflow)
	for _, warning := range r.Remains.Observed.Warnings {
		p.field(styleNotice, "Warning", warning)
	}
	direction := "back to stable"
	if r.Completes {
		direction = "on to the new revision"
	}
	p.field(stylePlain, "Repair", direction)
	p.lines = append(p.lines, "")
	for i, op := range r.Operations {
		p.paragraph(stylePlain, fmt.Sprintf("%2d  ", i+1), "    ", op.What)
		if op.Needs != "" {
			p.paragraph(styleDim, "    ", "    ", "needs "+op.Needs)
		}
		p.paragraph(styleDim, "    ", "    ", "waits for: "+op.Waits)
	}
}
