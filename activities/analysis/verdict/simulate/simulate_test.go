package simulate_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis/verdict/simulate"
)

// reduced is a simulation that takes a second.
func reduced() simulate.Options {
	o := simulate.Defaults()
	o.Runs, o.Horizon = 60, 15*time.Minute
	return o
}

// TestTableHolds plays every cell of both tables with few runs: what `make
// simulate` requires is required here, too.
func TestTableHolds(t *testing.T) {
	o := simulate.Defaults()
	o.Runs = 20
	var out strings.Builder
	require.NoError(t, simulate.Print(&out, o), out.String())
	require.Contains(t, out.String(), "Of 60 cells in which either finds half of the bad canaries")
	require.Contains(t, out.String(), "Of 9 cells in which either finds half of the bad canaries, the test is sooner in 9.")
}

// TestRuleHasWindowsOfItsOwn samples at times that do not divide a minute.
func TestRuleHasWindowsOfItsOwn(t *testing.T) {
	for _, interval := range []time.Duration{7 * time.Second, 45 * time.Second, 2 * time.Minute} {
		o := reduced()
		o.Interval = interval
		test, fixed := simulate.Run(simulate.Case{Errors: 0.01, Canary: 0.2, Rate: 100, Weight: 0.5}, o)
		require.Equal(t, 3*time.Minute, fixed.Median, interval)
		require.Equal(t, interval, test.Median, interval)
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	for want, change := range map[string]func(*simulate.Options){
		"checking the runs: 0":                 func(o *simulate.Options) { o.Runs = 0 },
		"checking the interval: 0s":            func(o *simulate.Options) { o.Interval = 0 },
		"checking the interval: 1.5s":          func(o *simulate.Options) { o.Interval = 1500 * time.Millisecond },
		"checking the horizon: 20s is shorter": func(o *simulate.Options) { o.Horizon = 20 * time.Second },
		"checking the threshold: 0":            func(o *simulate.Options) { o.Threshold = 0 },
	} {
		o := simulate.Defaults()
		change(&o)
		require.ErrorContains(t, simulate.Print(io.Discard, o), want)
		require.ErrorContains(t, simulate.PrintSweep(io.Discard, o), want)
	}
}

func TestEvidenceOfNoHarmPromotes(t *testing.T) {
	test, _ := simulate.Run(simulate.Case{Errors: 0.01, Canary: 0.01, Rate: 100, Weight: 0.5}, reduced())
	require.Greater(t, test.Passes, 0.95)
}

func TestSameSeedSameFigures(t *testing.T) {
	c := simulate.Case{Errors: 0.05, Canary: 0.2, Rate: 10, Weight: 0.1}
	a, b := simulate.Run(c, reduced())
	x, y := simulate.Run(c, reduced())
	require.Equal(t, a, x)
	require.Equal(t, b, y)
}

// TestLeastIsABound compares what no rule can be below with what the test needs.
func TestLeastIsABound(t *testing.T) {
	for _, c := range []simulate.Case{
		{Errors: 0.001, Canary: 0.01, Rate: 10, Weight: 0.5}, {Errors: 0.01, Canary: 0.1, Rate: 1, Weight: 0.5}, {Errors: 0.2, Canary: 0.9, Rate: 1, Weight: 0.1},
	} {
		o := reduced()
		o.Runs, o.Interval = 200, 5*time.Second
		test, _ := simulate.Run(c, o)
		least := simulate.Least(c, o.Test.FalseAlarm)
		// A median may be below a mean; the samples are 5 s apart.
		require.Greater(t, test.Median, least*8/10, "%+v", c)
		require.Less(t, test.Median, 2*least+30*time.Second, "%+v", c)
	}
}

// TestLargerMarginsPassWorseCanaries plays two of the variations from which the
// defaults were chosen.
func TestLargerMarginsPassWorseCanaries(t *testing.T) {
	o := simulate.Defaults()
	o.Runs = 20
	swept := map[string]simulate.Swept{}
	for _, v := range simulate.Variations() {
		if v.Name == "the defaults" || v.Name == "margin 5q" {
			swept[v.Name] = simulate.Sweep(v, o)
		}
	}
	defaults, larger := swept["the defaults"], swept["margin 5q"]
	require.LessOrEqual(t, defaults.Edge, 0.05)
	require.Greater(t, larger.Edge, 0.5)
	require.Greater(t, larger.Passes, defaults.Passes)
	require.InDelta(t, defaults.Found10, larger.Found10, 0.2, "the margin is not about harm")
}
