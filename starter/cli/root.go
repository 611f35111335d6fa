package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sluice.dev/sluice/config/settings"
)

// app is what all commands share.
type app struct {
	host   Host
	format format
}

// Run runs one command line and returns its exit code.
func Run(ctx context.Context, host Host, args []string) int {
	root := newRoot(host)
	// Without arguments cobra would look at those of the process.
	root.SetArgs(append([]string{}, args...))
	err := root.ExecuteContext(ctx)
	if err != nil && ctx.Err() != nil {
		err = &exitError{code: ExitInterrupted, text: "interrupted; what was started goes on"}
	}
	return exitCode(host.Err, err)
}

// newRoot returns the command tree.
func newRoot(host Host) *cobra.Command {
	a := &app{host: host, format: formatTable}
	root := &cobra.Command{
		Use:   "sluice",
		Short: "Deliver a new version of a Kubernetes workload step by step",
		Long: "sluice starts rollouts and talks to them. A rollout is a Temporal workflow that moves the\n" +
			"requests of a workload from its stable revision to a new one, step by step.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	if strings.HasPrefix(host.Program, "kubectl-") {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl sluice"}
	}
	root.SetIn(host.In)
	root.SetOut(host.Out)
	root.SetErr(host.Err)
	addSettings(root.PersistentFlags())
	root.PersistentFlags().VarP(&a.format, "output", "o", "table, json or yaml")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return errors.New(err.Error() + "; see `" + cmd.CommandPath() + " --help`")
	})
	for _, add := range []func(*cobra.Command, *app){
		addStart, addStatus, addPromote, addPause, addResume, addAbort, addRetry, addJump, addRevise,
		addRepair, addList, addHistory, addPlan, addAnalyze, addLint, addBootstrap, addCRDs, addWatch, addVersion, addDocs,
	} {
		add(root, a)
	}
	return root
}

// addSettings adds the flags of package settings; the namespace gets the letter
// that kubectl has taught everybody.
func addSettings(flags *pflag.FlagSet) {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	settings.AddFlags(own)
	own.VisitAll(func(flag *pflag.Flag) {
		if flag.Name == "namespace" {
			flag.Shorthand = "n"
		}
		flags.AddFlag(flag)
	})
}

// connected runs a command's work with a connection to Temporal.
func (a *app) connected(cmd *cobra.Command, work func(context.Context, Control) error) error {
	control, err := a.host.Backend.Control(cmd.Context(), cmd.Flags())
	if err != nil {
		return err
	}
	defer control.Close()
	return work(cmd.Context(), control)
}
