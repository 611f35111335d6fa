package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/tests/sandbox/proc"
)

// statusLimit bounds the looks at all parts.
const statusLimit = 10 * time.Second

// report is what status prints.
type report struct {
	layout.State
	proc.Status
}

func newStatus(w *which) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Print how a sandbox is reached and how its parts are",
		Long: `Prints how a sandbox is reached and how its parts are. The exit code is 0 if all
are well, and 1 if not or if the sandbox does not run.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := look(cmd.Context(), w)
			if err != nil {
				return err
			}
			if err := printReport(cmd.OutOrStdout(), r, format); err != nil {
				return err
			}
			if r.Phase != proc.PhaseReady {
				return exitCode(1)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	return cmd
}

// look asks the sandbox, or reads what it left.
func look(ctx context.Context, w *which) (report, error) {
	ctx, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	s, err := w.attach()
	if errors.Is(err, sandbox.ErrNotRunning) {
		return stopped(w)
	}
	if err != nil {
		return report{}, err
	}
	status, err := s.Status(ctx)
	if err != nil {
		return report{}, err
	}
	return report{State: s.State(), Status: status}, nil
}

func stopped(w *which) (report, error) {
	dir, err := w.folder()
	if err != nil {
		return report{}, err
	}
	state, err := dir.ReadState()
	if errors.Is(err, os.ErrNotExist) {
		state = layout.State{Name: w.name, Dir: dir}
	} else if err != nil {
		return report{}, err
	}
	return report{State: state, Status: proc.Status{Phase: proc.PhaseStopped}}, nil
}

func printReport(out io.Writer, r report, format string) error {
	switch format {
	case "json":
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return fmt.Errorf("encoding the status: %w", err)
		}
		fmt.Fprintln(out, string(text))
		return nil
	case "text":
		return printText(out, r)
	}
	return fmt.Errorf("unknown output %q: use text or json", format)
}

func printText(out io.Writer, r report) error {
	fmt.Fprintf(out, "sandbox %s is %s\n", r.Name, r.Phase)
	if r.Error != "" {
		fmt.Fprintln(out, r.Error)
	}
	if r.Phase == proc.PhaseStopped {
		return nil
	}
	fmt.Fprintln(out)
	printState(out, r.State)
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "PART\tSTATE\tHEALTHY\tPID INSIDE\tREADY AFTER\tDETAIL")
	for _, p := range r.Parts {
		pid := "-"
		if p.PID != 0 {
			pid = fmt.Sprint(p.PID)
		}
		fmt.Fprintf(table, "%s\t%s\t%t\t%s\t%s\t%s\n",
			p.Name, p.State, p.Healthy, pid, p.ReadyAfter.Round(10*time.Millisecond), p.Detail)
	}
	return table.Flush()
}
