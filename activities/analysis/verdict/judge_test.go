package verdict_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
)

// metric with the defaults of a document, changed.
func metric(change func(*config.Metric)) config.Metric {
	m := config.Metric{
		Name: "m", Query: "q", Count: 3,
		Limits: config.Limits{ConsecutiveFailures: 2, ConsecutiveErrors: 2, ConsecutiveNoData: 2},
		OnPass: config.PassContinue, OnFail: config.FailureRollback, OnNoData: config.GapWait, OnError: config.GapWait,
	}
	change(&m)
	return m
}

// value is a reading of canary, and of stable where it is given.
func value(canary float64, stable ...float64) verdict.Reading {
	r := verdict.Reading{At: time.Unix(0, 0), Canary: &canary}
	if len(stable) > 0 {
		r.Stable = &stable[0]
	}
	return r
}

func counted(requests, bad, stableRequests, stableBad float64) verdict.Reading {
	return verdict.Reading{
		CanaryCounts: verdict.Counts{Requests: requests, Bad: bad}, StableCounts: verdict.Counts{Requests: stableRequests, Bad: stableBad},
	}
}

func problem(o verdict.Outcome) verdict.Reading {
	return verdict.Reading{Problem: o, Reason: "because"}
}

func judgeAll(t *testing.T, m config.Metric, readings ...verdict.Reading) verdict.State {
	t.Helper()
	judge, err := verdict.New(m)
	require.NoError(t, err)
	state := judge.Begin()
	for _, r := range readings {
		state = judge.Add(state, r)
	}
	return state
}

func TestSampleVerdicts(t *testing.T) {
	low, high := 0.5, 0.9
	within := func(m *config.Metric) { m.Min, m.Max = &low, &high }
	ratio := func(m *config.Metric) { m.Compare.MaxRatio = new(2.0) }
	delta := func(m *config.Metric) { m.Compare.MaxDelta = new(0.1) }
	condition := func(text string) func(*config.Metric) { return func(m *config.Metric) { m.Condition = text } }
	requests := func(m *config.Metric) { m.Max, m.MinRequests = &high, 100 }
	few, many := 12.0, 120.0
	tests := map[string]struct {
		change  func(*config.Metric)
		reading verdict.Reading
		want    verdict.Outcome
		reason  string
	}{
		"within":                 {within, value(0.7), verdict.Pass, ""},
		"at the lower bound":     {within, value(0.5), verdict.Pass, ""},
		"below":                  {within, value(0.4), verdict.Fail, "the value is 0.4, below 0.5"},
		"above":                  {within, value(1), verdict.Fail, "the value is 1, above 0.9"},
		"NaN":                    {within, value(math.NaN()), verdict.NoData, "NaN"},
		"NaN beside infinite":    {within, value(math.NaN(), math.Inf(1)), verdict.NoData, "NaN"},
		"requests NaN":           {requests, verdict.Reading{Canary: &low, Requests: new(math.NaN())}, verdict.Error, "the number of requests is NaN"},
		"requests infinite":      {requests, verdict.Reading{Canary: &low, Requests: new(math.Inf(1))}, verdict.Error, "the number of requests is +Inf"},
		"infinite":               {within, value(math.Inf(1)), verdict.Error, "infinite"},
		"minus infinite":         {within, value(math.Inf(-1)), verdict.Error, "infinite"},
		"nothing":                {within, problem(verdict.NoData), verdict.NoData, "because"},
		"broken":                 {within, problem(verdict.Error), verdict.Error, "because"},
		"ratio kept":             {ratio, value(2, 1), verdict.Pass, ""},
		"ratio passed":           {ratio, value(2.5, 1), verdict.Fail, "canary divided by stable is 2.5, above 2 (canary 2.5, stable 1)"},
		"ratio of two zeros":     {ratio, value(0, 0), verdict.Pass, ""},
		"ratio to zero":          {ratio, value(1, 0), verdict.Fail, "+Inf"},
		"stable missing":         {ratio, value(1), verdict.NoData, "stable has no value"},
		"stable NaN":             {ratio, value(1, math.NaN()), verdict.NoData, "stable has no value"},
		"stable infinite":        {ratio, value(1, math.Inf(1)), verdict.Error, "the value of stable is infinite"},
		"delta kept":             {delta, value(1.05, 1), verdict.Pass, ""},
		"delta passed":           {delta, value(1.2, 1), verdict.Fail, "canary minus stable is 0.2, above 0.1"},
		"condition true":         {condition("value < 1 && samples.size() == 1"), value(0.5), verdict.Pass, ""},
		"condition false":        {condition("value < 0.1"), value(0.5), verdict.Fail, "not so: value < 0.1 (value 0.5)"},
		"condition of both":      {condition("delta < 0.2 || ratio < 1.5"), value(1, 0.5), verdict.Fail, "not so"},
		"condition lacks stable": {condition("ratio < 1.5"), value(1), verdict.NoData, "stable has no value"},
		"condition out of range": {condition("samples[5] > 0.0"), value(1), verdict.Error, "index out of"},
		"too few requests":       {requests, verdict.Reading{Canary: new(1.0), Requests: &few}, verdict.NoData, "12 of at least 100 requests"},
		"enough requests":        {requests, verdict.Reading{Canary: new(0.2), Requests: &many}, verdict.Pass, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			state := judgeAll(t, metric(test.change), test.reading)
			require.Len(t, state.Samples, 1)
			require.Equal(t, test.want, state.Samples[0].Outcome)
			require.Contains(t, state.Samples[0].Reason, test.reason)
			_, err := json.Marshal(state)
			require.NoError(t, err, "a heartbeat can carry it")
		})
	}
}

