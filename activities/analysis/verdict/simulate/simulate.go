// Package simulate plays requests to the sequential test of package verdict and
// to the rule of fixed thresholds with consecutive failures, and counts how often
// and how soon each of them raises an alarm. Its figures are why the defaults of
// the test are what they are.
package simulate

import (
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
	// Interval between the samples of the sequential test.
	Interval time.Duration
	// Test that is judged by.
	Test config.Test
	// Threshold of the fixed rule, as a multiple of Errors.
	Threshold float64
}

// raised are the multiples of Options.Threshold at which the fixed rule is played
// beside it: one of them gives as few false alarms as the test.
var raised = []float64{1, 1.25, 1.5, 2, 2.5, 3, 4}

// Defaults are the options of the printed table.
func Defaults() Options {
	return Options{
		Runs: 1000, Seed: 1, Horizon: 30 * time.Minute, Interval: 15 * time.Second,
		Test: config.DefaultTest(), Threshold: 3,
	}
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
}

// window of the fixed rule, and its windows in a row.
const (
	window      = time.Minute
	consecutive = 3
)

// Run plays a case and returns the figures of the sequential test and of the
// fixed rule on the same requests.
func Run(c Case, o Options) (test, fixed Figures) {
	test, all := run(c, o)
	return test, all[0]
}

// run returns the figures of the fixed rule for all raised thresholds.
func run(c Case, o Options) (test Figures, fixed []Figures) {
	random := rand.New(rand.NewPCG(o.Seed, math.Float64bits(c.Errors+7*c.Canary+c.Rate+c.Weight)))
	var failed, passed []time.Duration
	old := make([][]time.Duration, len(raised))
	for range o.Runs {
		r := play(c, o, random)
		if r.failed > 0 {
			failed = append(failed, r.failed)
		}
		if r.passed > 0 {
			passed = append(passed, r.passed)
		}
		for i, at := range r.old {
			if at > 0 {
				old[i] = append(old[i], at)
			}
		}
	}
	for _, times := range old {
		fixed = append(fixed, figures(times, nil, o.Runs))
	}
	return figures(failed, passed, o.Runs), fixed
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

// outcome of one run: when each verdict came; 0 where it did not. Those of the
// fixed rule are in the order of raised.
type outcome struct {
	failed, passed time.Duration
	old            []time.Duration
}

// decided says that nothing can change any more.
func (r outcome) decided() bool {
	return (r.failed > 0 || r.passed > 0) && !slices.Contains(r.old, 0)
}

// play is one run. Both rules look at the same requests.
func play(c Case, o Options, random *rand.Rand) outcome {
	judge, err := verdict.New(config.Metric{
		Name: "errors", Bad: "bad", Requests: "requests", Test: &o.Test, Count: math.MaxInt,
		OnPass: config.PassContinue, OnFail: config.FailureRollback,
	})
	if err != nil {
		return outcome{} // a metric without a condition has nothing that could be wrong
	}
	result := outcome{old: make([]time.Duration, len(raised))}
	state := judge.Begin()
	rules := make([]fixed, len(raised))
	for i, times := range raised {
		rules[i].threshold = times * o.Threshold * c.Errors
	}
	for now := o.Interval; now <= o.Horizon && !result.decided(); now += o.Interval {
		seconds := o.Interval.Seconds()
		r := verdict.Reading{
			CanaryCounts: draw(random, c.Rate*c.Weight*seconds, c.Canary),
			StableCounts: draw(random, c.Rate*(1-c.Weight)*seconds, c.Errors),
		}
		if result.failed == 0 && result.passed == 0 {
			state = judge.Add(state, r)
			switch state.Outcome {
			case verdict.Fail:
				result.failed = now
			case verdict.Pass:
				result.passed = now
			default:
			}
		}
		for i := range rules {
			rules[i].add(r.CanaryCounts)
			if now%window == 0 && rules[i].alarm() && result.old[i] == 0 {
				result.old[i] = now
			}
		}
	}
	return result
}

// fixed is the rule of a threshold and consecutive failures.
type fixed struct {
	threshold float64
	counts    verdict.Counts
	failures  int
}

func (f *fixed) add(c verdict.Counts) { f.counts = f.counts.Add(c) }

// alarm ends a window. One without requests is left out.
func (f *fixed) alarm() bool {
	rate, ok := f.counts.Rate()
	f.counts = verdict.Counts{}
	switch {
	case !ok:
	case rate > f.threshold:
		f.failures++
	default:
		f.failures = 0
	}
	return f.failures >= consecutive
}

// draw returns a Poisson number of requests with a binomial number of bad ones.
func draw(random *rand.Rand, requests, bad float64) verdict.Counts {
	n := poisson(random, requests)
	return verdict.Counts{Requests: float64(n), Bad: float64(binomial(random, n, bad))}
}

// poisson counts exponential gaps in a unit of time; above 500 the normal
// approximation is close enough for a number of requests.
func poisson(random *rand.Rand, mean float64) int {
	if mean > 500 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*random.NormFloat64())))
	}
	n := 0
	for t := random.ExpFloat64(); t < mean; t += random.ExpFloat64() {
		n++
	}
	return n
}

// binomial counts successes by the geometric gaps between them.
func binomial(random *rand.Rand, n int, p float64) int {
	switch {
	case p > 0.5:
		return n - binomial(random, n, 1-p)
	case p <= 0:
		return 0
	}
	successes, log := 0, math.Log1p(-p)
	for at := gap(random, log); at <= n; at += gap(random, log) {
		successes++
	}
	return successes
}

// gap to the next success, at least 1.
func gap(random *rand.Rand, log float64) int {
	g := math.Log(1-random.Float64()) / log
	if g > 1e9 {
		return 1e9
	}
	return int(g) + 1
}
