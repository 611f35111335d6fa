package analysis

import (
	"cmp"
	"maps"
	"slices"

	"sluice.dev/sluice/config"
)

// Heartbeats carry the series of all metrics of an analysis, twice where as many are
// missing, and Temporal takes 2 MB.
const (
	// maxSeries of a query for counters, and as many of them that are missing: those that
	// were seen last.
	maxSeries = 500
	// maxTogether of all such queries of an analysis.
	maxTogether = 12_000
)

// seriesOf is how many series each query for counters may have where all these metrics
// are one analysis.
func seriesOf(metrics []config.Metric) int {
	const sides, queries = 2, 2
	counted := 0
	for _, m := range metrics {
		if m.Counts() {
			counted += sides * queries
		}
	}
	return min(maxSeries, maxTogether/max(1, counted))
}

// What is remembered of series that are missing. One that comes back after it was
// forgotten would count all that it ever has, so that they are kept for long: with
// the default interval for an hour. Pods that are gone never come back.
//
// forgetAfter readings in a row without it a series is forgotten.
const forgetAfter = 120

// Series are the values of one side's series, by a hash of their labels.
type Series struct {
	Requests map[string]float64 `json:"requests,omitempty"`
	// Marked are those that tell bad from good ones.
	Marked map[string]float64 `json:"marked,omitempty"`
	// RequestsMissing and MarkedMissing are for how many readings in a row a series
	// was missing, of those that are.
	RequestsMissing map[string]int `json:"requestsMissing,omitempty"`
	MarkedMissing   map[string]int `json:"markedMissing,omitempty"`
}

// with returns the series with later values. Those that are missing now keep
// theirs for a while, at most so many: a pod that was not scraped once has not begun
// anew.
func (s Series) with(later Series, most int) Series {
	var joined Series
	joined.Requests, joined.RequestsMissing = join(s.Requests, s.RequestsMissing, later.Requests, most)
	joined.Marked, joined.MarkedMissing = join(s.Marked, s.MarkedMissing, later.Marked, most)
	return joined
}

// join returns the values of all series that are there or were lately, and since
// when those are missing that are not.
func join(known map[string]float64, missing map[string]int, now map[string]float64, most int) (map[string]float64, map[string]int) {
	gone := map[string]int{}
	for id := range known {
		if _, there := now[id]; !there && missing[id]+1 < forgetAfter {
			gone[id] = missing[id] + 1
		}
	}
	for _, id := range longest(gone, len(gone)-most) {
		delete(gone, id)
	}
	joined := maps.Clone(now)
	if joined == nil {
		joined = map[string]float64{}
	}
	for id := range gone {
		joined[id] = known[id]
	}
	if len(gone) == 0 {
		gone = nil
	}
	return joined, gone
}

// longest returns the n that are missing for longest.
func longest(missing map[string]int, n int) []string {
	if n <= 0 {
		return nil
	}
	ids := slices.SortedFunc(maps.Keys(missing), func(a, b string) int {
		return cmp.Or(cmp.Compare(missing[b], missing[a]), cmp.Compare(a, b))
	})
	return ids[:n]
}
