package verdict

import (
	"slices"
	"time"
)

// Outcome is a verdict, on one sample or on a metric.
type Outcome string

// The outcomes.
const (
	// Measuring means that nothing is decided yet.
	Measuring Outcome = "Measuring"
	// Pass means that what was measured is good.
	Pass Outcome = "Pass"
	// Fail means that it is not.
	Fail Outcome = "Fail"
	// NoData means that there was nothing, or not enough, to judge.
	NoData Outcome = "NoData"
	// Error means that it could not be measured.
	Error Outcome = "Error"
)

// Reading is what one look at the servers has found.
type Reading struct {
	At time.Time
	// Problem is NoData or Error where it found nothing to judge, for the Reason.
	Problem Outcome
	Reason  string
	// Canary and Stable are values; nil where they were not asked for.
	Canary, Stable *float64
	// CanaryCounts and StableCounts are requests since the last reading, of a
	// metric that is read from counters.
	CanaryCounts, StableCounts Counts
	// Requests of canary beside a value; nil where they were not asked for.
	Requests *float64
	// Note is what the servers have remarked about the queries.
	Note string
}

// Sample is a reading and the verdict on it.
type Sample struct {
	At      time.Time `json:"at"`
	Outcome Outcome   `json:"outcome"`
	// Value of canary and of stable, where there is one.
	Value  *float64 `json:"value,omitempty"`
	Stable *float64 `json:"stable,omitempty"`
	// Requests of canary, where they are counted.
	Requests *float64 `json:"requests,omitempty"`
	Reason   string   `json:"reason,omitempty"`
}

// maxSamples is how many samples a state keeps, the latest ones.
const maxSamples = 60

// State is all that is known about a metric. It is what a heartbeat carries, and
// its size does not grow with the number of samples.
type State struct {
	Metric  string  `json:"metric"`
	Outcome Outcome `json:"outcome"`
	// Reason with the numbers that the outcome rests on.
	Reason string `json:"reason,omitempty"`
	// Samples are the latest ones, oldest first.
	Samples []Sample `json:"samples,omitempty"`
	// Passed, Failed, Empty and Errors count samples by their outcome; the last
	// one is Last.
	Passed int     `json:"passed,omitempty"`
	Failed int     `json:"failed,omitempty"`
	Empty  int     `json:"empty,omitempty"`
	Errors int     `json:"errors,omitempty"`
	Last   Outcome `json:"last,omitempty"`
	// FailedInARow counts failures with no pass between them: samples that could
	// not be judged make no failure better. EmptyInARow and ErrorsInARow have
	// nothing else between them.
	FailedInARow int `json:"failedInARow,omitempty"`
	EmptyInARow  int `json:"emptyInARow,omitempty"`
	ErrorsInARow int `json:"errorsInARow,omitempty"`
	// Test is the state of the sequential test, where there is one.
	Test *Sequential `json:"test,omitempty"`
}

// Remember returns a state at its beginning with what an earlier one knew of stable:
// the requests that a sequential test has seen there, and nothing of canary.
func (s State) Remember(earlier State) State {
	if earlier.Test != nil {
		s.Test = &Sequential{Stable: earlier.Test.Stable}
	}
	return s
}

// Judged is the number of samples that passed or failed.
func (s State) Judged() int { return s.Passed + s.Failed }

// noted adds what the servers have remarked.
func (s Sample) noted(note string) Sample {
	switch {
	case note == "":
	case s.Reason == "":
		s.Reason = note
	default:
		s.Reason += "; " + note
	}
	return s
}

// note returns the state with one more sample.
func (s State) note(sample Sample) State {
	s.Samples = append(slices.Clone(s.Samples), sample)
	if extra := len(s.Samples) - maxSamples; extra > 0 {
		s.Samples = slices.Delete(s.Samples, 0, extra)
	}
	s.Last = sample.Outcome
	empty, errors := s.EmptyInARow, s.ErrorsInARow
	s.EmptyInARow, s.ErrorsInARow = 0, 0
	switch sample.Outcome {
	case Pass:
		s.Passed++
		s.FailedInARow = 0
	case Fail:
		s.Failed++
		s.FailedInARow++
	case NoData:
		s.Empty++
		s.EmptyInARow = empty + 1
	case Error:
		s.Errors++
		s.ErrorsInARow = errors + 1
	case Measuring:
	}
	return s
}

// values of the latest samples that have one.
func (s State) values() []float64 {
	var values []float64
	for _, sample := range s.Samples {
		if sample.Value != nil {
			values = append(values, *sample.Value)
		}
	}
	return values
}
