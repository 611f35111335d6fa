package simulate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis/verdict/simulate"
)

// TestSummaryRefuses changes a row that holds everything.
func TestSummaryRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(*simulate.Row)
		want   string
	}{
		"all is well":                     {func(*simulate.Row) {}, ""},
		"a little above, by chance":       {func(r *simulate.Row) { r.GoodTest.Alarms = 0.014 }, ""},
		"false alarms":                    {func(r *simulate.Row) { r.GoodTest.Alarms = 0.03 }, "false alarms: 3.00 % of 1000 runs is above the nominal 1 %"},
		"passes of tenfold errors":        {func(r *simulate.Row) { r.BadTest.Passes = 0.03 }, "passes of tenfold errors: 3.00 %"},
		"passes at the margin":            {func(r *simulate.Row) { r.Edge.Passes = 0.03 }, "passes at the margin: 3.00 %"},
		"as late as the rule":             {func(r *simulate.Row) { r.BadTest.Median = 3 * time.Minute }, "0.1 % of errors, 10/s, weight 50 %: the test is not sooner: 3m and 3m"},
		"not found, but by the rule":      {func(r *simulate.Row) { r.BadTest.Median = 0 }, "the test is not sooner: - and 3m"},
		"late by chance":                  {func(r *simulate.Row) { r.BadTest.Median, r.BadTest.First = 4*time.Minute, 0.45 }, ""},
		"found by neither":                {func(r *simulate.Row) { r.BadTest.Median, r.BadFixed.Median = 0, 0 }, "neither rule finds half of the bad ones"},
		"found by the test only":          {func(r *simulate.Row) { r.BadFixed.Median = 0 }, ""},
		"later than a rule with alarms":   {func(r *simulate.Row) { r.BadTest.Median, r.GoodFixed.Alarms = 4*time.Minute, 0.02 }, ""},
		"later than a rule that is told":  {func(r *simulate.Row) { r.BadTest.Median, r.Least = 4*time.Minute, 200*time.Second }, ""},
		"told, and late":                  {func(r *simulate.Row) { r.ToldBad.Median = 3 * time.Minute }, "the test is not sooner: 0.1 % of errors, 10/s, weight 50 %, told the errors of stable: 3m and 3m"},
		"told, and late by chance":        {func(r *simulate.Row) { r.ToldBad.Median, r.ToldBad.First = 4*time.Minute, 0.45 }, ""},
		"told, and found by it only":      {func(r *simulate.Row) { r.Equal.Median = 0 }, ""},
		"told, and found by neither":      {func(r *simulate.Row) { r.ToldBad.Median, r.Equal.Median = 0, 0 }, "told the errors of stable: neither rule finds half"},
		"told, and false alarms":          {func(r *simulate.Row) { r.ToldGood.Alarms = 0.03 }, "told the errors of stable: false alarms: 3.00 %"},
		"later than what could be sooner": {func(r *simulate.Row) { r.BadTest.Median, r.Least = 4*time.Minute, 170*time.Second }, "not sooner"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			row := simulate.Row{
				Errors: 0.001, Rate: 10, Weight: 0.5, Least: time.Minute,
				GoodTest: simulate.Figures{Alarms: 0.01}, BadTest: simulate.Figures{Alarms: 1, Median: 2 * time.Minute},
				BadFixed: simulate.Figures{Alarms: 1, Median: 3 * time.Minute}, Edge: simulate.Figures{Passes: 0.01},
				ToldBad: simulate.Figures{Alarms: 1, Median: time.Minute}, Equal: simulate.Figures{Alarms: 1, Median: 3 * time.Minute},
			}
			test.change(&row)
			sum := simulate.Summary{Nominal: 0.01, Runs: 1000}
			sum.Add(row)
			if test.want == "" {
				require.NoError(t, sum.Err())
				return
			}
			require.ErrorContains(t, sum.Err(), test.want)
		})
	}
}

// TestSummaryAddsUp: shares that could each be chance are none together.
func TestSummaryAddsUp(t *testing.T) {
	sum := simulate.Summary{Nominal: 0.01, Runs: 100}
	for range 60 {
		sum.Add(simulate.Row{GoodTest: simulate.Figures{Alarms: 0.03}, BadTest: simulate.Figures{Median: time.Minute}, ToldBad: simulate.Figures{Median: time.Minute}})
	}
	require.EqualError(t, sum.Err(), "all cells: false alarms: 3.00 % of 6000 runs is above the nominal 1 %, and not by chance")
}

func TestSummaryOfBounds(t *testing.T) {
	sum := simulate.Summary{Nominal: 0.01, Runs: 1000}
	sum.AddBound(simulate.BoundRow{
		Bound: 0.01, Rate: 10, EdgeTest: simulate.Figures{Alarms: 0.04, Passes: 0.04}, BadTest: simulate.Figures{Median: time.Minute},
	})
	require.ErrorContains(t, sum.Err(), "bound of 1 %, 10/s: false alarms: 4.00 %")
	require.ErrorContains(t, sum.Err(), "bound of 1 %, 10/s: passes at the margin: 4.00 %")
}
