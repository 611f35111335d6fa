package analysis_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
)

// steady is a counter that grows by the same number with each reading.
func steady(from, by float64, readings int) []vector {
	var all []vector
	for i := range readings {
		all = append(all, vector{"a": from + by*float64(i)})
	}
	return all
}

func TestValuesDecide(t *testing.T) {
	tests := map[string]struct {
		answers []vector
		want    verdict.Action
		outcome verdict.Outcome
		reason  string
	}{
		"good":                      {[]vector{{"": 0.01}}, verdict.Promote, verdict.Pass, "errors: 2 samples, 0 of them failed; the last value is 0.01"},
		"bad":                       {[]vector{{"": 0.5}}, verdict.Rollback, verdict.Fail, "errors: the value is 0.5, above 0.1; 2 times in a row"},
		"nothing scraped":           {nil, verdict.Pause, verdict.NoData, "no series"},
		"several series":            {[]vector{{"a": 1, "b": 1}}, verdict.Pause, verdict.Error, "2 series instead of one"},
		"bad, then nothing":         {[]vector{{"": 0.5}, {}}, verdict.Pause, verdict.NoData, "no series"},
		"nothing, then good":        {[]vector{{}, {"": 0.01}}, verdict.Promote, verdict.Pass, "the last value is 0.01"},
		"one failure is not enough": {[]vector{{"": 0.5}, {"": 0.01}}, verdict.Promote, verdict.Pass, "1 of them failed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPrometheus(t, map[string][]vector{"sum(canary)": test.answers})
			result, err := newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{valueMetric(nil)}})
			require.NoError(t, err)
			require.Equal(t, test.want, result.Decision.Action)
			require.Equal(t, test.outcome, result.Decision.Outcome)
			require.Contains(t, result.Decision.Reason, test.reason)
			require.NotEmpty(t, result.State.Metrics[0].Samples)
			require.NotContains(t, p.asked, "sum(stable)", "nothing is compared")
		})
	}
}

func TestStableIsAskedWhereItIsCompared(t *testing.T) {
	p := newPrometheus(t, map[string][]vector{"sum(canary)": {{"": 3}}, "sum(stable)": {{"": 1}}})
	m := valueMetric(func(m *config.Metric) { m.Max, m.Compare.MaxRatio = nil, new(2.0) })
	result, err := newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{m}})
	require.NoError(t, err)
	require.Contains(t, result.Decision.Reason, "canary divided by stable is 3, above 2")
}

func TestCountersDecide(t *testing.T) {
	tests := map[string]struct {
		requests, bad []vector
		change        func(*config.Metric)
		want          verdict.Outcome
		reason        string
	}{
		"worse":                  {steady(1000, 50, 40), steady(10, 10, 40), nil, verdict.Fail, "canary is worse"},
		"not worse":              {steady(1000, 500, 200), steady(10, 0, 200), nil, verdict.Pass, "not worse by the margin"},
		"the first error counts": {steady(0, 50, 40), append([]vector{{}}, steady(10, 10, 40)...), nil, verdict.Fail, "canary is worse"},
		"a reset counts what came after it": {
			[]vector{{"a": 1000}, {"a": 40}, {"a": 90}, {"a": 140}, {"a": 190}}, []vector{{"a": 100}, {"a": 8}, {"a": 18}, {"a": 28}, {"a": 38}},
			nil, verdict.Fail, "canary is worse: canary 8 of 40 requests bad (20 %)",
		},
		"a pod that is not scraped once has not begun anew": {
			append([]vector{{"a": 1000, "b": 5000}, {"a": 1050}}, steady(1100, 50, 40)...), steady(0, 10, 40),
			nil, verdict.Fail, "canary 10 of 50",
		},
		"no new requests":        {[]vector{{"a": 1000}}, []vector{{"a": 10}}, nil, verdict.NoData, "no requests since the last sample"},
		"no series":              {nil, nil, nil, verdict.NoData, "no series of requests to canary"},
		"more bad ones than all": {steady(0, 10, 40), steady(0, 20, 40), nil, verdict.Error, "canary has 20 marked requests of 10 in all"},
		"good ones instead of bad": {
			steady(0, 50, 40), steady(0, 40, 40),
			func(m *config.Metric) { m.Bad, m.Good = "", "good_{{side}}" }, verdict.Fail, "10 of 50 requests bad",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPrometheus(t, map[string][]vector{
				"requests_canary": test.requests, "bad_canary": test.bad,
				"requests_stable": steady(0, 5000, 300), "bad_stable": steady(0, 5, 300),
				"good_canary": test.bad, "good_stable": steady(0, 4995, 300),
			})
			result, err := newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{countMetric(test.change)}})
			require.NoError(t, err)
			require.Equal(t, test.want, result.Decision.Outcome, result.Decision.Reason)
			require.Contains(t, result.Decision.Reason, test.reason)
		})
	}
}

