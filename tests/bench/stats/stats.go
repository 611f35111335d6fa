// Package stats sums up measurements.
package stats

import (
	"math"
	"slices"
	"time"
)

// Sample is a set of measurements of one thing, in any order and unit.
type Sample []float64

// Seconds makes a Sample of durations, in seconds.
func Seconds(durations []time.Duration) Sample { return in(durations, time.Second) }

// Milliseconds makes a Sample of durations, in milliseconds.
func Milliseconds(durations []time.Duration) Sample { return in(durations, time.Millisecond) }

func in(durations []time.Duration, unit time.Duration) Sample {
	s := make(Sample, len(durations))
	for i, d := range durations {
		s[i] = float64(d) / float64(unit)
	}
	return s
}

// Median returns the middle of the sample, between two of an even number; NaN
// of none.
func (s Sample) Median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Percentile returns the smallest measurement that at least p percent (0 to
// 100) do not exceed; NaN of none.
func (s Sample) Percentile(p float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Max returns the largest measurement; NaN of none.
func (s Sample) Max() float64 { return s.Percentile(100) }

// Mean returns the average; NaN of none.
func (s Sample) Mean() float64 {
	sum := 0.0
	for _, v := range s {
		sum += v
	}
	return sum / float64(len(s))
}
