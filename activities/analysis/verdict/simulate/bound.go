package simulate

import (
	"fmt"
	"io"
	"math"
	"time"
)

// The grid of the table of bounds, and how much better than the bound a good
// canary is.
var (
	bounds     = []float64{0.001, 0.01, 0.05}
	boundRates = []float64{1, 10, 100}
)

const better = 5

// BoundRow is a test against a bound, with all requests at canary as in a bake.
type BoundRow struct {
	Bound, Rate float64
	// Horizon and Least as in Row.
	Horizon, Least time.Duration
	// Edge is a canary at the bound, Bad one with tenfold errors, Good one with a
	// fifth.
	EdgeTest, EdgeFixed, BadTest, BadFixed, GoodTest Figures
}

// boundRow plays one bound.
func boundRow(c Case, o Options) BoundRow {
	o.Test.Bound = &c.Errors
	bad, good := c.tenfold(), c
	good.Canary = c.Errors / better
	information := c.Rate * divergence(bad.Canary, c.Errors)
	r := BoundRow{Bound: c.Errors, Rate: c.Rate, Least: inSeconds(-math.Log(o.Test.FalseAlarm) / information)}
	o.Horizon = max(o.Horizon, (patience * r.Least).Round(window))
	r.Horizon = o.Horizon
	r.EdgeTest, r.EdgeFixed = Run(c, o)
	r.BadTest, r.BadFixed = Run(bad, o)
	r.GoodTest, _ = Run(good, o)
	return r
}

// printBounds writes the table of bounds and its summary.
func printBounds(out io.Writer, o Options) error {
	fmt.Fprintf(out, "\nThe same against a bound, with all requests at canary: one that fails for just the bound, for ten times and for a fifth of it.\n\n"+
		"                 | alarms at bound  | false passes    | tenfold: median  | a fifth of it:\n"+
		" bound   rate/s  |   test    fixed  | tenfold   bound |   test    fixed  | passed, median\n")
	var cells []Case
	for _, bound := range bounds {
		for _, rate := range boundRates {
			cells = append(cells, Case{Errors: bound, Canary: bound, Rate: rate, Weight: 1})
		}
	}
	sum := Summary{Nominal: o.Test.FalseAlarm, Runs: o.Runs}
	inOrder(cells, func(c Case) BoundRow { return boundRow(c, o) }, func(r BoundRow) {
		sum.AddBound(r)
		fmt.Fprintf(out, "%5.1f %%  %6g  | %5.2f %%  %5.2f %% | %5.2f %%  %5.2f %% | %7s %8s | %5.1f %% %8s\n",
			100*r.Bound, r.Rate, 100*r.EdgeTest.Alarms, 100*r.EdgeFixed.Alarms, 100*r.BadTest.Passes, 100*r.EdgeTest.Passes,
			short(r.BadTest.Median), short(r.BadFixed.Median), 100*r.GoodTest.Passes, short(r.GoodTest.MedianPass))
	})
	fmt.Fprintf(out, "\n%s\n", &sum)
	return sum.Err()
}

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