func TestMetricVerdicts(t *testing.T) {
	high := 0.5
	good, bad, none, broken := value(0.1), value(1), problem(verdict.NoData), problem(verdict.Error)
	limits := func(l config.Limits) func(*config.Metric) {
		return func(m *config.Metric) { m.Max, m.Limits = &high, l }
	}
	usual := func(m *config.Metric) { m.Max = &high }
	tests := map[string]struct {
		change   func(*config.Metric)
		readings []verdict.Reading
		want     verdict.Outcome
		reason   string
	}{
		"not enough samples":               {usual, []verdict.Reading{good, good}, verdict.Measuring, "2 of 3 samples"},
		"all samples":                      {usual, []verdict.Reading{good, good, good}, verdict.Pass, "3 samples, 0 of them failed"},
		"missing samples do not count":     {usual, []verdict.Reading{good, none, good, broken}, verdict.Measuring, "because"},
		"two failures in a row":            {usual, []verdict.Reading{good, bad, bad}, verdict.Fail, "above 0.5; 2 times in a row"},
		"a gap does not part failures":     {usual, []verdict.Reading{bad, none, bad}, verdict.Fail, "2 times in a row"},
		"a pass parts failures":            {usual, []verdict.Reading{bad, good, bad}, verdict.Measuring, ""},
		"the last sample has to pass":      {usual, []verdict.Reading{good, good, bad}, verdict.Measuring, "above"},
		"and then it does":                 {usual, []verdict.Reading{good, good, bad, good}, verdict.Pass, "1 of them failed"},
		"failures in all":                  {limits(config.Limits{Failures: 2}), []verdict.Reading{bad, good, bad}, verdict.Fail, "2 times in all"},
		"fail stands":                      {usual, []verdict.Reading{bad, bad, good, good, good}, verdict.Fail, "2 times in a row"},
		"no data":                          {usual, []verdict.Reading{none, none}, verdict.NoData, "because; 2 times in a row"},
		"no data in all":                   {limits(config.Limits{NoData: 2}), []verdict.Reading{none, good, none}, verdict.NoData, "2 times in all"},
		"errors":                           {usual, []verdict.Reading{broken, broken}, verdict.Error, "2 times in a row"},
		"errors in all":                    {limits(config.Limits{Errors: 2}), []verdict.Reading{broken, good, broken}, verdict.Error, "2 times in all"},
		"data after none":                  {usual, []verdict.Reading{none, none, good}, verdict.Measuring, "1 of 3"},
		"pass stands while samples pass":   {usual, []verdict.Reading{good, good, good, good}, verdict.Pass, "3 samples"},
		"failures after a pass are a fail": {usual, []verdict.Reading{good, good, good, bad, bad}, verdict.Fail, "in a row"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			state := judgeAll(t, metric(test.change), test.readings...)
			require.Equal(t, test.want, state.Outcome, state.Reason)
			require.Contains(t, state.Reason, test.reason)
		})
	}
}

// testMetric is read from counters and judged by a sequential test.
func testMetric(change func(*config.Metric)) config.Metric {
	return metric(func(m *config.Metric) {
		m.Query, m.Requests, m.Bad, m.Count = "", "r", "b", 100
		m.Test = new(config.DefaultTest())
		if change != nil {
			change(m)
		}
	})
}

func repeat(r verdict.Reading, n int) []verdict.Reading {
	all := make([]verdict.Reading, n)
	for i := range all {
		all[i] = r
	}
	return all
}

