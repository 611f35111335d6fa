package verdict

import "math"

// Counts are requests of one side and how many of them were bad.
type Counts struct {
	Requests float64 `json:"requests"`
	Bad      float64 `json:"bad"`
}

// Add returns the sum of both.
func (c Counts) Add(d Counts) Counts {
	return Counts{Requests: c.Requests + d.Requests, Bad: c.Bad + d.Bad}
}

// Rate is the proportion of bad requests; false where there are no requests.
func (c Counts) Rate() (float64, bool) {
	if c.Requests <= 0 {
		return 0, false
	}
	return c.Bad / c.Requests, true
}

// Evidence is an e-process against one null hypothesis: a number that, if the
// hypothesis is true, is at most 1 on average at whatever time one looks, so that
// by Ville's inequality it ever reaches 1/a with a probability of at most a. It
// is the average of one process per alternative and per batch that the
// alternative may begin at; the process of a pair (p, q) of alternatives is
// multiplied, batch by batch, with the likelihood of the batch under the pair
// divided by its likelihood under the nearest pair of the hypothesis. See
// docs/verdict.md for the proof and its sources.
type Evidence struct {
	// Logs of the processes, one per alternative, without the weight of the
	// alternative. They stay above lowest, because JSON knows no infinity.
	Logs []float64 `json:"logs,omitempty"`
	// Batches that had requests on the side that is judged.
	Batches int `json:"batches,omitempty"`
}

// lowest is the logarithm of nothing.
const lowest = -1e9

// Log returns the logarithm of the evidence; 0 before the first batch.
func (e Evidence) Log() float64 {
	// Alternatives that have not begun yet have won and lost nothing.
	total := -math.Log(float64(e.Batches + 1))
	for _, l := range e.Logs {
		total = logAdd(total, l-math.Log(float64(len(e.Logs))))
	}
	return total
}

// line is the edge of a hypothesis: canary = ratio*stable + delta.
type line struct{ ratio, delta float64 }

// at is the canary's proportion on the edge beside the stable's.
func (l line) at(stable float64) float64 { return l.ratio*stable + l.delta }

// point is a pair of proportions.
type point struct{ canary, stable float64 }

// batch is what happened between two samples.
type batch struct{ canary, stable Counts }

// add returns the evidence after one more batch. The alternatives must have been
// chosen without knowledge of the batch; inside tells which points belong to the
// hypothesis, whose edge is a line.
func (e Evidence) add(b batch, edge line, inside func(point) bool, alternatives []point) Evidence {
	if b.canary.Requests <= 0 {
		return e
	}
	next := Evidence{Batches: e.Batches + 1, Logs: make([]float64, len(alternatives))}
	// The weights 1/(k(k+1)) of all batches k that one may begin at add up to 1.
	begin := -math.Log(float64(next.Batches) * float64(next.Batches+1))
	for i, alternative := range alternatives {
		log := lowest
		if i < len(e.Logs) {
			log = e.Logs[i]
		}
		gain := 0.0
		if !inside(alternative) {
			gain = b.likelihood(alternative) - b.likelihood(project(b, edge, alternative))
		}
		next.Logs[i] = max(lowest, logAdd(log, begin)+gain)
	}
	return next
}

// likelihood is the logarithm of the probability of the batch, up to a constant.
func (b batch) likelihood(p point) float64 {
	return side(b.canary, p.canary) + side(b.stable, p.stable)
}

func side(c Counts, p float64) float64 {
	return xlog(c.Bad, p) + xlog(c.Requests-c.Bad, 1-p)
}

// xlog is n*log(p), which is 0 where nothing happened.
func xlog(n, p float64) float64 {
	if n <= 0 {
		return 0
	}
	return n * math.Log(max(p, math.SmallestNonzeroFloat64))
}

// halvings of the search for a projection; each gives one more binary digit.
const halvings = 60

// project returns the point on the edge that is nearest to p by the relative
// entropy of a batch of this size. The distance is convex along the edge, so that
// its slope has one zero, which is searched by halving.
func project(b batch, edge line, p point) point {
	switch edge {
	case line{ratio: 1}: // both sides together
		both := (b.canary.Requests*p.canary + b.stable.Requests*p.stable) / (b.canary.Requests + b.stable.Requests)
		return point{stable: both, canary: both}
	case line{delta: edge.delta}: // whatever stable is
		return point{stable: p.stable, canary: edge.delta}
	}
	low, high := max(0.0, -edge.delta/edge.ratio), min(1.0, (1-edge.delta)/edge.ratio)
	slope := func(u float64) float64 {
		v := edge.at(u)
		s := b.stable.Requests * (u - p.stable) / (u * (1 - u))
		return s + b.canary.Requests*edge.ratio*(v-p.canary)/(v*(1-v))
	}
	for range halvings {
		middle := (low + high) / 2
		if slope(middle) < 0 {
			low = middle
		} else {
			high = middle
		}
	}
	u := (low + high) / 2
	return point{stable: u, canary: edge.at(u)}
}

// logAdd is log(exp(a)+exp(b)).
func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	return a + math.Log1p(math.Exp(b-a))
}