// TestRequestsBesideAValue: a number of requests that is not wanted may be missing.
func TestRequestsBesideAValue(t *testing.T) {
	for name, test := range map[string]struct {
		requests []vector
		least    float64
		want     verdict.Outcome
		reason   string
	}{
		"enough":              {[]vector{{"": 100}}, 100, verdict.Pass, "2 samples"},
		"too few":             {[]vector{{"": 99}}, 100, verdict.NoData, "99 of at least 100 requests"},
		"missing":             {nil, 1, verdict.NoData, "no series"},
		"missing, not wanted": {nil, 0, verdict.Pass, "2 samples"},
		"wrong, not wanted":   {[]vector{{"a": 1, "b": 1}}, 0, verdict.Error, "2 series instead of one"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPrometheus(t, map[string][]vector{"sum(canary)": {{"": 0.01}}, "requests": test.requests})
			m := valueMetric(func(m *config.Metric) { m.Requests, m.MinRequests = "requests", test.least })
			result, err := newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{m}})
			require.NoError(t, err)
			require.Equal(t, test.want, result.Decision.Outcome)
			require.Contains(t, result.Decision.Reason, test.reason)
		})
	}
}

// TestTheFirstReadingNeedsBothSides: what stable has counted before its series are
// seen is not of this rollout.
func TestTheFirstReadingNeedsBothSides(t *testing.T) {
	late := append([]vector{{}, {}}, steady(1_000_000, 5000, 300)...)
	p := newPrometheus(t, map[string][]vector{
		"requests_canary": steady(0, 500, 300), "bad_canary": steady(0, 0, 300),
		"requests_stable": late, "bad_stable": append([]vector{{}, {}}, steady(900_000, 5, 300)...),
	})
	m := countMetric(func(m *config.Metric) { m.Limits.ConsecutiveNoData = 0 })
	result, err := newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{m}})
	require.NoError(t, err)
	state := result.State.Metrics[0]
	require.Equal(t, verdict.Pass, state.Outcome, state.Reason)
	require.Equal(t, 2, state.Empty)
	require.Equal(t, "no series of requests to stable: none was scraped yet, or the query fits no series", state.Samples[0].Reason)
	require.InDelta(t, 0.001, state.Test.Stable.Bad/state.Test.Stable.Requests, 1e-9)
	require.InDelta(t, 10, state.Test.Stable.Requests/state.Test.Canary.Requests, 1e-9)

	p = newPrometheus(t, map[string][]vector{"requests_canary": steady(0, 500, 300), "bad_canary": steady(0, 0, 300)})
	m = countMetric(func(m *config.Metric) { m.Test.Bound = new(0.02) })
	result, err = newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{m}})
	require.NoError(t, err)
	require.Equal(t, verdict.Pass, result.Decision.Outcome, "compared with a number")
}

// TestRemarksAreTold lets Prometheus remark something about the queries, and then
// say that an answer lacks data.
func TestRemarksAreTold(t *testing.T) {
	const remark = "PromQL warning: vector contains a mix of classic and native histograms"
	p := newPrometheus(t, map[string][]vector{
		"sum(canary)": {{"": 0.01}}, "requests_canary": steady(0, 50, 40), "bad_canary": steady(0, 10, 40), "requests_stable": steady(0, 500, 40), "bad_stable": steady(0, 1, 40),
	})
	p.warnings = []string{remark}
	for name, m := range map[string]config.Metric{"value": valueMetric(nil), "counters": countMetric(nil)} {
		result, err := newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{m}})
		require.NoError(t, err)
		require.Equal(t, remark, result.State.Metrics[0].Samples[0].Reason, name)
		require.Contains(t, result.Decision.Reason, remark, name)
		require.NotEqual(t, verdict.Error, result.Decision.Outcome, name)
	}
	p.warnings = []string{"store-1: rpc error"}
	for name, m := range map[string]config.Metric{"value": valueMetric(nil), "counters": countMetric(nil)} {
		result, err := newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{m}})
		require.NoError(t, err)
		require.Equal(t, verdict.Error, result.Decision.Outcome, name)
		require.Contains(t, result.Decision.Reason, "the answer may lack data: store-1: rpc error", name)
	}
}

