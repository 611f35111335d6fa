package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/cluster"
	"sluice.dev/sluice/tests/sandbox/proc"
)

// benchResult is what bench-start prints as JSON. Times are in seconds.
type benchResult struct {
	Runs   []float64          `json:"runs"`
	Median float64            `json:"median"`
	Parts  map[string]float64 `json:"partMedians"`
}

func newBenchStart() *cobra.Command {
	options := cluster.Defaults()
	var runs int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench-start",
		Short: "Measure how long a sandbox takes from nothing to ready, with all parts built",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runs < 1 {
				return fmt.Errorf("--runs is %d: use 1 or more", runs)
			}
			if _, err := sandbox.Build(cmd.Context(), progress(os.Stderr)); err != nil {
				return err
			}
			result, err := bench(cmd.Context(), runs, options)
			if err != nil {
				return err
			}
			return printBench(cmd.OutOrStdout(), result, asJSON)
		},
	}
	cmd.Flags().IntVar(&runs, "runs", 5, "number of starts to take the median of")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	addClusterFlags(cmd, &options)
	return cmd
}

func bench(ctx context.Context, runs int, options cluster.Options) (benchResult, error) {
	var result benchResult
	parts := make(map[string][]float64)
	for range runs {
		took, status, err := benchOnce(ctx, options)
		if err != nil {
			return benchResult{}, err
		}
		result.Runs = append(result.Runs, took.Seconds())
		for _, p := range status.Parts {
			parts[p.Name] = append(parts[p.Name], p.ReadyAfter.Seconds())
		}
	}
	result.Median = median(result.Runs)
	result.Parts = make(map[string]float64, len(parts))
	for name, times := range parts {
		result.Parts[name] = median(times)
	}
	return result, nil
}

// benchOnce starts a sandbox in an empty folder and takes it down again.
func benchOnce(ctx context.Context, options cluster.Options) (took time.Duration, last proc.Status, err error) {
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return 0, last, fmt.Errorf("creating a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	begun := time.Now()
	s, err := sandbox.Up(ctx, sandbox.Options{
		Name: "bench", Dir: dir, Cluster: &options, See: func(now proc.Status) { last = now },
	})
	if err != nil {
		return 0, last, err
	}
	took = time.Since(begun)
	return took, last, s.Down(context.WithoutCancel(ctx))
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func printBench(out io.Writer, result benchResult, asJSON bool) error {
	if asJSON {
		text, err := json.MarshalIndent(result, "", "  ")
		if err != nil {
			return fmt.Errorf("encoding the result: %w", err)
		}
		fmt.Fprintln(out, string(text))
		return nil
	}
	fmt.Fprintf(out, "warm start to ready, %d runs: median %.2f s, fastest %.2f s, slowest %.2f s\n",
		len(result.Runs), result.Median, slices.Min(result.Runs), slices.Max(result.Runs))
	names := make([]string, 0, len(result.Parts))
	for name := range result.Parts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(result.Parts[b], result.Parts[a]) })
	for _, name := range names {
		fmt.Fprintf(out, "  %-20s %.2f s\n", name, result.Parts[name])
	}
	return nil
}
