package simulate

import (
	"time"

	"sluice.dev/sluice/activities/analysis/verdict"
)

// window of the fixed rule, and its windows in a row.
const (
	window      = time.Minute
	consecutive = 3
)

// raised are the multiples of Options.Threshold at which the fixed rule is played
// beside it: one of them gives as few false alarms as the test.
var raised = []float64{1, 1.25, 1.5, 2, 2.5, 3, 4}

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
