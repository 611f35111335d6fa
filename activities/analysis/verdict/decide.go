package verdict

import (
	"fmt"
	"math"

	"sluice.dev/sluice/config"
)

// verdict is that on the metric as a whole. Fail stands once it was said.
func (j *Judge) verdict(s State) (Outcome, string) {
	if s.Outcome == Fail {
		return s.Outcome, s.Reason
	}
	limits, last := j.metric.Limits, s.Samples[len(s.Samples)-1].Reason
	failed := s.Last == Fail && j.enough(s)
	switch {
	case reached(limits.ConsecutiveFailures, s.FailedInARow, failed):
		return Fail, fmt.Sprintf("%s; %d times in a row", last, s.FailedInARow)
	case reached(limits.Failures, s.Failed, failed):
		return Fail, fmt.Sprintf("%s; %d times in all", last, s.Failed)
	}
	if outcome, reason := j.testVerdict(s); outcome == Fail {
		return outcome, reason
	}
	switch {
	case reached(limits.ConsecutiveErrors, s.ErrorsInARow, s.Last == Error):
		return Error, fmt.Sprintf("%s; %d times in a row", last, s.ErrorsInARow)
	case reached(limits.Errors, s.Errors, s.Last == Error):
		return Error, fmt.Sprintf("%s; %d times in all", last, s.Errors)
	case reached(limits.ConsecutiveNoData, s.EmptyInARow, s.Last == NoData):
		return NoData, fmt.Sprintf("%s; %d times in a row", last, s.EmptyInARow)
	case reached(limits.NoData, s.Empty, s.Last == NoData):
		return NoData, fmt.Sprintf("%s; %d times in all", last, s.Empty)
	}
	return j.passing(s, last)
}

// enough says whether canary has had the requests that are wanted before a metric can
// fail. Without a test each sample has them, or is NoData; with one they are counted
// from the beginning.
func (j *Judge) enough(s State) bool {
	return j.metric.Test == nil || s.Test != nil && s.Test.Canary.Requests >= j.metric.MinRequests
}

// reached says whether a limit that is set is reached now.
func reached(limit, n int, now bool) bool { return now && limit > 0 && n >= limit }

// passing says whether the metric has passed, and what is missing if not.
func (j *Judge) passing(s State, last string) (Outcome, string) {
	complete := s.Judged() >= j.metric.Count
	switch {
	case s.Last != Pass:
		return Measuring, last
	case s.Outcome == Pass:
		return Pass, s.Reason
	case j.metric.Test != nil:
		outcome, reason := j.testVerdict(s)
		early := j.metric.OnPass != config.PassWait
		if outcome == Pass && (complete || early) {
			return Pass, reason
		}
		if outcome == Measuring && complete {
			return NoData, "not enough evidence: " + reason
		}
		return Measuring, reason
	case complete:
		return Pass, fmt.Sprintf("%d samples, %d of them failed; %s", s.Judged(), s.Failed, lastValue(s))
	}
	return Measuring, fmt.Sprintf("%d of %d samples, %d of them failed; %s", s.Judged(), j.metric.Count, s.Failed, lastValue(s))
}

// lastValue tells the latest value.
func lastValue(s State) string {
	sample := s.Samples[len(s.Samples)-1]
	if sample.Value == nil {
		return "no value"
	}
	text := "the last value is " + number(*sample.Value)
	if sample.Stable != nil {
		text += ", of stable " + number(*sample.Stable)
	}
	if sample.Outcome == Pass && sample.Reason != "" {
		text += "; " + sample.Reason
	}
	return text
}

// testVerdict is that of the sequential test.
func (j *Judge) testVerdict(s State) (Outcome, string) {
	t := j.metric.Test
	if t == nil || s.Test == nil {
		return Measuring, "nothing counted yet"
	}
	counted := fmt.Sprintf("canary %s", s.Test.Canary)
	if t.Bound == nil {
		counted += fmt.Sprintf(", stable %s", s.Test.Stable)
	} else {
		counted += fmt.Sprintf(", bound %.3g %%", 100**t.Bound)
	}
	if last := s.Samples[len(s.Samples)-1]; last.Outcome == Pass && last.Reason != "" {
		counted += "; " + last.Reason
	}
	if !j.enough(s) {
		return Measuring, fmt.Sprintf("%s; at least %s requests are wanted", counted, number(j.metric.MinRequests))
	}
	switch {
	case s.Test.Harmful(*t):
		return Fail, fmt.Sprintf("canary is worse: %s; odds of %s to 1, %s are enough", counted, odds(s.Test.harmLog(*t)), odds(level(*t)))
	case s.Test.Harmless(*t):
		return Pass, fmt.Sprintf("canary is not worse by the margin: %s; odds of %s to 1, %s are enough", counted, odds(s.Test.Safe.Log()), odds(level(*t)))
	}
	return Measuring, fmt.Sprintf("%s; odds of %s to 1 that it is worse, %s to 1 that it is not, %s are enough",
		counted, odds(s.Test.harmLog(*t)), odds(s.Test.Safe.Log()), odds(level(*t)))
}

// odds writes the exponential of a logarithm.
func odds(log float64) string {
	if log > 20 {
		return "more than 1e8"
	}
	return fmt.Sprintf("%.3g", math.Exp(log))
}

// String tells counts as "12 of 530 requests bad (2.26 %)".
func (c Counts) String() string {
	rate, ok := c.Rate()
	if !ok {
		return "no requests"
	}
	return fmt.Sprintf("%.0f of %.0f requests bad (%.3g %%)", c.Bad, c.Requests, 100*rate)
}
