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

// Guesses are the alternatives of the test for harm: so many times the stable's
// proportion, and so much more. They decide how soon harm is seen, not whether the
// rate of false alarms is kept. One that is written twice has twice the weight.
type Guesses struct{ Times, More []float64 }

// DefaultGuesses are those that metrics are judged with.
func DefaultGuesses() Guesses {
	return Guesses{Times: []float64{1.5, 2, 3, 5, 10, 30}, More: []float64{0.05, 0.3}}
}

const (
	// priorRequests and priorBad stand in for requests of stable that were not
	// seen: in the choice of alternatives, and as the prior of what is known of it.
	priorRequests = 50
	priorBad      = 0.5
	// highest proportion of an alternative.
	highest = 0.99
)

// add returns the state after one more batch, with the default guesses.
func (s Sequential) add(b batch, t config.Test) Sequential {
	return s.Add(b.canary, b.stable, t, DefaultGuesses())
}

// Add returns the state after the requests of one more sample.
func (s Sequential) Add(canary, stable Counts, t config.Test, g Guesses) Sequential {
	b := batch{canary: canary, stable: stable}
	next := Sequential{Harm: s.Harm, Safe: s.Safe, Canary: s.Canary.Add(b.canary), Stable: s.Stable.Add(b.stable)}
	if t.Bound != nil {
		b.stable = Counts{}
		next.Harm = s.Harm.add(b, line{delta: *t.Bound}, notAbove(line{delta: *t.Bound}), g.above(*t.Bound))
		next.Safe = s.Safe.add(b, line{delta: *t.Bound}, notBelow(line{delta: *t.Bound}), s.better(*t.Bound))
		return next
	}
	next.Harm = s.harm(b, t, g)
	safe := line{ratio: t.Margin.Ratio, delta: t.Margin.Delta}
	both := s.Stable.Add(s.Canary)
	equal := (both.Bad + priorBad) / (both.Requests + priorRequests)
	next.Safe = s.Safe.add(b, safe, notBelow(safe), []point{{canary: equal, stable: equal}, {canary: equal / 2, stable: equal}})
	return next
}

// harm returns the evidence that canary is worse after one more batch. Where
// stable has no requests in it, any proportion of canary could be explained by an
// equal one of stable, and nothing would ever be learnt: canary is compared with
// what was known of stable before.
func (s Sequential) harm(b batch, t config.Test, g Guesses) Evidence {
	edge := line{ratio: t.Tolerance.Ratio, delta: t.Tolerance.Delta}
	if b.stable.Requests > 0 {
		return s.Harm.add(b, edge, notAbove(edge), g.beside(s.Canary, s.Stable, edge))
	}
	most, ok := s.known(t)
	if !ok {
		return s.Harm
	}
	edge = line{delta: most}
	return s.Harm.add(b, edge, notAbove(edge), g.above(most))
}

// notAbove is the hypothesis that canary is on the edge or below it.
func notAbove(edge line) func(point) bool {
	return func(p point) bool { return p.canary <= edge.at(p.stable) }
}

// notBelow is the hypothesis that canary is on the edge or above it.
func notBelow(edge line) func(point) bool {
	return func(p point) bool { return p.canary >= edge.at(p.stable) }
}

// beside are the alternatives by what both sides have answered so far: if canary
// is so many times worse, its answers tell about stable, too.
func (g Guesses) beside(canary, stable Counts, edge line) []point {
	proportion := func(bad, requests float64) float64 {
		return min(max((bad+priorBad)/(requests+priorRequests), 1e-9), highest)
	}
	points := make([]point, 0, len(g.Times)+len(g.More))
	for _, times := range g.Times {
		q := proportion(canary.Bad+stable.Bad, stable.Requests+(edge.ratio+times-1)*canary.Requests)
		points = append(points, point{canary: min(edge.at(q)+(times-1)*q, highest), stable: q})
	}
	q := proportion(stable.Bad, stable.Requests)
	for _, more := range g.More {
		points = append(points, point{canary: min(edge.at(q)+more, highest), stable: q})
	}
	return points
}

// above are the alternatives above a proportion that canary may have.
func (g Guesses) above(most float64) []point {
	points := make([]point, 0, len(g.Times)+len(g.More))
	for _, times := range g.Times {
		points = append(points, point{canary: min(times*most, highest), stable: most})
	}
	for _, more := range g.More {
		points = append(points, point{canary: min(most+more, highest), stable: most})
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

// harmLog is the logarithm of the evidence that canary is worse, less what is put
// aside for a stable side that is known and not seen.
func (s Sequential) harmLog(t config.Test) float64 {
	if t.Bound != nil {
		return s.Harm.Log()
	}
	return s.Harm.Log() + math.Log1p(-reserve)
}

// Harmful says that canary is worse than the test tolerates.
func (s Sequential) Harmful(t config.Test) bool { return s.harmLog(t) >= level(t) }

// Harmless says that canary is not worse by the margin.
func (s Sequential) Harmless(t config.Test) bool { return s.Safe.Log() >= level(t) }
