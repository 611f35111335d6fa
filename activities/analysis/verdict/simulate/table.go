package simulate

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"
)

// The grid of the table.
var (
	errorRates = []float64{0.001, 0.005, 0.01, 0.05, 0.2}
	rates      = []float64{1, 10, 100, 1000}
	weights    = []float64{0.01, 0.1, 0.5}
)

// highest is the proportion of a canary that would have more errors than
// requests.
const highest = 0.9

// worse is how many times more errors than stable the bad canary has.
const worse = 10

// patience is how many times the least possible time a run may last.
const patience = 3

// Row is one cell of the grid.
type Row struct {
	Errors, Rate, Weight float64
	// Horizon of its runs: that of the options, or longer where no rule could find
	// the bad canary within it.
	Horizon time.Duration
	// Good is a canary like stable, Bad one with tenfold errors.
	GoodTest, GoodFixed, BadTest, BadFixed Figures
	// Edge is a canary that is worse by exactly the margin: it must not pass.
	Edge Figures
	// Equal is the fixed rule on the bad canary with the lowest threshold that
	// raises no more false alarms than the test may; zero where none does.
	Equal Figures
	// ToldGood and ToldBad are the test that is told what the fixed rule is told:
	// the errors of stable, as its bound. First is beside Equal.
	ToldGood, ToldBad Figures
	// Least is a time that no rule can be below on average, see Least.
	Least time.Duration
}

// grid are the cells of the table, with a canary like stable.
func grid() []Case {
	var cells []Case
	for _, errors := range errorRates {
		for _, rate := range rates {
			for _, weight := range weights {
				cells = append(cells, Case{Errors: errors, Canary: errors, Rate: rate, Weight: weight})
			}
		}
	}
	return cells
}

// Rows plays the whole grid, each cell with a canary that is like stable, with one
// that has tenfold errors and with one at the margin, and tells the cells in their
// order.
func Rows(o Options, each func(Row)) {
	inOrder(grid(), func(c Case) Row { return cell(c, o) }, each)
}

// inOrder plays all side by side, each with random numbers of its own, and tells
// what comes of them in their order.
func inOrder[T, R any](all []T, play func(T) R, each func(R)) {
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	waiting := make([]chan R, len(all))
	for i, one := range all {
		waiting[i] = make(chan R, 1)
		go func() {
			places <- struct{}{}
			waiting[i] <- play(one)
			<-places
		}()
	}
	for _, result := range waiting {
		each(<-result)
	}
}

// tenfold is the bad canary of a cell.
func (c Case) tenfold() Case {
	c.Canary = min(worse*c.Errors, highest)
	return c
}

// cell plays one cell with all kinds of canary.
func cell(good Case, o Options) Row {
	bad, edge := good.tenfold(), good
	edge.Canary = min(o.Test.Margin.Ratio*good.Errors+o.Test.Margin.Delta, 1)
	r := Row{Errors: good.Errors, Rate: good.Rate, Weight: good.Weight, Least: Least(bad, o.Test.FalseAlarm)}
	o.Horizon = max(o.Horizon, (patience * r.Least).Round(window))
	r.Horizon = o.Horizon
	r.Edge, _ = Run(edge, o)
	o.told = true
	wrong, right := run(good, o), run(bad, o)
	r.GoodTest, r.GoodFixed, r.ToldGood = wrong.test, wrong.fixed[0], wrong.told
	r.BadTest, r.BadFixed, r.ToldBad = right.test, right.fixed[0], right.told
	equal := slices.IndexFunc(wrong.fixed, func(f Figures) bool { return f.Alarms <= o.Test.FalseAlarm })
	if equal < 0 {
		r.ToldBad.First = right.told.Alarms
		return r
	}
	r.Equal, r.ToldBad.First = right.fixed[equal], right.toldFirst[equal]
	return r
}

const head = `
                        | false alarms    | false passes     | tenfold errors found in that time,             | good: passed, median
errors   rate/s  weight |   test   fixed  | tenfold   margin | in       test    fixed  median times      told | (test)
`

// String tells a row in one line of the table.
func (r Row) String() string {
	return fmt.Sprintf("%5.1f %%  %6g  %4.0f %% | %5.2f %% %6.2f %% | %5.2f %%  %5.2f %% | %-6s %5.1f %% %5.1f %% %8s %8s %8s | %5.1f %% %8s",
		100*r.Errors, r.Rate, 100*r.Weight, 100*r.GoodTest.Alarms, 100*r.GoodFixed.Alarms, 100*r.BadTest.Passes, 100*r.Edge.Passes,
		short(r.Horizon), 100*r.BadTest.Alarms, 100*r.BadFixed.Alarms, short(r.BadTest.Median), short(r.BadFixed.Median), short(r.ToldBad.Median),
		100*r.GoodTest.Passes, short(r.GoodTest.MedianPass))
}

// Print writes the table, its summary and what both rules make of recorded
// requests. The error says what the test does not hold.
func Print(out io.Writer, o Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	fmt.Fprintf(out, "A canary like stable, one with %d times the errors (at most %.0f %%), and one at the margin: sequential test (nominal %g %% of false alarms\n"+
		"and false passes, a sample every %s) and fixed rule (3 one-minute windows in a row above %g times the errors of stable); told: the test that knows these errors, too. %d runs each.\n",
		worse, 100*highest, 100*o.Test.FalseAlarm, short(o.Interval), o.Threshold, o.Runs)
	fmt.Fprint(out, head)
	sum := Summary{Nominal: o.Test.FalseAlarm, Runs: o.Runs}
	Rows(o, func(r Row) {
		sum.Add(r)
		fmt.Fprintln(out, r)
	})
	fmt.Fprintf(out, "\n%s\n", &sum)
	return errors.Join(sum.Err(), printBounds(out, o), printRecorded(out, o))
}

// short writes a time without what is zero, or a dash where there is none.
func short(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < time.Minute:
		return d.String()
	case d < time.Hour && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < time.Hour:
		return d.String()
	case d%time.Hour < time.Minute:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
}
