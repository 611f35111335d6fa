package simulate

import (
	"fmt"
	"io"
	"math"
	"time"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
)

// Variation is a change of one default.
type Variation struct {
	Name   string
	change func(*Options)
}

// Variations are what the defaults were chosen from, one changed at a time.
func Variations() []Variation {
	margin := func(ratio, delta float64) func(*Options) {
		return func(o *Options) { o.Test.Margin = config.Worse{Ratio: ratio, Delta: delta} }
	}
	tolerance := func(ratio, delta float64) func(*Options) {
		return func(o *Options) { o.Test.Tolerance = config.Worse{Ratio: ratio, Delta: delta} }
	}
	guesses := func(times, more []float64) func(*Options) {
		return func(o *Options) { o.Guesses = verdict.Guesses{Times: times, More: more} }
	}
	every := func(interval time.Duration) func(*Options) {
		return func(o *Options) { o.Interval = interval }
	}
	return []Variation{
		{"the defaults", func(*Options) {}},
		{"margin 1.5q + 0.1 %", margin(1.5, 0.001)},
		{"margin 2q", margin(2, 0)},
		{"margin 2q + 1 %", margin(2, 0.01)},
		{"margin 3q + 0.2 %", margin(3, 0.002)},
		{"margin 5q", margin(5, 0)},
		{"tolerance 1.1q", tolerance(1.1, 0)},
		{"tolerance 1.5q", tolerance(1.5, 0)},
		{"tolerance q + 0.2 %", tolerance(1, 0.002)},
		{"guess 10 times", guesses([]float64{10}, nil)},
		{"guesses 2, 5, 15 times, +30 %", guesses([]float64{2, 5, 15}, []float64{0.3})},
		{"guesses, twice 5 and 10 times", guesses([]float64{1.5, 2, 3, 5, 5, 10, 10, 30}, []float64{0.05, 0.3})},
		{"guesses, 1.2 and 100 times too", guesses([]float64{1.2, 1.5, 2, 3, 5, 10, 30, 100}, []float64{0.05, 0.3})},
		{"interval 10s", every(10 * time.Second)},
		{"interval 1m", every(time.Minute)},
	}
}

// sweepCells are those in which a verdict takes minutes: the others are decided by
// the first samples whatever the options are.
var sweepCells = []Case{
	{Errors: 0.001, Rate: 1, Weight: 0.5}, {Errors: 0.001, Rate: 10, Weight: 0.1}, {Errors: 0.001, Rate: 10, Weight: 0.5},
	{Errors: 0.005, Rate: 1, Weight: 0.5}, {Errors: 0.005, Rate: 10, Weight: 0.1}, {Errors: 0.01, Rate: 1, Weight: 0.5},
	{Errors: 0.01, Rate: 10, Weight: 0.01}, {Errors: 0.05, Rate: 1, Weight: 0.01}, {Errors: 0.05, Rate: 10, Weight: 0.1},
	{Errors: 0.2, Rate: 1, Weight: 0.01}, {Errors: 0.2, Rate: 10, Weight: 0.1},
}

// Swept are the figures of a variation over all cells.
type Swept struct {
	Variation
	// Alarms is the highest share of alarms for a canary like stable, Tenfold and
	// Edge the highest shares of passes of one with tenfold errors and of one at
	// the default margin.
	Alarms, Tenfold, Edge float64
	// Found10 and Found3 are the times at which half of the canaries with ten and
	// three times the errors are found, as multiples of the least
	// possible ones: the geometric mean over the cells.
	Found10, Found3 float64
	// Slower are the cells in which the fixed rule finds tenfold errors sooner.
	Slower int
	// Passes is the mean share of good ones that pass within the horizon.
	Passes float64
}

// Sweep plays one variation.
func Sweep(v Variation, o Options) Swept {
	edge := o.Test.Margin
	v.change(&o)
	s := Swept{Variation: v}
	for _, c := range sweepCells {
		good, atMargin := c, c
		good.Canary, atMargin.Canary = c.Errors, edge.Ratio*c.Errors+edge.Delta
		passed, _ := Run(good, o)
		s.Passes += passed.Passes / float64(len(sweepCells))
		s.Alarms = max(s.Alarms, passed.Alarms)
		near, _ := Run(atMargin, o)
		s.Edge = max(s.Edge, near.Passes)
		for times, found := range map[float64]*float64{worse: &s.Found10, 3: &s.Found3} {
			bad := c
			bad.Canary = min(times*c.Errors, highest)
			least := Least(bad, o.Test.FalseAlarm)
			long := o
			long.Horizon = max(o.Horizon, (patience * least).Round(window))
			test, fixed := Run(bad, long)
			*found += math.Log(multiple(test.Median, least)) / float64(len(sweepCells))
			if times == worse {
				s.Tenfold = max(s.Tenfold, test.Passes)
				if _, sooner := compare(test, fixed); !sooner {
					s.Slower++
				}
			}
		}
	}
	s.Found10, s.Found3 = math.Exp(s.Found10), math.Exp(s.Found3)
	return s
}

// multiple of a time; one that was not reached is taken for the end of the run.
func multiple(median, least time.Duration) float64 {
	if median == 0 {
		median = patience * least
	}
	return max(median.Seconds()/least.Seconds(), 1e-3)
}

// PrintSweep writes the table from which the defaults were chosen.
func PrintSweep(out io.Writer, o Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	fmt.Fprintf(out, "One default changed at a time, %d runs in each of %d cells in which a verdict takes minutes: the worst cell's alarms for a canary like stable, and\n"+
		"passes of one with tenfold errors and of one at the default margin; how many times longer than the least possible time it takes to find one with\n"+
		"10 and 3 times the errors; cells in which the fixed rule finds tenfold errors sooner; good ones that pass within %s.\n\n"+
		"                               | worst cell: alarms, passes  | times the least | fixed rule | good ones\n"+
		"                               | alarms  tenfold  at margin  |     10       3  | sooner in  | that pass\n",
		o.Runs, len(sweepCells), short(o.Horizon))
	var err error
	inOrder(Variations(), func(v Variation) Swept { return Sweep(v, o) }, func(s Swept) {
		_, err = fmt.Fprintf(out, "%-30s | %5.2f %%  %5.2f %%    %5.2f %%  |  %5.2f   %5.2f  | %10d | %6.1f %%\n",
			s.Name, 100*s.Alarms, 100*s.Tenfold, 100*s.Edge, s.Found10, s.Found3, s.Slower, 100*s.Passes)
	})
	return err
}
