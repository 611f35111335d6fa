// Package simulate plays requests to the sequential test of package verdict and
// to the rule of fixed thresholds with consecutive failures, and counts how often
// and how soon each of them raises an alarm. Its figures are why the defaults of
// the test are what they are.
package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
)

// Case is one kind of rollout.
type Case struct {
	// Errors is the proportion of bad requests of stable, Canary that of canary.
	Errors, Canary float64
	// Rate is all requests a second, Weight the share of canary, 0 to 1.
	Rate, Weight float64
}

// Options of a simulation.
type Options struct {
	// Runs of each case.
	Runs int
	// Seed of the random numbers; the same gives the same figures.
	Seed uint64
	// Horizon is when a run ends without a verdict.
	Horizon time.Duration
	// Interval between the samples of the sequential test, in whole seconds.
	Interval time.Duration
	// Test that is judged by.
	Test config.Test
	// Guesses of the test.
	Guesses verdict.Guesses
	// Threshold of the fixed rule, as a multiple of Errors.
	Threshold float64

	// told plays the test a second time, with the errors of stable as its bound.
	told bool
}

// Defaults are the options of the printed table.
func Defaults() Options {
	return Options{
		Runs: 1000, Seed: 1, Horizon: 30 * time.Minute, Interval: config.DefaultInterval.Std(),
		Test: config.DefaultTest(), Guesses: verdict.DefaultGuesses(), Threshold: 3,
	}
}

// Check says what is wrong with the options.
func (o Options) Check() error {
	switch {
	case o.Runs < 1:
		return fmt.Errorf("checking the runs: %d is not at least 1", o.Runs)
	case o.Interval < time.Second || o.Interval%time.Second != 0:
		return fmt.Errorf("checking the interval: %s is not a number of whole seconds from 1", o.Interval)
	case o.Horizon < o.Interval:
		return fmt.Errorf("checking the horizon: %s is shorter than the interval %s", o.Horizon, o.Interval)
	case !(o.Threshold > 0):
		return fmt.Errorf("checking the threshold: %g is not above 0", o.Threshold)
	}
	return nil
}

// Figures of one rule in one case.
type Figures struct {
	// Alarms is the share of runs that ended with a verdict Fail.
	Alarms float64
	// Passes is the share of runs that ended with a verdict Pass.
	Passes float64
	// Median is the time at which half of all runs had raised an alarm; 0 where
	// fewer than half did.
	Median time.Duration
	// MedianPass is the same for a verdict Pass.
	MedianPass time.Duration
	// First is the share of runs in which the test raised its alarm before the
	// fixed rule did; 0 of the fixed rule itself.
	First float64
}

// played are the figures of all rules in one case.
type played struct {
	test Figures
	// told is the test that is told the errors of stable.
	told Figures
	// fixed are those of the fixed rule, in the order of raised, and toldFirst the
	// shares of runs in which told raised its alarm before each of them did.
	fixed     []Figures
	toldFirst []float64
}

// Run plays a case and returns the figures of the sequential test and of the
// fixed rule on the same requests.
func Run(c Case, o Options) (test, fixed Figures) {
	p := run(c, o)
	return p.test, p.fixed[0]
}

// run plays a case to all rules.
func run(c Case, o Options) played {
	var failed, passed, told []time.Duration
	old, first, toldFirst := make([][]time.Duration, len(raised)), 0, make([]int, len(raised))
	for i := range o.Runs {
		// Each run has random numbers of its own, so that options that are compared
		// see the same requests for as long as their runs go on.
		random := rand.New(rand.NewPCG(o.Seed, math.Float64bits(c.Errors+7*c.Canary+c.Rate+c.Weight)+uint64(i)))
		r := play(c, o, random)
		failed, passed, told = reached(failed, r.failed), reached(passed, r.passed), reached(told, r.told)
		first += before(r.failed, r.old[0])
		for i, at := range r.old {
			old[i] = reached(old[i], at)
			toldFirst[i] += before(r.told, at)
		}
	}
	p := played{test: figures(failed, passed, o.Runs), told: figures(told, nil, o.Runs)}
	p.test.First = float64(first) / float64(o.Runs)
	for i, times := range old {
		p.fixed = append(p.fixed, figures(times, nil, o.Runs))
		p.toldFirst = append(p.toldFirst, float64(toldFirst[i])/float64(o.Runs))
	}
	return p
}

// before is 1 where an alarm was raised before another, which may never have been.
func before(at, other time.Duration) int {
	if at > 0 && (other == 0 || at < other) {
		return 1
	}
	return 0
}

// reached adds a time, unless it was not reached.
func reached(times []time.Duration, at time.Duration) []time.Duration {
	if at == 0 {
		return times
	}
	return append(times, at)
}

func figures(failed, passed []time.Duration, runs int) Figures {
	return Figures{
		Alarms: float64(len(failed)) / float64(runs), Median: median(failed, runs),
		Passes: float64(len(passed)) / float64(runs), MedianPass: median(passed, runs),
	}
}

// median of runs of which those that are missing took longer than all others.
func median(times []time.Duration, runs int) time.Duration {
	if len(times) <= runs/2 {
		return 0
	}
	slices.Sort(times)
	return times[runs/2]
}