// after is the first reading n times and then the second one m times.
func after(first verdict.Reading, n int, second verdict.Reading, m int) []verdict.Reading {
	return append(repeat(first, n), repeat(second, m)...)
}

// TestNothingToCompareIsNoPass looks at single samples of a test.
func TestNothingToCompareIsNoPass(t *testing.T) {
	last := func(change func(*config.Metric), readings ...verdict.Reading) verdict.Sample {
		samples := judgeAll(t, testMetric(change), readings...).Samples
		return samples[len(samples)-1]
	}
	dry := counted(50, 50, 0, 0)
	require.Equal(t, verdict.NoData, last(nil, dry).Outcome)
	require.Equal(t, verdict.NoData, last(nil, counted(50, 0, 5, 0), dry).Outcome, "five requests say little")
	known := last(nil, counted(50, 0, 5000, 5), dry)
	require.Equal(t, verdict.Pass, known.Outcome, "the test of all samples judges it")
	require.Contains(t, known.Reason, "stable has no requests now; by those it had, up to 0.422 %")
	require.Nil(t, known.Stable)
	require.Equal(t, verdict.Pass, last(func(m *config.Metric) { m.Test.Bound = new(0.01) }, dry).Outcome, "compared with a number")
	require.Equal(t, verdict.Fail, last(func(m *config.Metric) { m.Max = new(0.5) }, dry).Outcome, "a bound needs no stable")
}

func TestSequentialVerdicts(t *testing.T) {
	bound := func(m *config.Metric) { m.Test.Bound = new(0.02) }
	tests := map[string]struct {
		change   func(*config.Metric)
		readings []verdict.Reading
		want     verdict.Outcome
		reason   string
	}{
		"worse":                 {nil, repeat(counted(50, 10, 500, 1), 2), verdict.Fail, "canary is worse: canary 10 of 50 requests bad (20 %), stable 1 of 500 requests bad (0.2 %)"},
		"both as bad":           {nil, repeat(counted(50, 10, 500, 100), 20), verdict.Pass, "not worse"},
		"both good":             {nil, repeat(counted(500, 0, 5000, 1), 20), verdict.Pass, "not worse by the margin"},
		"too early to say":      {nil, repeat(counted(20, 0, 200, 0), 3), verdict.Measuring, "are enough"},
		"no requests":           {nil, repeat(counted(0, 0, 500, 0), 2), verdict.NoData, "no requests since the last sample; 2 times in a row"},
		"nothing to compare":    {func(m *config.Metric) { m.Count = 5 }, repeat(counted(50, 10, 0, 0), 5), verdict.NoData, "stable has no requests to compare with; 5 times in a row"},
		"too little to compare": {nil, after(counted(50, 0, 10, 0), 1, counted(50, 1, 0, 0), 2), verdict.NoData, "up to 50.3 % bad would be no worse, which is too little to go by; 2 times in a row"},
		"little is enough where all requests fail": {nil, after(counted(50, 0, 20, 0), 1, counted(50, 50, 0, 0), 1), verdict.Fail, "canary is worse"},
		"stable has no requests any more, canary fails": {nil, after(counted(50, 0, 500, 1), 20, counted(500, 500, 0, 0), 1), verdict.Fail,
			"canary is worse: canary 500 of 1500 requests bad (33.3 %), stable 20 of 10000 requests bad (0.2 %); stable has no requests now; by those it had, up to"},
		"stable has no requests any more, tenfold errors": {nil, after(counted(50, 0, 500, 1), 20, counted(500, 10, 0, 0), 4), verdict.Fail, "canary is worse"},
		"stable has no requests any more, canary is good": {nil, after(counted(500, 1, 500, 1), 20, counted(1000, 2, 0, 0), 50), verdict.Pass, "not worse"},
		"below a bound":          {bound, repeat(counted(200, 1, 0, 0), 30), verdict.Pass, "bound 2 %"},
		"above a bound":          {bound, repeat(counted(200, 30, 0, 0), 3), verdict.Fail, "bound 2 %"},
		"enough samples, no end": {func(m *config.Metric) { m.Count = 3 }, repeat(counted(20, 0, 200, 0), 3), verdict.NoData, "not enough evidence: canary 0 of 60"},
		"too few requests":       {func(m *config.Metric) { m.MinRequests = 1000 }, repeat(counted(50, 10, 500, 1), 3), verdict.Measuring, "at least 1000 requests"},
		"too few requests for a threshold": {func(m *config.Metric) { m.MinRequests, m.Max = 1000, new(0.1) },
			repeat(counted(50, 10, 500, 1), 3), verdict.Measuring, "the value is 0.2"},
		"enough requests for a threshold": {func(m *config.Metric) { m.MinRequests, m.Max = 150, new(0.1) },
			repeat(counted(50, 10, 500, 1), 3), verdict.Fail, "the value is 0.2"},
		"waits for all samples": {func(m *config.Metric) { m.OnPass, m.Count = config.PassWait, 21 },
			repeat(counted(500, 0, 5000, 1), 20), verdict.Measuring, "not worse"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			state := judgeAll(t, testMetric(test.change), test.readings...)
			require.Equal(t, test.want, state.Outcome, state.Reason)
			require.Contains(t, state.Reason, test.reason)
		})
	}
}