// TestGoodRequestsThatNoQueryFits: all requests of both sides would be bad, and
// canary not worse. Where stable has good ones, canary may really have none.
func TestGoodRequestsThatNoQueryFits(t *testing.T) {
	for want, stable := range map[verdict.Outcome][]vector{verdict.NoData: nil, verdict.Fail: steady(0, 4995, 300)} {
		p := newPrometheus(t, map[string][]vector{
			"requests_canary": steady(0, 50, 300), "requests_stable": steady(0, 5000, 300), "good_stable": stable,
		})
		m := countMetric(func(m *config.Metric) { m.Bad, m.Good = "", "good_{{side}}" })
		result, err := newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{m}})
		require.NoError(t, err)
		require.Equal(t, want, result.Decision.Outcome, result.Decision.Reason)
		if want == verdict.NoData {
			require.Contains(t, result.Decision.Reason, "no series of good requests on either side")
		}
	}
}

// TestGoodRequestsThatNoQueryFitsAgainstABound: the version has not failed for it, not
// even where all limits are the smallest; where stable has good ones, it has.
func TestGoodRequestsThatNoQueryFitsAgainstABound(t *testing.T) {
	for name, test := range map[string]struct {
		canary, stable []vector
		want           verdict.Outcome
		reason         string
	}{
		"none":             {nil, nil, verdict.NoData, "no series of good requests on either side: the query fits none"},
		"stable has some":  {nil, steady(0, 4995, 300), verdict.Fail, "canary is worse: canary 50 of 50 requests bad"},
		"canary has some":  {steady(0, 49, 300), nil, verdict.Fail, "bound 0.1 %"},
		"none any more":    {[]vector{{"a": 100}, {}}, nil, verdict.Fail, "canary 50 of 50 requests bad"},
		"all of them good": {steady(0, 50, 300), nil, verdict.Pass, "not worse by the margin"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPrometheus(t, map[string][]vector{
				"requests_canary": steady(0, 50, 300), "good_canary": test.canary, "good_stable": test.stable,
			})
			m := countMetric(func(m *config.Metric) {
				m.Bad, m.Good, m.Limits.ConsecutiveFailures = "", "good_{{side}}", 1
				m.Test.Bound = new(0.001)
				if test.want == verdict.Pass {
					m.Test.Bound = new(0.1)
				}
			})
			result, err := newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{m}})
			require.NoError(t, err)
			require.Equal(t, test.want, result.Decision.Outcome, result.Decision.Reason)
			require.Contains(t, result.Decision.Reason, test.reason)
		})
	}
}

// TestBadRequestsThatNoQueryFits are no errors, which is told beside each sample until
// there is one.
func TestBadRequestsThatNoQueryFits(t *testing.T) {
	const told = "no series of bad requests: none was bad so far, or the query of bad fits none"
	for name, bad := range map[string][]vector{"none": nil, "none of canary": steady(0, 1, 300)} {
		t.Run(name, func(t *testing.T) {
			p := newPrometheus(t, map[string][]vector{
				"requests_canary": steady(0, 500, 300), "requests_stable": steady(0, 5000, 300), "bad_stable": bad,
			})
			result, err := newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{countMetric(nil)}})
			require.NoError(t, err)
			require.Equal(t, verdict.Pass, result.Decision.Outcome, result.Decision.Reason)
			if bad == nil {
				require.Contains(t, result.State.Metrics[0].Samples[0].Reason, told)
				require.Contains(t, result.Decision.Reason, told)
			} else {
				require.NotContains(t, result.Decision.Reason, told)
			}
		})
	}
}

