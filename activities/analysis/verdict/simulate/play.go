package simulate

import (
	"math/rand/v2"
	"slices"
	"time"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
)

// outcome of one run: when each verdict came; 0 where it did not. Those of the
// fixed rule are in the order of raised.
type outcome struct {
	failed, passed time.Duration
	// told is when the test that knows the errors of stable failed.
	told time.Duration
	old  []time.Duration
}

// judged says that the test has decided.
func (r outcome) judged() bool { return r.failed > 0 || r.passed > 0 }

// play is one run. All rules look at the same requests, each at its own times.
func play(c Case, o Options, random *rand.Rand) outcome {
	result := outcome{old: make([]time.Duration, len(raised))}
	var test, told verdict.Sequential
	known := o.Test
	known.Bound = &c.Errors
	decided := func() bool { // nothing can change any more
		return result.judged() && (result.told > 0 || !o.told) && !slices.Contains(result.old, 0)
	}
	rules := make([]fixed, len(raised))
	for i, times := range raised {
		rules[i].threshold = times * o.Threshold * c.Errors
	}
	step := common(o.Interval, window)
	var canary, stable verdict.Counts // since the last sample
	for now := step; now <= o.Horizon && !decided(); now += step {
		drawn := draw(random, c.Rate*c.Weight*step.Seconds(), c.Canary)
		canary, stable = canary.Add(drawn), stable.Add(draw(random, c.Rate*(1-c.Weight)*step.Seconds(), c.Errors))
		if now%o.Interval == 0 {
			if !result.judged() {
				test = test.Add(canary, stable, o.Test, o.Guesses)
				result.note(test, o.Test, now)
			}
			if o.told && result.told == 0 {
				if told = told.Add(canary, stable, known, o.Guesses); told.Harmful(known) {
					result.told = now
				}
			}
			canary, stable = verdict.Counts{}, verdict.Counts{}
		}
		for i := range rules {
			rules[i].add(drawn)
			if now%window == 0 && rules[i].alarm() && result.old[i] == 0 {
				result.old[i] = now
			}
		}
	}
	return result
}

// note keeps a verdict of the test.
func (r *outcome) note(test verdict.Sequential, t config.Test, now time.Duration) {
	switch {
	case test.Harmful(t):
		r.failed = now
	case test.Harmless(t):
		r.passed = now
	}
}

// common is the longest time of which both are multiples.
func common(a, b time.Duration) time.Duration {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}
