package analysis

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
)

// read is a reading of pods with 10 requests each, one of them bad.
func read(pods ...string) Series {
	s := Series{Requests: map[string]float64{}, Marked: map[string]float64{}}
	for _, pod := range pods {
		s.Requests[pod], s.Marked[pod] = 10, 1
	}
	return s
}

func TestSeriesAreForgottenAfterAWhile(t *testing.T) {
	s := read("a", "b")
	for range forgetAfter - 1 {
		s = s.with(read("a"), maxSeries)
		require.Contains(t, s.Requests, "b", "not scraped, but perhaps soon")
		require.Contains(t, s.Marked, "b")
	}
	require.Equal(t, map[string]int{"b": forgetAfter - 1}, s.RequestsMissing)
	s = s.with(read("a"), maxSeries)
	require.Equal(t, read("a"), s)
	s = read("a", "b").with(read("a"), maxSeries).with(read("a", "b"), maxSeries)
	require.Equal(t, read("a", "b"), s, "one that is back was never away")
}

// TestStateDoesNotGrowWithPods: pods come and go for a long time, one by one and
// many at once.
func TestStateDoesNotGrowWithPods(t *testing.T) {
	pods := func(from, n int) Series {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("pod-%d", from+i)
		}
		return read(names...)
	}
	s := read()
	for i := range 300 {
		s = s.with(pods(i, 1), maxSeries)
	}
	require.Len(t, s.Requests, forgetAfter)
	for i := range 5 {
		s = s.with(pods(10_000+200*i, 200), maxSeries)
	}
	require.Len(t, s.Requests, 200+maxSeries)
	require.Len(t, s.Marked, 200+maxSeries)
	require.Contains(t, s.Requests, "pod-10999", "seen last")
	require.NotContains(t, s.Requests, "pod-10000")
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.Less(t, len(text), 100_000)
}

func TestSeriesOfEarlierReleasesAreUnderstood(t *testing.T) {
	var s Series
	require.NoError(t, json.Unmarshal([]byte(`{"requests":{"a":10,"b":10},"marked":{"a":1,"b":1}}`), &s))
	require.Equal(t, map[string]int{"b": 1}, s.with(read("a"), maxSeries).RequestsMissing)
}

// TestHeartbeatsOfManyMetricsStayBelowWhatTemporalTakes: as many metrics as there may
// be, with as many series, and as many that are missing, and long reasons.
func TestHeartbeatsOfManyMetricsStayBelowWhatTemporalTakes(t *testing.T) {
	const metrics, samples = 30, 60
	series := func(name string, n int) map[string]float64 {
		all := map[string]float64{}
		for i := range n {
			all[fmt.Sprintf("%s%0*d", name, 16-len(name), i)] = 1.234567e9 + float64(i)
		}
		return all
	}
	most := seriesOf(slices.Repeat([]config.Metric{{Requests: "r", Bad: "b"}}, metrics))
	side := Series{Requests: series("a", most), Marked: series("a", most)}.with(Series{Requests: series("b", most), Marked: series("b", most)}, most)
	require.Len(t, side.Requests, 2*most)
	metric := MetricState{Counters: &Counters{Canary: side, Stable: side}}
	metric.Test = &verdict.Sequential{}
	for range samples {
		metric.Samples = append(metric.Samples, verdict.Sample{
			At: time.Now(), Outcome: verdict.Error, Value: new(0.123456789), Stable: new(0.123456789), Requests: new(1234567.0), Reason: strings.Repeat("x", 250),
		})
	}
	text, err := json.Marshal(State{Metrics: slices.Repeat([]MetricState{metric}, metrics)})
	require.NoError(t, err)
	require.Less(t, len(text), 2_000_000)
}

func TestSeriesOfMetricsThatShareAnAnalysis(t *testing.T) {
	counted, value := config.Metric{Requests: "r", Bad: "b"}, config.Metric{Query: "q"}
	require.Equal(t, 500, seriesOf([]config.Metric{value}))
	require.Equal(t, 500, seriesOf(slices.Repeat([]config.Metric{counted, value}, 6)))
	require.Equal(t, 300, seriesOf(slices.Repeat([]config.Metric{counted}, 10)))
}