func TestGuardGoesOnAfterAPass(t *testing.T) {
	p := newPrometheus(t, map[string][]vector{"sum(canary)": {{"": 0.01}, {"": 0.01}, {"": 0.01}, {"": 0.5}}})
	result, err := newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{valueMetric(nil)}, Guard: true})
	require.NoError(t, err)
	require.Equal(t, verdict.Rollback, result.Decision.Action)
	require.Equal(t, 3, result.State.Metrics[0].Passed)
}

// TestGuardEndsAtItsTime with what is known then; what no worker has measured is
// measured first.
func TestGuardEndsAtItsTime(t *testing.T) {
	waiting := valueMetric(func(m *config.Metric) { m.OnNoData, m.Limits.ConsecutiveNoData = config.GapWait, 2 })
	tests := map[string]struct {
		answers []vector
		// until is from now; next, from now, is when the sample after the pass is due.
		until, next time.Duration
		want        verdict.Action
		asked       bool
	}{
		"good until then":      {[]vector{{"": 0.01}}, 50 * time.Millisecond, 0, verdict.Promote, true},
		"no data since":        {nil, 50 * time.Millisecond, 0, verdict.Continue, true},
		"no data since, late":  {nil, -time.Hour, -time.Minute, verdict.Continue, true},
		"good, late":           {[]vector{{"": 0.01}}, -time.Hour, -time.Minute, verdict.Promote, true},
		"nothing is due again": {nil, -time.Second, time.Minute, verdict.Promote, false},
		"ends between samples": {nil, 50 * time.Millisecond, time.Minute, verdict.Promote, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPrometheus(t, map[string][]vector{"sum(canary)": {{"": 0.01}}})
			b := newBench(t, p)
			passed, err := b.analyse(analysis.Request{Metrics: []config.Metric{waiting}})
			require.NoError(t, err)
			require.Equal(t, verdict.Promote, passed.Decision.Action)
			p.mu.Lock()
			p.answers["sum(canary)"], p.asked = test.answers, nil
			p.mu.Unlock()
			now := time.Now()
			passed.State.Metrics[0].Next = now.Add(test.next)
			result, err := b.analyse(analysis.Request{
				Metrics: []config.Metric{waiting}, Guard: true, Until: now.Add(test.until), State: &passed.State,
			})
			require.NoError(t, err)
			require.Equal(t, test.want, result.Decision.Action, result.Decision.Reason)
			require.Equal(t, test.asked, len(p.asked) > 0)
			require.False(t, time.Now().Before(now.Add(test.until)))
		})
	}
}

func TestGoesOnFromTheLastHeartbeat(t *testing.T) {
	p := newPrometheus(t, map[string][]vector{"sum(canary)": {{"": 0.01}}})
	b := newBench(t, p)
	m := valueMetric(func(m *config.Metric) { m.Count = 5 })
	before, err := b.analyse(analysis.Request{Metrics: []config.Metric{valueMetric(nil)}})
	require.NoError(t, err)
	before.State.Metrics[0].Outcome = verdict.Measuring
	b.env.SetHeartbeatDetails(before.State)
	asked := len(p.asked)
	result, err := b.analyse(analysis.Request{Metrics: []config.Metric{m}})
	require.NoError(t, err)
	require.Equal(t, 5, result.State.Metrics[0].Passed)
	require.Len(t, p.asked[asked:], 3, "two samples were taken before")
	require.Equal(t, before.State.Began.UTC(), result.State.Began.UTC())
}

