package simulate

import (
	"fmt"
	"io"
	"runtime"
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
	// Equal is the fixed rule on the bad canary with the lowest threshold that
	// raises no more false alarms than the test may; zero where none does.
	Equal Figures
	// Least is a time that no rule can be below on average, see Least.
	Least time.Duration
}

// Rows plays the whole grid, each cell with a canary that is like stable and with
// one that has tenfold errors, and tells the cells in their order. Cells are
// played side by side: each has random numbers of its own.
func Rows(o Options, each func(Row)) {
	var waiting []chan Row
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, errors := range errorRates {
		for _, rate := range rates {
			for _, weight := range weights {
				row := make(chan Row, 1)
				waiting = append(waiting, row)
				go func() {
					places <- struct{}{}
					row <- cell(Case{Errors: errors, Rate: rate, Weight: weight}, o)
					<-places
				}()
			}
		}
	}
	for _, row := range waiting {
		each(<-row)
	}
}

// cell plays one cell with both kinds of canary.
func cell(c Case, o Options) Row {
	good, bad := c, c
	good.Canary, bad.Canary = c.Errors, min(worse*c.Errors, highest)
	r := Row{Errors: c.Errors, Rate: c.Rate, Weight: c.Weight, Least: Least(bad, o.Test.FalseAlarm)}
	var right, wrong []Figures
	r.GoodTest, wrong = run(good, o)
	r.BadTest, right = run(bad, o)
	r.GoodFixed, r.BadFixed = wrong[0], right[0]
	for i := range wrong {
		if wrong[i].Alarms <= o.Test.FalseAlarm {
			r.Equal = right[i]
			break
		}
	}
	return r
}

// Print writes the table and its summary.
func Print(out io.Writer, o Options) error {
	fmt.Fprintf(out, "A canary like stable, and one with %d times the errors (at most %.0f %%): sequential test (nominal %.1f %% false alarms, a sample every %s)\n"+
		"and fixed rule (3 one-minute windows in a row above %g times the errors of stable). %d runs of %s each.\n\n",
		worse, 100*highest, 100*o.Test.FalseAlarm, o.Interval, o.Threshold, o.Runs, o.Horizon)
	fmt.Fprintln(out, "errors   rate/s  weight | false alarms    | detected within   | median time       | good: passed, median")
	fmt.Fprintln(out, "                        |   test   fixed  |   test    fixed   |   test     fixed  |   (test)")
	sum := Summary{Nominal: o.Test.FalseAlarm}
	Rows(o, func(r Row) {
		sum.Add(r)
		fmt.Fprintf(out, "%5.1f %%  %6g  %4.0f %% | %5.2f %% %6.2f %% | %6.1f %% %6.1f %% | %8s %8s | %5.1f %% %8s\n",
			100*r.Errors, r.Rate, 100*r.Weight, 100*r.GoodTest.Alarms, 100*r.GoodFixed.Alarms,
			100*r.BadTest.Alarms, 100*r.BadFixed.Alarms, short(r.BadTest.Median), short(r.BadFixed.Median),
			100*r.GoodTest.Passes, short(r.GoodTest.MedianPass))
	})
	fmt.Fprintf(out, "\n%s\n", sum)
	return printRecorded(out, o)
}

// printRecorded writes what both rules make of the requests of a real rollout.
func printRecorded(out io.Writer, o Options) error {
	recorded, err := Sandbox()
	if err != nil {
		return err
	}
	test, rule := recorded.Replay(o.Test, RecordedThreshold)
	_, err = fmt.Fprintf(out, "\nRecorded: %s.\nThe test has found it %s after the first bad answer, with %.0f bad answers; three one-minute windows in a row above %g %% after %s, with %.0f.\n",
		recorded.About, test.After, test.Bad, 100*RecordedThreshold, rule.After, rule.Bad)
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
	// Nominal rate of false alarms of the test.
	Nominal float64
	Cells   int
	// TestAlarms and FixedAlarms are means of the false alarms, WorstTest and
	// WorstFixed the highest.
	TestAlarms, FixedAlarms, WorstTest, WorstFixed float64
	// Decided cells are those in which either rule found half of the bad ones;
	// Sooner those in which the test was the first.
	Decided, Sooner int
	// Slower cells, in words.
	Slower []string
	// EqualDecided and EqualSooner are the same, with the fixed rule's threshold
	// raised until it gives no more false alarms than the test may.
	EqualDecided, EqualSooner int
}

// Add counts a row.
func (s *Summary) Add(r Row) {
	s.Cells++
	s.TestAlarms += r.GoodTest.Alarms
	s.FixedAlarms += r.GoodFixed.Alarms
	s.WorstTest, s.WorstFixed = max(s.WorstTest, r.GoodTest.Alarms), max(s.WorstFixed, r.GoodFixed.Alarms)
	if decided, sooner := compare(r.BadTest, r.Equal); decided {
		s.EqualDecided++
		if sooner {
			s.EqualSooner++
		}
	}
	decided, sooner := compare(r.BadTest, r.BadFixed)
	if !decided {
		return
	}
	s.Decided++
	if sooner {
		s.Sooner++
		return
	}
	s.Slower = append(s.Slower, fmt.Sprintf("%g %% of errors, %g/s, weight %g %%: %s and %s; the fixed rule has %.1f %% of false alarms there, and without more than %g %% nothing that has to learn the errors of stable is sooner than %s on average",
		100*r.Errors, r.Rate, 100*r.Weight, short(r.BadTest.Median), short(r.BadFixed.Median), 100*r.GoodFixed.Alarms, 100*s.Nominal, r.Least.Round(time.Second)))
}

// compare says whether either finds half of the bad ones, and whether the test is
// the first.
func compare(test, fixed Figures) (decided, sooner bool) {
	if test.Median == 0 && fixed.Median == 0 {
		return false, false
	}
	return true, test.Median > 0 && (fixed.Median == 0 || test.Median < fixed.Median)
}

// String tells the summary.
func (s Summary) String() string {
	text := fmt.Sprintf("False alarms: test %.2f %% (worst cell %.2f %%), fixed rule %.2f %% (worst cell %.2f %%).\n"+
		"Of %d cells in which either finds half of the bad canaries, the test is sooner in %d.",
		100*s.TestAlarms/float64(s.Cells), 100*s.WorstTest, 100*s.FixedAlarms/float64(s.Cells), 100*s.WorstFixed, s.Decided, s.Sooner)
	for _, slower := range s.Slower {
		text += "\nNot sooner: " + slower + "."
	}
	return text + fmt.Sprintf("\nWith the threshold of the fixed rule raised until it has at most %g %% of false alarms, too: the test is sooner in %d of %d.",
		100*s.Nominal, s.EqualSooner, s.EqualDecided)
}
