package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/cluster"
)

// upFlags are the flags of up.
type upFlags struct {
	*which
	options    cluster.Options
	ports      map[string]int
	fresh      bool
	detach     bool
	detachedFD int
}

func newUp(w *which) *cobra.Command {
	f := &upFlags{which: w, options: cluster.Defaults()}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring a sandbox up, and keep it until Ctrl-C",
		Long: `Builds what has to be built, brings a sandbox up and keeps it until Ctrl-C.
Objects and workflows of an earlier sandbox in the same folder are there again,
unless --fresh is given. The exit code is 0 if it was ready before somebody took
it down, 130 if it was interrupted earlier, and 1 if anything went wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.detach {
				return f.upDetached(cmd.Context(), cmd.OutOrStdout())
			}
			ctx, cancel := withGoRun(cmd.Context())
			defer cancel()
			return f.up(ctx, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.detach, "detach", false, "return when the sandbox is ready; `down` ends it")
	flags.BoolVar(&f.fresh, "fresh", false, "forget what an earlier sandbox left in the folder")
	flags.StringToIntVar(&f.ports, "port", nil,
		"ports on 127.0.0.1 instead of free ones, as NAME=PORT; the names are gateway, temporal, temporal-ui, apiserver and prometheus")
	flags.IntVar(&f.detachedFD, "report-fd", 0, "file to report readiness on")
	// Only the command itself uses it, to start its detached half.
	_ = flags.MarkHidden("report-fd")
	addClusterFlags(cmd, &f.options)
	return cmd
}

// addClusterFlags adds the flags for size and settings.
func addClusterFlags(cmd *cobra.Command, o *cluster.Options) {
	flags := cmd.Flags()
	flags.IntVar(&o.Gateways, "gateways", o.Gateways, "number of replicas of the gateway")
	flags.DurationVar(&o.GatewayThrottle, "gateway-throttle", o.GatewayThrottle,
		"how long the gateway collects changes before it applies them; 0 for not at all")
	flags.IntVar(&o.Nodes, "nodes", o.Nodes, "number of nodes whose pods run")
	flags.IntVar(&o.FakeNodes, "fake-nodes", o.FakeNodes, "number of nodes whose pods exist only in the API")
	flags.DurationVar(&o.ScrapeInterval, "scrape-interval", o.ScrapeInterval, "how often Prometheus looks at gateways and pods")
	flags.StringSliceVar(&o.SearchAttributes, "search-attribute", nil, "search attributes to register with Temporal, as NAME=TYPE")
	flags.BoolVar(&o.Audit, "audit", false, "write every request to the API server to logs/audit.log")
}

// errInterrupted says that somebody has ended a start.
var errInterrupted = errors.New("interrupted; everything is down again")

// up brings the sandbox up and keeps it until ctx ends.
func (f *upFlags) up(ctx context.Context, out io.Writer) error {
	report := f.reporter(out)
	s, err := f.bringUp(ctx, out)
	if err != nil {
		report(err)
		if ctx.Err() != nil {
			return errInterrupted
		}
		return err
	}
	printState(out, s.State())
	report(nil)
	if !f.detached() {
		fmt.Fprintln(out, "\nCtrl-C takes it down.")
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "taking the sandbox down")
		return s.Down(context.WithoutCancel(ctx))
	case <-s.Ended():
		return errors.Join(errors.New("the sandbox ended by itself; see the logs in "+s.Dir().Join("logs")),
			s.Down(context.WithoutCancel(ctx)))
	}
}

func (f *upFlags) bringUp(ctx context.Context, out io.Writer) (*sandbox.Sandbox, error) {
	dir, err := f.folder()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	show := &startProgress{out: out}
	s, err := sandbox.Up(ctx, sandbox.Options{
		Name: f.name, Dir: string(dir), Fresh: f.fresh, Ports: f.ports,
		Cluster: &f.options, Builds: progress(out), See: show.see,
	})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "sandbox %s is ready after %s\n\n", s.State().Name, time.Since(begun).Round(10*time.Millisecond))
	return s, nil
}

// detached tells whether this is the half that up --detach leaves behind.
func (f *upFlags) detached() bool { return f.detachedFD > 0 }

// reporter returns a function that tells the waiting half of up --detach how
// the start went.
func (f *upFlags) reporter(out io.Writer) func(error) {
	if !f.detached() {
		return func(error) {}
	}
	waiting := os.NewFile(uintptr(f.detachedFD), "report")
	return func(err error) {
		text := reportReady
		if err != nil {
			text = err.Error()
		}
		// The other half may have been interrupted; then nobody listens.
		if _, err := io.WriteString(waiting, text); err != nil {
			fmt.Fprintln(out, "reporting readiness:", err)
		}
		_ = waiting.Close()
	}
}
