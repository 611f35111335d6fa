package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// promoteOptions of `sluice promote`.
type promoteOptions struct {
	message
	step         int
	full         bool
	skipAnalysis bool
}

func addPromote(root *cobra.Command, a *app) {
	o := &promoteOptions{}
	cmd := &cobra.Command{
		Use:   "promote " + targetArgs,
		Short: "Release the hold of a step",
		Long: targetHelp + "\n\nThe message names the step, the run and the revision that are shown now, also with --full, so that\n" +
			"it does nothing if the rollout has moved on in the meantime. With --step a later step can be\n" +
			"approved before it holds. A step that its metrics have stopped is promoted with --reason; the analysis of\n" +
			"the whole rollout goes on nevertheless, unless --skip-analysis is given.",
		Example: "  sluice promote web --reason 'error rate is fine'\n  sluice promote web --step 2\n  sluice promote web --full",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(a, cmd, args) },
	}
	o.bind(cmd)
	cmd.Flags().IntVar(&o.step, "step", 0, "step that is meant, from 1 (default: the one that holds)")
	cmd.Flags().BoolVar(&o.full, "full", false, "promote through all remaining steps")
	cmd.Flags().BoolVar(&o.skipAnalysis, "skip-analysis", false, "end the analysis of the whole rollout, too")
	root.AddCommand(cmd)
}

func (o *promoteOptions) run(a *app, cmd *cobra.Command, args []string) error {
	switch {
	case o.step < 0 || cmd.Flags().Changed("step") && o.step == 0:
		return errors.New("--step: steps are counted from 1")
	case o.full && o.step > 0:
		return errors.New("--full begins at the step that is shown now: leave --step out")
	}
	id, err := o.resolve(a, cmd, args)
	if err != nil {
		return err
	}
	return o.send(a, cmd, id, workflows.VerbPromote, o.compose)
}

// compose names what the person has seen.
func (o *promoteOptions) compose(status control.Status, m *workflows.Message) error {
	m.Revision = status.Revision
	m.Step, m.Full, m.SkipAnalysis = o.step, o.full, o.skipAnalysis
	if o.full {
		m.Step = status.Step
	}
	if m.Step > 0 || o.full {
		return nil
	}
	stopped := status.Phase == workflows.PhaseStuck && o.reason != ""
	if status.Phase != workflows.PhaseHolding && status.Phase != workflows.PhaseBaking && !stopped {
		return &control.Refused{Text: notHolding(status)}
	}
	m.Step = status.Step
	return nil
}

// notHolding says why there is nothing to promote, and what can be done.
func notHolding(status control.Status) string {
	switch status.Phase {
	case workflows.PhasePaused:
		return "the rollout is paused: resume it first"
	case workflows.PhaseStuck:
		return fmt.Sprintf("step %d has failed (%s): retry, jump, revise or abort", status.Step, status.Failure)
	}
	text := fmt.Sprintf("nothing holds: the rollout is %s", status.Phase)
	if status.Note != "" {
		text += " as far as is known (" + status.Note + ")"
	}
	if status.Phase == workflows.PhasePromoting || status.Phase == workflows.PhaseRollingBack {
		return text
	}
	return text + "; name a step with --step to approve it early"
}