func TestStateDoesNotGrow(t *testing.T) {
	state := judgeAll(t, metric(func(m *config.Metric) { m.Max = new(1.0) }), repeat(value(0.5), 1000)...)
	require.Len(t, state.Samples, 60)
	require.Equal(t, 1000, state.Passed)
}

func TestDecide(t *testing.T) {
	m := func(change func(*config.Metric)) config.Metric { return metric(change) }
	plain := m(func(*config.Metric) {})
	pausing := m(func(m *config.Metric) {
		m.OnFail, m.OnNoData, m.OnError = config.FailurePause, config.GapPause, config.GapRollback
	})
	ignoring := m(func(m *config.Metric) { m.OnNoData, m.OnError = config.GapIgnore, config.GapIgnore })
	dry := m(func(m *config.Metric) { m.DryRun = true })
	tests := map[string]struct {
		metrics  []config.Metric
		outcomes []verdict.Outcome
		want     verdict.Action
	}{
		"all pass":                     {[]config.Metric{plain, plain}, []verdict.Outcome{verdict.Pass, verdict.Pass}, verdict.Promote},
		"one measures":                 {[]config.Metric{plain, plain}, []verdict.Outcome{verdict.Pass, verdict.Measuring}, verdict.Continue},
		"one fails":                    {[]config.Metric{plain, plain}, []verdict.Outcome{verdict.Pass, verdict.Fail}, verdict.Rollback},
		"fail pauses":                  {[]config.Metric{pausing, plain}, []verdict.Outcome{verdict.Fail, verdict.Pass}, verdict.Pause},
		"rollback before pause":        {[]config.Metric{pausing, plain}, []verdict.Outcome{verdict.Fail, verdict.Fail}, verdict.Rollback},
		"no data waits":                {[]config.Metric{plain, plain}, []verdict.Outcome{verdict.NoData, verdict.Pass}, verdict.Continue},
		"no data pauses":               {[]config.Metric{pausing}, []verdict.Outcome{verdict.NoData}, verdict.Pause},
		"error rolls back":             {[]config.Metric{pausing}, []verdict.Outcome{verdict.Error}, verdict.Rollback},
		"ignored beside a pass":        {[]config.Metric{ignoring, plain}, []verdict.Outcome{verdict.NoData, verdict.Pass}, verdict.Promote},
		"ignored alone is no pass":     {[]config.Metric{ignoring}, []verdict.Outcome{verdict.Error}, verdict.Continue},
		"ignored, but measuring":       {[]config.Metric{ignoring, plain}, []verdict.Outcome{verdict.Measuring, verdict.Pass}, verdict.Continue},
		"a dry run stops nothing":      {[]config.Metric{dry, plain}, []verdict.Outcome{verdict.Fail, verdict.Pass}, verdict.Promote},
		"a dry run promotes nothing":   {[]config.Metric{dry}, []verdict.Outcome{verdict.Pass}, verdict.Continue},
		"nothing is measured, nothing": {nil, nil, verdict.Continue},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			states := make([]verdict.State, len(test.outcomes))
			for i, o := range test.outcomes {
				states[i] = verdict.State{Outcome: o}
			}
			require.Equal(t, test.want, verdict.Decide(test.metrics, states).Action)
		})
	}
}

func TestWrongConditionIsRefused(t *testing.T) {
	_, err := verdict.New(metric(func(m *config.Metric) { m.Condition = "value <" }))
	require.ErrorContains(t, err, "reading the condition of metric m")
}

// TestSamplesOfAConditionAreBounded, as the docs say.
func TestSamplesOfAConditionAreBounded(t *testing.T) {
	for size, want := range map[string]verdict.Outcome{"samples.size() <= 61": verdict.Pass, "samples.size() <= 60": verdict.Fail} {
		m := metric(func(m *config.Metric) { m.Condition, m.Count = size, 1000 })
		require.Equal(t, want, judgeAll(t, m, repeat(value(1), 200)...).Last)
	}
}
