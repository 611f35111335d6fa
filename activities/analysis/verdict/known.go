package verdict

import (
	"fmt"
	"math"

	"sluice.dev/sluice/config"
)

// reserve is the part of the false alarms that pays for the chance that stable is
// worse than known says. The rest is for the evidence.
const reserve = 0.1

// tooLittle is known of stable if it may be worse by this than it was: then a
// sample cannot pass for being compared with it.
const tooLittle = 0.1

// known is the highest proportion that is no harm by what all requests of stable
// so far say about it, for samples in which stable has none: after all requests
// went to canary. False where it had none. It is too high, at whatever time one
// looks, with a probability of at most reserve*FalseAlarm, if stable would still
// fail as it did.
func (s Sequential) known(t config.Test) (float64, bool) {
	if s.Stable.Requests <= 0 {
		return 0, false
	}
	edge := line{ratio: t.Tolerance.Ratio, delta: t.Tolerance.Delta}
	return edge.at(s.Stable.highest(reserve * t.FalseAlarm)), true
}

// unseen judges a sample in which stable has no requests.
func (s Sequential) unseen(t config.Test) (Outcome, string) {
	most, ok := s.known(t)
	if !ok {
		return NoData, "stable has no requests to compare with"
	}
	text := fmt.Sprintf("stable has no requests now; by those it had, up to %.3g %% bad would be no worse", 100*min(most, 1))
	if rate, _ := s.Stable.Rate(); s.Stable.highest(reserve*t.FalseAlarm)-rate > tooLittle {
		return NoData, text + ", which is too little to go by"
	}
	return Pass, text
}

// highest returns the upper end of a confidence sequence for the proportion: the
// highest one at which the likelihood of all requests, averaged over a prior and
// divided by that at the proportion, has not reached 1/wrong. For the true
// proportion this quotient is a martingale that begins at 1.
func (c Counts) highest(wrong float64) float64 {
	good := c.Requests - c.Bad
	average := logBeta(c.Bad+priorBad, good+priorRequests-priorBad) - logBeta(priorBad, priorRequests-priorBad)
	low, high := c.Bad/c.Requests, 1.0
	for range halvings {
		middle := (low + high) / 2
		if average-side(c, middle) < -math.Log(wrong) {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// logBeta is the logarithm of the beta function.
func logBeta(a, b float64) float64 {
	lgamma := func(x float64) float64 {
		l, _ := math.Lgamma(x)
		return l
	}
	return lgamma(a) + lgamma(b) - lgamma(a+b)
}
