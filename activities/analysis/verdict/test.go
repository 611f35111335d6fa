package verdict

import (
	"math"

	"sluice.dev/sluice/config"
)

// Sequential is the state of a sequential test of the canary's proportion of bad
// requests: two e-processes, one against "canary is not worse" and one against
// "canary is worse by the margin or more".
type Sequential struct {
	// Harm grows when canary is worse, Safe when it is not worse by the margin.
	Harm Evidence `json:"harm"`
	Safe Evidence `json:"safe"`
	// Canary and Stable are all requests so far.
	Canary Counts `json:"canary"`
	Stable Counts `json:"stable"`
}

// The alternatives of the test for harm: so many times the stable's proportion,
// and so much more. They decide how soon harm is seen, not whether the rate of
// false alarms is kept.
var (
	timesWorse = []float64{1.5, 2, 3, 5, 10, 30}
	moreBad    = []float64{0.05, 0.3}
)

const (
	// priorRequests and priorBad stand in for requests of stable that were not
	// seen, in the choice of alternatives only.
	priorRequests = 50
	priorBad      = 0.5
	// highest proportion of an alternative.
	highest = 0.99
)

// add returns the state after one more batch.
func (s Sequential) add(b batch, t config.Test) Sequential {
	next := Sequential{Harm: s.Harm, Safe: s.Safe, Canary: s.Canary.Add(b.canary), Stable: s.Stable.Add(b.stable)}
	if t.Bound != nil {
		b.stable = Counts{}
		next.Harm = s.Harm.add(b, line{delta: *t.Bound}, notAbove(line{delta: *t.Bound}), worse(*t.Bound, line{delta: *t.Bound}))
		next.Safe = s.Safe.add(b, line{delta: *t.Bound}, notBelow(line{delta: *t.Bound}), s.better(*t.Bound))
		return next
	}
	stable := (s.Stable.Bad + priorBad) / (s.Stable.Requests + priorRequests)
	harm := line{ratio: t.Tolerance.Ratio, delta: t.Tolerance.Delta}
	next.Harm = s.Harm.add(b, harm, notAbove(harm), worse(stable, harm))
	safe := line{ratio: t.Margin.Ratio, delta: t.Margin.Delta}
	both := s.Stable.Add(s.Canary)
	equal := (both.Bad + priorBad) / (both.Requests + priorRequests)
	next.Safe = s.Safe.add(b, safe, notBelow(safe), []point{{canary: equal, stable: equal}, {canary: equal / 2, stable: equal}})
	return next
}

// notAbove is the hypothesis that canary is on the edge or below it.
func notAbove(edge line) func(point) bool {
	return func(p point) bool { return p.canary <= edge.at(p.stable) }
}

// notBelow is the hypothesis that canary is on the edge or above it.
func notBelow(edge line) func(point) bool {
	return func(p point) bool { return p.canary >= edge.at(p.stable) }
}

// worse are the alternatives beside a proportion of stable.
func worse(stable float64, edge line) []point {
	stable = min(max(stable, 1e-9), highest)
	points := make([]point, 0, len(timesWorse)+len(moreBad))
	for _, times := range timesWorse {
		points = append(points, point{canary: min(edge.at(stable)+(times-1)*stable, highest), stable: stable})
	}
	for _, more := range moreBad {
		points = append(points, point{canary: min(edge.at(stable)+more, highest), stable: stable})
	}
	return points
}

// better are the alternatives below a bound: what was seen so far, and half of
// the bound.
func (s Sequential) better(bound float64) []point {
	seen := (s.Canary.Bad + priorBad*bound) / (s.Canary.Requests + priorBad)
	return []point{{canary: max(min(seen, bound*0.9), bound*1e-3), stable: 0.5}, {canary: bound / 2, stable: 0.5}}
}

// level is what the logarithm of evidence has to reach.
func level(t config.Test) float64 { return -math.Log(t.FalseAlarm) }

// Harmful says that canary is worse than the test tolerates.
func (s Sequential) Harmful(t config.Test) bool { return s.Harm.Log() >= level(t) }

// Harmless says that canary is not worse by the margin.
func (s Sequential) Harmless(t config.Test) bool { return s.Safe.Log() >= level(t) }
