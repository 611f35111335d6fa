package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// listOptions of `sluice list`.
type listOptions struct {
	everywhere bool
	closed     bool
	phase      string
	limit      int
}

func addList(root *cobra.Command, a *app) {
	o := &listOptions{}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List rollouts",
		Long:    "Lists the open rollouts of the namespace, newest first.",
		Example: "  sluice list -A\n  sluice list --phase Holding\n  sluice list --closed --limit 20",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(a, cmd) },
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.everywhere, "all-namespaces", "A", false, "list those of all namespaces of the cluster")
	flags.BoolVar(&o.closed, "closed", false, "list those that have ended, too")
	flags.StringVar(&o.phase, "phase", "", "list those in one phase, such as Holding or Stuck")
	flags.IntVar(&o.limit, "limit", 100, "number of rows at most")
	root.AddCommand(cmd)
}

func (o *listOptions) filter(scope Scope) (control.Filter, error) {
	f := control.Filter{Cluster: scope.Cluster, Namespace: scope.Namespace, Closed: o.closed, Limit: o.limit}
	if o.everywhere {
		f.Namespace = ""
	}
	if o.limit < 1 {
		return f, fmt.Errorf("--limit %d: must be at least 1", o.limit)
	}
	if o.phase == "" {
		return f, nil
	}
	names := make([]string, 0, len(workflows.Phases))
	for _, phase := range workflows.Phases {
		if strings.EqualFold(o.phase, string(phase)) {
			f.Phase = phase
			f.Closed = f.Closed || phase.Ended()
			return f, nil
		}
		names = append(names, string(phase))
	}
	return f, fmt.Errorf("--phase %q: write one of %s", o.phase, strings.Join(names, ", "))
}

func (o *listOptions) run(a *app, cmd *cobra.Command) error {
	scope, err := a.host.Backend.Scope(cmd.Flags())
	if err != nil {
		return err
	}
	filter, err := o.filter(scope)
	if err != nil {
		return err
	}
	return a.connected(cmd, func(ctx context.Context, c Control) error {
		rows, err := c.List(ctx, filter)
		if err != nil {
			return err
		}
		return a.print(rows, func(p *page) {
			if len(rows) == 0 {
				p.paragraph(stylePlain, "", "  ", noRows(filter))
				return
			}
			drawList(p, rows, a.host.Now())
		})
	})
}

func drawList(p *page, rows []control.Row, now time.Time) {
	table := [][]string{{"NAMESPACE", "WORKLOAD", "PHASE", "STEP", "REVISION", "STARTED"}}
	for _, r := range rows {
		step := ""
		if r.Step > 0 {
			step = fmt.Sprint(r.Step)
		}
		table = append(table, []string{r.Namespace, r.Workload, string(r.Phase), step, r.Revision, age(now.Sub(r.Started)) + " ago"})
	}
	p.rows("", table, headed)
}

// noRows says what was looked for, and how to look further.
func noRows(f control.Filter) string {
	text, further := "no open rollouts", []string{"--closed for those that have ended"}
	if f.Closed {
		text, further = "no rollouts", nil
	}
	if f.Phase != "" {
		text += " in phase " + string(f.Phase)
	}
	if f.Namespace != "" {
		text, further = text+" in namespace "+f.Namespace, append(further, "-A for all namespaces")
	}
	if len(further) == 0 {
		return text
	}
	return text + "; add " + strings.Join(further, " or ")
}
