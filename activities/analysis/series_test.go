package analysis

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
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
		s = s.with(read("a"))
		require.Contains(t, s.Requests, "b", "not scraped, but perhaps soon")
		require.Contains(t, s.Marked, "b")
	}
	require.Equal(t, map[string]int{"b": forgetAfter - 1}, s.RequestsMissing)
	s = s.with(read("a"))
	require.Equal(t, read("a"), s)
	s = read("a", "b").with(read("a")).with(read("a", "b"))
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
		s = s.with(pods(i, 1))
	}
	require.Len(t, s.Requests, forgetAfter)
	for i := range 5 {
		s = s.with(pods(10_000+200*i, 200))
	}
	require.Len(t, s.Requests, 200+maxMissing)
	require.Len(t, s.Marked, 200+maxMissing)
	require.Contains(t, s.Requests, "pod-10999", "seen last")
	require.NotContains(t, s.Requests, "pod-10000")
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.Less(t, len(text), 100_000)
}

func TestSeriesOfEarlierReleasesAreUnderstood(t *testing.T) {
	var s Series
	require.NoError(t, json.Unmarshal([]byte(`{"requests":{"a":10,"b":10},"marked":{"a":1,"b":1}}`), &s))
	require.Equal(t, map[string]int{"b": 1}, s.with(read("a")).RequestsMissing)
}
