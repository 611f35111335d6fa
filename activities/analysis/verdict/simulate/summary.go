package simulate

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Summary of a table. A Summary says what it has to hold: Err.
type Summary struct {
	// Nominal rate of false alarms and of false passes of the test, and the runs
	// behind each share.
	Nominal float64
	Runs    int
	Cells   int
	// TestAlarms and FixedAlarms are means of the false alarms, WorstTest and
	// WorstFixed the highest; WorstPass is the highest share of false passes.
	TestAlarms, FixedAlarms, WorstTest, WorstFixed, WorstPass float64
	// Decided cells are those in which either rule found half of the bad ones;
	// Sooner those in which the test was the first.
	Decided, Sooner int
	// Slower cells, in words.
	Slower []string
	// EqualDecided and EqualSooner are the same, with the fixed rule's threshold
	// raised until it gives no more false alarms than the test may.
	EqualDecided, EqualSooner int
	// ToldSooner of ToldDecided cells are those in which the test is sooner than
	// that rule when it is told the errors of stable, too; ToldAlarms is the highest
	// share of its false alarms.
	ToldDecided, ToldSooner int
	ToldAlarms              float64

	broken []error
}

// Add counts a row.
func (s *Summary) Add(r Row) {
	where := fmt.Sprintf("%g %% of errors, %g/s, weight %g %%", 100*r.Errors, r.Rate, 100*r.Weight)
	s.alarms(where, r.GoodTest.Alarms, r.GoodFixed.Alarms)
	s.passes(where, r.BadTest.Passes, r.Edge.Passes)
	if decided, sooner := compare(r.BadTest, r.Equal); decided {
		s.EqualDecided++
		if sooner {
			s.EqualSooner++
		}
	}
	s.race(where, r.BadTest, r.BadFixed, r.GoodFixed.Alarms, r.Least)
	s.told(where, r)
}

// told says whether the test is the first on equal terms: both are told the errors
// of stable, and both raise no more false alarms than the test may. Then there is
// no excuse but chance.
func (s *Summary) told(where string, r Row) {
	where += ", told the errors of stable"
	s.ToldAlarms = max(s.ToldAlarms, r.ToldGood.Alarms)
	s.rare(where+": false alarms", r.ToldGood.Alarms)
	decided, sooner := compare(r.ToldBad, r.Equal)
	if !decided {
		s.broken = append(s.broken, fmt.Errorf("%s: neither rule finds half of the bad ones", where))
		return
	}
	s.ToldDecided++
	if sooner {
		s.ToldSooner++
		return
	}
	text := fmt.Sprintf("%s: %s and %s", where, short(r.ToldBad.Median), short(r.Equal.Median))
	s.Slower = append(s.Slower, text)
	if s.late(r.ToldBad.First) {
		s.broken = append(s.broken, fmt.Errorf("the test is not sooner: %s", text))
	}
}

// late says that the other rule was the first in more than half of the runs, and
// not by chance.
func (s *Summary) late(first float64) bool {
	return tail(s.Runs, int(math.Round((1-first)*float64(s.Runs))), 0.5) < doubt
}

// AddBound counts a row of the table of bounds.
func (s *Summary) AddBound(r BoundRow) {
	where := fmt.Sprintf("bound of %g %%, %g/s", 100*r.Bound, r.Rate)
	s.alarms(where, r.EdgeTest.Alarms, r.EdgeFixed.Alarms)
	s.passes(where, r.BadTest.Passes, r.EdgeTest.Passes)
	s.race(where, r.BadTest, r.BadFixed, r.EdgeFixed.Alarms, r.Least)
}

// alarms counts the false alarms of a cell.
func (s *Summary) alarms(where string, test, fixed float64) {
	s.Cells++
	s.TestAlarms += test
	s.FixedAlarms += fixed
	s.WorstTest, s.WorstFixed = max(s.WorstTest, test), max(s.WorstFixed, fixed)
	s.rare(where+": false alarms", test)
}

// passes counts the false passes of a cell.
func (s *Summary) passes(where string, tenfold, edge float64) {
	s.WorstPass = max(s.WorstPass, tenfold, edge)
	s.rare(where+": passes of tenfold errors", tenfold)
	s.rare(where+": passes at the margin", edge)
}

