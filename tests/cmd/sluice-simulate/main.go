// Command sluice-simulate prints how often and how soon the sequential test of
// metrics and the rule of fixed thresholds raise an alarm, and with --sweep what
// other defaults would do. It needs nothing and touches nothing. Exit code 0: the
// test holds what it promises; 1: it does not, or a flag makes no sense.
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
	flag.DurationVar(&o.Interval, "interval", o.Interval, "time between samples of the test, in whole seconds")
	flag.DurationVar(&o.Horizon, "horizon", o.Horizon, "when a run ends without a verdict, unless no rule could have one by then")
	flag.Float64Var(&o.Threshold, "threshold", o.Threshold, "of the fixed rule, as a multiple of the errors of stable")
	sweep := flag.Bool("sweep", false, "print what other defaults would do instead")
	flag.Parse()
	table := simulate.Print
	if *sweep {
		table = simulate.PrintSweep
	}
	if err := table(os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "sluice-simulate:", err)
		os.Exit(1)
	}
}
