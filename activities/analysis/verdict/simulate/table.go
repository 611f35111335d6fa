package simulate

import (
	"fmt"
	"io"
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

// Row is one cell of the grid.
type Row struct {
	Errors, Rate, Weight float64
	// Good is a canary like stable, Bad one with tenfold errors.
	GoodTest, GoodFixed, BadTest, BadFixed Figures
}

// Rows plays the whole grid, each cell with a canary that is like stable and with
// one that has tenfold errors.
func Rows(o Options, each func(Row)) {
	for _, errors := range errorRates {
		for _, rate := range rates {
			for _, weight := range weights {
				r := Row{Errors: errors, Rate: rate, Weight: weight}
				r.GoodTest, r.GoodFixed = Run(Case{Errors: errors, Canary: errors, Rate: rate, Weight: weight}, o)
				r.BadTest, r.BadFixed = Run(Case{Errors: errors, Canary: min(worse*errors, highest), Rate: rate, Weight: weight}, o)
				each(r)
			}
		}
	}
}

// Print writes the table and its summary.
func Print(out io.Writer, o Options) error {
	fmt.Fprintf(out, "A canary like stable, and one with %d times the errors (at most %.0f %%): sequential test (nominal %.1f %% false alarms, a sample every %s)\n"+
		"and fixed rule (3 one-minute windows in a row above %g times the errors of stable). %d runs of %s each.\n\n",
		worse, 100*highest, 100*o.Test.FalseAlarm, o.Interval, o.Threshold, o.Runs, o.Horizon)
	fmt.Fprintln(out, "errors   rate/s  weight | false alarms    | detected within   | median time       | good: passed, median")
	fmt.Fprintln(out, "                        |   test   fixed  |   test    fixed   |   test     fixed  |   (test)")
	var sum Summary
	Rows(o, func(r Row) {
		sum.Add(r)
		fmt.Fprintf(out, "%5.1f %%  %6g  %4.0f %% | %5.2f %% %6.2f %% | %6.1f %% %6.1f %% | %8s %8s | %5.1f %% %8s\n",
			100*r.Errors, r.Rate, 100*r.Weight, 100*r.GoodTest.Alarms, 100*r.GoodFixed.Alarms,
			100*r.BadTest.Alarms, 100*r.BadFixed.Alarms, short(r.BadTest.Median), short(r.BadFixed.Median),
			100*r.GoodTest.Passes, short(r.GoodTest.MedianPass))
	})
	_, err := fmt.Fprintf(out, "\n%s\n", sum)
	return err
}

// short writes a time, or a dash where there is none.
func short(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return d.String()
}

// Summary of a table.
type Summary struct {
	Cells int
	// TestAlarms and FixedAlarms are means of the false alarms, WorstTest and
	// WorstFixed the highest.
	TestAlarms, FixedAlarms, WorstTest, WorstFixed float64
	// Decided cells are those in which either rule found half of the bad ones;
	// Sooner those in which the test was the first.
	Decided, Sooner int
	// Slower cells, in words.
	Slower []string
}

// Add counts a row.
func (s *Summary) Add(r Row) {
	s.Cells++
	s.TestAlarms += r.GoodTest.Alarms
	s.FixedAlarms += r.GoodFixed.Alarms
	s.WorstTest, s.WorstFixed = max(s.WorstTest, r.GoodTest.Alarms), max(s.WorstFixed, r.GoodFixed.Alarms)
	if r.BadTest.Median == 0 && r.BadFixed.Median == 0 {
		return
	}
	s.Decided++
	if r.BadTest.Median > 0 && (r.BadFixed.Median == 0 || r.BadTest.Median < r.BadFixed.Median) {
		s.Sooner++
		return
	}
	s.Slower = append(s.Slower, fmt.Sprintf("%g %% of errors, %g/s, weight %g %% (false alarms of the fixed rule there: %.1f %%)",
		100*r.Errors, r.Rate, 100*r.Weight, 100*r.GoodFixed.Alarms))
}

// String tells the summary.
func (s Summary) String() string {
	text := fmt.Sprintf("False alarms: test %.2f %% (worst cell %.2f %%), fixed rule %.2f %% (worst cell %.2f %%).\n"+
		"Of %d cells in which either finds half of the bad canaries, the test is sooner in %d.",
		100*s.TestAlarms/float64(s.Cells), 100*s.WorstTest, 100*s.FixedAlarms/float64(s.Cells), 100*s.WorstFixed, s.Decided, s.Sooner)
	for _, slower := range s.Slower {
		text += "\nNot sooner: " + slower
	}
	return text
}
