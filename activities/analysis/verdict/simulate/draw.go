package simulate

import (
	"math"
	"math/rand/v2"

	"sluice.dev/sluice/activities/analysis/verdict"
)

// draw returns a Poisson number of requests with a binomial number of bad ones.
func draw(random *rand.Rand, requests, bad float64) verdict.Counts {
	n := poisson(random, requests)
	return verdict.Counts{Requests: float64(n), Bad: float64(binomial(random, n, bad))}
}

// poisson counts exponential gaps in a unit of time; above 500 the normal
// approximation is close enough for a number of requests.
func poisson(random *rand.Rand, mean float64) int {
	if mean > 500 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*random.NormFloat64())))
	}
	n := 0
	for t := random.ExpFloat64(); t < mean; t += random.ExpFloat64() {
		n++
	}
	return n
}

// binomial counts successes by the geometric gaps between them.
func binomial(random *rand.Rand, n int, p float64) int {
	switch {
	case p > 0.5:
		return n - binomial(random, n, 1-p)
	case p <= 0:
		return 0
	}
	successes, log := 0, math.Log1p(-p)
	for at := gap(random, log); at <= n; at += gap(random, log) {
		successes++
	}
	return successes
}

// gap to the next success, at least 1.
func gap(random *rand.Rand, log float64) int {
	g := math.Log(1-random.Float64()) / log
	if g > 1e9 {
		return 1e9
	}
	return int(g) + 1
}
