package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/starter/control"
)

// historyOptions of `sluice history`.
type historyOptions struct {
	target
	limit    int
	run      string
	timeline bool
}

func addHistory(root *cobra.Command, a *app) {
	o := &historyOptions{}
	cmd := &cobra.Command{
		Use:   "history " + targetArgs,
		Short: "Show the past rollouts of a workload and who decided what",
		Long: targetHelp + "\n\nRollouts are shown newest first, as long as Temporal keeps them (the retention of its\n" +
			"namespace).",
		Example: "  sluice history web\n  sluice history web --timeline --limit 1",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.show(a, cmd, args) },
	}
	o.bind(cmd)
	flags := cmd.Flags()
	flags.IntVar(&o.limit, "limit", 10, "number of rollouts at most")
	flags.StringVar(&o.run, "run", "", "show one run, by the beginning of its ID")
	flags.BoolVar(&o.timeline, "timeline", false, "show everything that was done, not only the decisions")
	root.AddCommand(cmd)
}

func (o *historyOptions) show(a *app, cmd *cobra.Command, args []string) error {
	if err := o.validate(args); err != nil {
		return err
	}
	if o.limit < 1 {
		return fmt.Errorf("--limit %d: must be at least 1", o.limit)
	}
	id, err := o.id(a, cmd)
	if err != nil {
		return err
	}
	return a.connected(cmd, func(ctx context.Context, c Control) error {
		all, err := c.History(ctx, id, o.limit)
		if err != nil {
			return err
		}
		past := make([]control.Past, 0, len(all))
		for _, one := range all {
			if strings.HasPrefix(one.Run, o.run) {
				past = append(past, one)
			}
		}
		if len(past) == 0 {
			return fmt.Errorf("no run of %s begins with %q among the last %d", control.Subject(id), o.run, o.limit)
		}
		return a.print(past, func(p *page) { o.draw(p, past, a.host.Now()) })
	})
}

func (o *historyOptions) draw(p *page, past []control.Past, now time.Time) {
	for i, one := range past {
		if i > 0 {
			p.lines = append(p.lines, "")
		}
		drawPast(p, one, now)
		if !o.timeline {
			for _, d := range one.Decisions {
				drawEntry(p, d.At, d.String(), now)
			}
			continue
		}
		// The timeline tells the decisions, too.
		for _, e := range one.Timeline {
			drawEntry(p, e.At, e.Text, now)
		}
	}
}

// drawPast draws what one rollout was and how it ended.
func drawPast(p *page, one control.Past, now time.Time) {
	took := now.Sub(one.Started)
	if one.Closed != nil {
		took = one.Closed.Sub(one.Started)
	}
	p.line(phaseStyle(one.Phase), fmt.Sprintf("%s  %s after %s  run %s", clock(one.Started, now), one.Phase, age(took), one.Run))
	text := one.Change
	if one.By != "" {
		text += ", by " + one.By
	}
	if one.Reason != "" {
		text += ": " + one.Reason
	}
	p.paragraph(stylePlain, gap, gap, text)
	p.paragraph(stylePlain, gap, gap, one.Message)
}

func drawEntry(p *page, at time.Time, text string, now time.Time) {
	stamp := gap + clock(at, now) + gap
	p.paragraph(styleDim, stamp, strings.Repeat(" ", len(stamp)), text)
}
