package simulate_test

import (
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

// cells are from all corners of the table.
var cells = []simulate.Case{
	{Errors: 0.001, Rate: 1000, Weight: 0.1}, {Errors: 0.001, Rate: 100, Weight: 0.5},
	{Errors: 0.01, Rate: 10, Weight: 0.5}, {Errors: 0.01, Rate: 1000, Weight: 0.01},
	{Errors: 0.05, Rate: 100, Weight: 0.01}, {Errors: 0.05, Rate: 10, Weight: 0.1},
	{Errors: 0.2, Rate: 1, Weight: 0.5}, {Errors: 0.2, Rate: 100, Weight: 0.1},
}

// TestFalseAlarmsAreRare allows the nominal rate over all cells together.
func TestFalseAlarmsAreRare(t *testing.T) {
	alarms, runs := 0.0, 0.0
	for _, c := range cells {
		c.Canary = c.Errors
		test, _ := simulate.Run(c, reduced())
		alarms += test.Alarms * float64(reduced().Runs)
		runs += float64(reduced().Runs)
	}
	require.LessOrEqual(t, alarms/runs, simulate.Defaults().Test.FalseAlarm)
}

func TestTenfoldErrorsAreFoundSooner(t *testing.T) {
	for _, c := range cells {
		c.Canary = min(10*c.Errors, 0.9)
		test, fixed := simulate.Run(c, reduced())
		require.NotZero(t, test.Median, "%+v", c)
		if fixed.Median > 0 {
			require.Less(t, test.Median, fixed.Median, "%+v", c)
		}
		require.Zero(t, test.Passes, "%+v", c)
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
