package analysis

import (
	"cmp"
	"maps"
	"slices"
)

// What is remembered of series that are missing. One that comes back after it was
// forgotten would count all that it ever has, so that they are kept for long: with
// the default interval for an hour. Pods that are gone never come back.
const (
	// forgetAfter readings in a row without it a series is forgotten.
	forgetAfter = 120
	// maxMissing of them are kept, those that were seen last: a heartbeat carries
	// them.
	maxMissing = 500
)

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
// theirs for a while: a pod that was not scraped once has not begun anew.
func (s Series) with(later Series) Series {
	var joined Series
	joined.Requests, joined.RequestsMissing = join(s.Requests, s.RequestsMissing, later.Requests)
	joined.Marked, joined.MarkedMissing = join(s.Marked, s.MarkedMissing, later.Marked)
	return joined
}

// join returns the values of all series that are there or were lately, and since
// when those are missing that are not.
func join(known map[string]float64, missing map[string]int, now map[string]float64) (map[string]float64, map[string]int) {
	gone := map[string]int{}
	for id := range known {
		if _, there := now[id]; !there && missing[id]+1 < forgetAfter {
			gone[id] = missing[id] + 1
		}
	}
	for _, id := range longest(gone, len(gone)-maxMissing) {
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