// TestSequentialTestGoesOnFromTheLastHeartbeat of a worker that is gone: its
// counters and its evidence are those of a worker that has never stopped.
func TestSequentialTestGoesOnFromTheLastHeartbeat(t *testing.T) {
	bad := countMetric(func(m *config.Metric) { m.Limits.ConsecutiveFailures = 0 })
	answers := func() map[string][]vector {
		return map[string][]vector{
			"requests_canary": steady(1000, 25, 100), "bad_canary": steady(10, 1, 100),
			"requests_stable": steady(0, 500, 100), "bad_stable": steady(0, 5, 100),
		}
	}
	whole, err := newBench(t, newPrometheus(t, answers())).analyse(analysis.Request{Metrics: []config.Metric{bad}})
	require.NoError(t, err)
	require.Equal(t, verdict.Fail, whole.Decision.Outcome)

	p := newPrometheus(t, answers())
	killed, stop := newBench(t, p), make(chan struct{})
	killed.env.SetWorkerStopChannel(stop)
	var last converter.EncodedValues
	killed.env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) { last = details })
	p.after("bad_stable", 5, func() { close(stop) })
	_, err = killed.analyse(analysis.Request{Metrics: []config.Metric{bad}})
	require.ErrorContains(t, err, "the worker is stopping")
	var state analysis.State
	require.NoError(t, last.Get(&state))
	taken := state.Metrics[0].Judged()
	require.Greater(t, taken, 2)
	require.Less(t, taken, whole.State.Metrics[0].Judged())

	second := newBench(t, p)
	second.env.SetHeartbeatDetails(state)
	result, err := second.analyse(analysis.Request{Metrics: []config.Metric{bad}})
	require.NoError(t, err)
	require.Equal(t, whole.Decision, result.Decision)
	require.Equal(t, whole.State.Metrics[0].Test, result.State.Metrics[0].Test, "the evidence")
	require.Equal(t, whole.State.Metrics[0].Counters, result.State.Metrics[0].Counters)
	require.Equal(t, whole.State.Metrics[0].Judged(), result.State.Metrics[0].Judged(), "no sample counts twice")
}

func TestGoesOnFromTheStateOfTheRequest(t *testing.T) {
	p := newPrometheus(t, map[string][]vector{
		"requests_canary": steady(0, 500, 300), "bad_canary": steady(0, 0, 300), "requests_stable": steady(0, 5000, 300), "bad_stable": steady(0, 5, 300),
	})
	b := newBench(t, p)
	passed, err := b.analyse(analysis.Request{Metrics: []config.Metric{countMetric(nil)}})
	require.NoError(t, err)
	require.Equal(t, verdict.Pass, passed.Decision.Outcome)
	require.NotNil(t, passed.State.Metrics[0].Counters)
	p.mu.Lock()
	last := p.answers["requests_canary"][0]["a"]
	p.answers["requests_canary"], p.answers["bad_canary"] = steady(last, 50, 300), steady(0, 40, 300)
	p.mu.Unlock()
	result, err := b.analyse(analysis.Request{Metrics: []config.Metric{countMetric(nil)}, Guard: true, State: &passed.State})
	require.NoError(t, err)
	require.Equal(t, verdict.Fail, result.Decision.Outcome)
}

// TestRemembersStable of a measurement that has failed, where stable has no requests
// any more, and nothing of canary.
func TestRemembersStable(t *testing.T) {
	bad := map[string][]vector{
		"requests_canary": steady(0, 50, 100), "bad_canary": steady(0, 25, 100), "requests_stable": steady(0, 5000, 100), "bad_stable": steady(0, 5, 100),
	}
	failed, err := newBench(t, newPrometheus(t, bad)).analyse(analysis.Request{Metrics: []config.Metric{countMetric(nil)}})
	require.NoError(t, err)
	require.Equal(t, verdict.Fail, failed.Decision.Outcome)
	before := failed.State.Metrics[0].Test.Stable

	earlier := failed.State.Brief(0)
	for name, test := range map[string]struct {
		canary  float64
		earlier *analysis.State
		sample  verdict.Outcome
		action  verdict.Action
	}{
		"good, nothing known": {0, nil, verdict.NoData, verdict.Pause},
		"good":                {0, &earlier, verdict.Pass, verdict.Pause}, // not enough requests for more
		"bad, nothing known":  {25, nil, verdict.NoData, verdict.Pause},
		"bad":                 {25, &earlier, verdict.Pass, verdict.Rollback},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPrometheus(t, map[string][]vector{
				"requests_canary": steady(500, 50, 100), "bad_canary": steady(300, test.canary, 100), "requests_stable": steady(9000, 0, 100), "bad_stable": steady(9, 0, 100),
			})
			m := countMetric(func(m *config.Metric) { m.Count = 5 })
			result, err := newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{m}, Earlier: test.earlier})
			require.NoError(t, err)
			require.Equal(t, test.sample, result.State.Metrics[0].Last)
			require.Equal(t, test.action, result.Decision.Action, result.Decision.Reason)
			if test.earlier != nil {
				require.Equal(t, before, result.State.Metrics[0].Test.Stable)
				require.LessOrEqual(t, result.State.Metrics[0].Test.Canary.Requests, 5*50.0, "canary is judged anew")
			}
		})
	}
}

