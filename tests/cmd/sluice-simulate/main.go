// Command sluice-simulate prints how often and how soon the sequential test of
// metrics and the rule of fixed thresholds raise an alarm. It needs nothing and
// touches nothing.
package main

import (
	"flag"
	"fmt"
	"os"

	"sluice.dev/sluice/activities/analysis/verdict/simulate"
)

func main() {
	o := simulate.Defaults()
	flag.IntVar(&o.Runs, "runs", o.Runs, "runs of each case")
	flag.Uint64Var(&o.Seed, "seed", o.Seed, "seed of the random numbers")
	flag.DurationVar(&o.Interval, "interval", o.Interval, "time between samples of the test")
	flag.DurationVar(&o.Horizon, "horizon", o.Horizon, "when a run ends without a verdict")
	flag.Float64Var(&o.Threshold, "threshold", o.Threshold, "of the fixed rule, as a multiple of the errors of stable")
	flag.Parse()
	if err := simulate.Print(os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "sluice-simulate:", err)
		os.Exit(1)
	}
}
