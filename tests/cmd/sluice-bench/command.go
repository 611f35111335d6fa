package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sluice.dev/sluice/tests/bench"
	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/build"
)

// options of the command line.
type options struct {
	only     []string
	quick    bool
	output   string
	file     string
	attach   string
	throttle time.Duration
	// sizes are those that replace the usual ones; 0 is none.
	mass, massReplicas, held, underWay int

	// started is how long the sandbox took to start, zero for one that ran already.
	started time.Duration
}

// The forms of output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

func newCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "sluice-bench [FILE]",
		Short: "Measure Sluice on a sandbox of real parts",
		Long: "Measures Sluice on a sandbox of real parts that it brings up, and prints a table. The measurements:\n" +
			strings.Join(bench.Names(), ", ") + ".\n\n" +
			"With -o json, JSON is written to FILE and the table is printed too; without FILE, JSON is printed alone.",
		Args:          cobra.MaximumNArgs(1),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.file = args[0]
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.only, "only", nil, "the measurements to make (default: all)")
	flags.BoolVar(&o.quick, "quick", false, "small counts: shows that everything runs, in about ten minutes")
	flags.StringVarP(&o.output, "output", "o", outputTable, "table or json")
	flags.StringVar(&o.attach, "attach", "", "folder of a sandbox that runs already, with audit log and fake nodes")
	flags.DurationVar(&o.throttle, "gateway-throttle", bench.Cluster().GatewayThrottle, "how long the gateway collects changes before it applies them")
	flags.IntVar(&o.mass, "mass", 0, fmt.Sprintf("number of rollouts at once (default: %d)", bench.Full().Mass))
	flags.IntVar(&o.massReplicas, "mass-replicas", 0, fmt.Sprintf("pods of each of their workloads (default: %d)", bench.Full().MassReplicas))
	flags.IntVar(&o.held, "held", 0, fmt.Sprintf("number of held rollouts (default: %d)", bench.Full().Held))
	flags.IntVar(&o.underWay, "under-way", 0, fmt.Sprintf("number of rollouts with which the worker is killed (default: %d)", bench.Full().UnderWay))
	return cmd
}

// sizes of the run.
func (o *options) sizes() bench.Sizes {
	sizes := bench.Full()
	if o.quick {
		sizes = bench.Quick()
	}
	sizes.Mass = cmp.Or(o.mass, sizes.Mass)
	sizes.MassReplicas = cmp.Or(o.massReplicas, sizes.MassReplicas)
	sizes.Held = cmp.Or(o.held, sizes.Held)
	sizes.UnderWay = cmp.Or(o.underWay, sizes.UnderWay)
	return sizes
}

func (o *options) validate() error {
	switch {
	case o.output != outputTable && o.output != outputJSON:
		return fmt.Errorf("-o %s: write table or json", o.output)
	case min(o.mass, o.massReplicas, o.held, o.underWay) < 0:
		return errors.New("numbers of rollouts and pods cannot be negative")
	case o.file != "" && o.output != outputJSON:
		return fmt.Errorf("%s: a file is for JSON: add -o json", o.file)
	}
	return bench.Options{Only: o.only}.Validate()
}

func (o *options) run(ctx context.Context, out, progress io.Writer) error {
	if err := o.validate(); err != nil {
		return err
	}
	builds := build.Progress{Out: progress, Terminal: term.IsTerminal(int(os.Stderr.Fd()))}
	programs, err := harness.BuildPrograms(ctx, builds)
	if err != nil {
		return err
	}
	s, down, err := o.sandbox(ctx, builds)
	if err != nil {
		return err
	}
	bed, err := harness.NewBed(ctx, s, programs)
	if err != nil {
		return errors.Join(err, down(true))
	}
	r, err := bench.Run(ctx, bed, bench.Options{Only: o.only, Sizes: o.sizes(), Quick: o.quick, Progress: progress})
	bed.Close()
	err = errors.Join(err, down(err != nil && ctx.Err() == nil))
	if r != nil {
		r.Settings["gateway"] = "one Traefik, which collects changes for " + o.throttle.String()
		if o.started > 0 {
			err = errors.Join(err, r.Set(report.WarmStart, o.started.Seconds(), 1))
		}
		err = errors.Join(err, o.write(r, out))
	}
	return err
}

// startLimit bounds the start of the sandbox, builds excluded.
const startLimit = 5 * time.Minute

// sandbox returns a sandbox and what takes it down; with true its folder stays.
func (o *options) sandbox(ctx context.Context, builds build.Progress) (*sandbox.Sandbox, func(keep bool) error, error) {
	if o.attach != "" {
		s, err := sandbox.Attach(o.attach)
		return s, func(bool) error { return nil }, err
	}
	if _, err := sandbox.Build(ctx, builds); err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return nil, nil, fmt.Errorf("creating the sandbox's folder: %w", err)
	}
	cluster := bench.Cluster()
	cluster.GatewayThrottle = o.throttle
	starting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	begun := time.Now()
	s, err := sandbox.Up(starting, sandbox.Options{Name: "bench", Dir: dir, Cluster: &cluster})
	if err != nil {
		return nil, nil, fmt.Errorf("%w (its folder is %s)", err, dir)
	}
	o.started = time.Since(begun)
	down := func(keep bool) error {
		err := s.Down(context.WithoutCancel(ctx))
		if keep {
			return errors.Join(err, fmt.Errorf("the sandbox's folder with its logs is %s", dir))
		}
		return errors.Join(err, s.Dir().Remove())
	}
	return s, down, nil
}

// write prints the report.
func (o *options) write(r *report.Report, out io.Writer) error {
	if o.output == outputTable {
		return r.WriteTable(out)
	}
	if o.file == "" {
		return r.WriteJSON(out)
	}
	if err := os.MkdirAll(filepath.Dir(o.file), 0o755); err != nil {
		return fmt.Errorf("creating the report's folder: %w", err)
	}
	file, err := os.Create(o.file)
	if err != nil {
		return fmt.Errorf("creating the report: %w", err)
	}
	return errors.Join(r.WriteJSON(file), file.Close(), r.WriteTable(out))
}