func TestSeveralMetricsAtTheirOwnPace(t *testing.T) {
	p := newPrometheus(t, map[string][]vector{"sum(canary)": {{"": 0.01}}})
	slow := valueMetric(func(m *config.Metric) { m.Name, m.Interval = "slow", config.Duration(20*time.Millisecond) })
	late := valueMetric(func(m *config.Metric) { m.Name, m.InitialDelay = "late", config.Duration(30*time.Millisecond) })
	result, err := newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{valueMetric(nil), slow, late}})
	require.NoError(t, err)
	require.Equal(t, verdict.Promote, result.Decision.Action)
	// A machine may be late with any sample; none may come early.
	for i, m := range []config.Metric{valueMetric(nil), slow, late} {
		samples := result.State.Metrics[i].Samples
		require.GreaterOrEqual(t, len(samples), m.Count)
		require.GreaterOrEqual(t, samples[0].At.Sub(result.State.Began), m.InitialDelay.Std())
		for k := range samples[1:] {
			require.GreaterOrEqual(t, samples[k+1].At.Sub(samples[0].At), time.Duration(k+1)*m.Interval.Std(), "%s, sample %d", m.Name, k+1)
		}
	}
}

func TestWhatCannotBeMeasuredIsRefused(t *testing.T) {
	hasty := valueMetric(func(m *config.Metric) { m.Interval = 0 })
	tests := map[string]struct {
		prometheus *prometheus
		metrics    []config.Metric
		want       string
	}{
		"no server":   {nil, []config.Metric{valueMetric(nil)}, "no Prometheus is known: write spec.prometheus"},
		"no metric":   {newPrometheus(t, nil), nil, "there is no metric to measure"},
		"no interval": {newPrometheus(t, nil), []config.Metric{hasty}, "metric errors has the interval 0s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newBench(t, test.prometheus).analyse(analysis.Request{Metrics: test.metrics})
			require.ErrorContains(t, err, test.want)
			var failure *temporal.ApplicationError
			require.ErrorAs(t, err, &failure)
			require.True(t, failure.NonRetryable(), "told at once, not tried for ever")
		})
	}
}

// TestStoppedRolloutIsOnlyReturned: while a person is waited for, a verdict that pauses
// ends nothing, and one that returns does.
func TestStoppedRolloutIsOnlyReturned(t *testing.T) {
	for name, stopped := range map[string]bool{"stopped": true, "not stopped": false} {
		t.Run(name, func(t *testing.T) {
			p := newPrometheus(t, map[string][]vector{"sum(canary)": {{}, {}, {}, {"": 0.01}, {}, {}, {}, {"": 0.5}}})
			req := analysis.Request{Metrics: []config.Metric{valueMetric(nil)}, Guard: true, Stopped: stopped}
			result, err := newBench(t, p).analyse(req)
			require.NoError(t, err)
			want := verdict.Pause
			if stopped {
				want = verdict.Rollback
			}
			require.Equal(t, want, result.Decision.Action, result.Decision.Reason)
		})
	}
}

// TestAnswersAreWaitedFor: such an analysis ends when each metric that decides was
// measured without an error, whatever was found.
func TestAnswersAreWaitedFor(t *testing.T) {
	twice := vector{"a": 1, "b": 1} // several series are an error
	named := func(name string, change func(*config.Metric)) config.Metric {
		return valueMetric(func(m *config.Metric) {
			m.InitialDelay = config.Duration(time.Hour)
			m.Name, m.Query, m.OnError, m.Limits = name, name, config.GapWait, config.Limits{ConsecutiveNoData: 1}
			if change != nil {
				change(m)
			}
		})
	}
	p := newPrometheus(t, map[string][]vector{
		"away": {twice, twice, twice, {"": 0.01}}, "none": nil, "observed": {twice}, "ignored": {twice},
	})
	result, err := newBench(t, p).analyse(analysis.Request{Answers: true, Metrics: []config.Metric{
		named("away", nil), named("none", nil),
		named("observed", func(m *config.Metric) { m.DryRun = true }),
		named("ignored", func(m *config.Metric) { m.OnError = config.GapIgnore }),
	}})
	require.NoError(t, err)
	require.Equal(t, 3, result.State.Metrics[0].Errors)
	require.Equal(t, verdict.Pass, result.State.Metrics[0].Last)
}