// race says which rule was the first to find half of the bad ones. The fixed one
// may be it where it has more false alarms than the test may, or is below what is
// possible without them; or by chance.
func (s *Summary) race(where string, test, fixed Figures, falseAlarms float64, least time.Duration) {
	decided, sooner := compare(test, fixed)
	switch {
	case !decided:
		s.broken = append(s.broken, fmt.Errorf("%s: neither rule finds half of the bad ones", where))
		return
	case sooner:
		s.Decided, s.Sooner = s.Decided+1, s.Sooner+1
		return
	}
	s.Decided++
	text := fmt.Sprintf("%s: %s and %s; the fixed rule has %.1f %% of false alarms there, and without more than %g %% nothing that has to learn the errors of stable is sooner than %s on average",
		where, short(test.Median), short(fixed.Median), 100*falseAlarms, 100*s.Nominal, least.Round(time.Second))
	s.Slower = append(s.Slower, text)
	if falseAlarms <= s.Nominal && least < fixed.Median && s.late(test.First) {
		s.broken = append(s.broken, fmt.Errorf("%s: the test is not sooner: %s and %s", where, short(test.Median), short(fixed.Median)))
	}
}

// compare says whether either finds half of the bad ones, and whether the test is
// the first.
func compare(test, fixed Figures) (decided, sooner bool) {
	if test.Median == 0 && fixed.Median == 0 {
		return false, false
	}
	return true, test.Median > 0 && (fixed.Median == 0 || test.Median < fixed.Median)
}

// doubt is how improbable a share has to be, for a test that holds what it
// promises, to be called too high. A table has some 200 shares: one seed in 500 would
// be refused wrongly.
const doubt = 1e-5

// rare requires that a share is not above the nominal rate but for chance.
func (s *Summary) rare(what string, share float64) {
	if tail(s.Runs, int(math.Round(share*float64(s.Runs))), s.Nominal) < doubt {
		s.broken = append(s.broken, fmt.Errorf("%s: %.2f %% of %d runs is above the nominal %g %%, and not by chance", what, 100*share, s.Runs, 100*s.Nominal))
	}
}

// tail is the probability of k successes or more in n trials.
func tail(n, k int, p float64) float64 {
	if k <= 0 {
		return 1
	}
	total := 0.0
	for i := k; i <= n; i++ {
		term := math.Exp(choose(n, i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
		if total += term; term < total*1e-12 {
			break
		}
	}
	return total
}

// choose is the logarithm of the number of ways to choose k of n.
func choose(n, k int) float64 {
	factorial := func(i int) float64 {
		l, _ := math.Lgamma(float64(i) + 1)
		return l
	}
	return factorial(n) - factorial(k) - factorial(n-k)
}

// Err says everything that the test has not held: false alarms and false passes
// at or under the nominal rate, but for chance, and tenfold errors found sooner
// than by the fixed rule wherever that keeps its false alarms at or under the
// nominal rate, too, and is not below what is possible without being told the
// errors of stable; and everywhere, where the test is told them, too.
func (s *Summary) Err() error {
	all := Summary{Nominal: s.Nominal, Runs: s.Cells * s.Runs}
	all.rare("all cells: false alarms", s.TestAlarms/float64(max(s.Cells, 1)))
	return errors.Join(append(slices.Clone(s.broken), all.broken...)...)
}

// String tells the summary.
func (s *Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "False alarms: test %.2f %% (worst cell %.2f %%), fixed rule %.2f %% (worst cell %.2f %%). False passes of the test: worst cell %.2f %%.\n"+
		"Of %d cells in which either finds half of the bad canaries, the test is sooner in %d.",
		100*s.TestAlarms/float64(s.Cells), 100*s.WorstTest, 100*s.FixedAlarms/float64(s.Cells), 100*s.WorstFixed, 100*s.WorstPass, s.Decided, s.Sooner)
	for _, slower := range s.Slower {
		fmt.Fprintf(&b, "\nNot sooner: %s.", slower)
	}
	if s.EqualDecided > 0 {
		fmt.Fprintf(&b, "\nWith the threshold of the fixed rule raised until it has at most %g %% of false alarms, too: the test is sooner in %d of %d.",
			100*s.Nominal, s.EqualSooner, s.EqualDecided)
	}
	if s.ToldDecided > 0 {
		fmt.Fprintf(&b, "\nWith that, and the test told the errors of stable as the fixed rule is, as its bound: the test is sooner in %d of %d, its false alarms are %.2f %% in the worst cell.",
			s.ToldSooner, s.ToldDecided, 100*s.ToldAlarms)
	}
	return b.String()
}
