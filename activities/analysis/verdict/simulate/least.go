package simulate

import (
	"math"
	"time"
)

// Least is a time below which no rule can be on average, if it alarms for a good
// canary with a probability of at most falseAlarm, whatever the errors of stable
// are, and finds every bad one. It is Wald's bound (Sequential Tests of
// Statistical Hypotheses, 1945): what the requests of one second tell against the
// nearest pair of equal proportions, in units of the logarithm of 1/falseAlarm.
// A rule that is told the errors of stable, as the fixed one is here, may be
// sooner.
func Least(c Case, falseAlarm float64) time.Duration {
	canary, stable := c.Rate*c.Weight, c.Rate*(1-c.Weight)
	// The nearest pair of equal proportions is the mean of both.
	equal := (canary*c.Canary + stable*c.Errors) / (canary + stable)
	information := canary*divergence(c.Canary, equal) + stable*divergence(c.Errors, equal)
	return inSeconds(-math.Log(falseAlarm) / information)
}

// divergence is the relative entropy of two proportions.
func divergence(p, q float64) float64 {
	return p*math.Log(p/q) + (1-p)*math.Log((1-p)/(1-q))
}
