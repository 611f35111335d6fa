package verdict

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config"
)

// outcomes calls for every number of bad requests of n, with its probability.
func outcomes(n int, p float64, each func(c Counts, probability float64)) {
	for bad := range n + 1 {
		probability := 1.0
		for i := range bad {
			probability *= p * float64(n-i) / float64(i+1)
		}
		each(Counts{Requests: float64(n), Bad: float64(bad)}, probability*math.Pow(1-p, float64(n-bad)))
	}
}

// expected is the exact expectation of the evidence after one more batch of n
// requests of canary and m of stable, as a multiple of that before.
func expected(s Sequential, t config.Test, n, m int, p, q float64, of func(Sequential) Evidence) float64 {
	total := 0.0
	outcomes(n, p, func(canary Counts, pc float64) {
		outcomes(m, q, func(stable Counts, ps float64) {
			after := of(s.add(batch{canary: canary, stable: stable}, t))
			total += pc * ps * math.Exp(after.Log()-of(s).Log())
		})
	})
	return total
}

// anyTest has random tolerances and margins, sometimes with a bound.
func anyTest(random *rand.Rand) config.Test {
	t := config.Test{
		FalseAlarm: 0.01 + 0.2*random.Float64(),
		Tolerance:  config.Worse{Ratio: 0.5 + 1.5*random.Float64(), Delta: 0.02 * random.Float64()},
		Margin:     config.Worse{Ratio: 2 + random.Float64(), Delta: 0.02 + 0.05*random.Float64()},
	}
	if random.IntN(4) == 0 {
		t.Bound = new(0.001 + 0.5*random.Float64())
	}
	return t
}

// played is the state after some random batches.
func played(random *rand.Rand, t config.Test) Sequential {
	counts := func(most int) Counts {
		n := random.IntN(most)
		return Counts{Requests: float64(n), Bad: float64(random.IntN(n + 1))}
	}
	s := Sequential{Stable: Counts{Requests: 200, Bad: float64(random.IntN(60))}}
	for range random.IntN(5) {
		s = s.add(batch{canary: counts(20), stable: counts(40)}, t)
	}
	return s
}

// TestEvidenceIsWorthNothingUnderItsHypothesis: whatever was seen before, and
// whatever the proportions are, as long as the hypothesis is true, the evidence
// against it does not grow on average. The expectation is exact.
func TestEvidenceIsWorthNothingUnderItsHypothesis(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	harm := func(s Sequential) Evidence { return s.Harm }
	safe := func(s Sequential) Evidence { return s.Safe }
	unseen := 0
	for range 400 {
		test := anyTest(random)
		s, n, m := played(random, test), 1+random.IntN(8), random.IntN(8)
		q := random.Float64() * random.Float64()
		most := test.Tolerance.Ratio*q + test.Tolerance.Delta
		least := test.Margin.Ratio*q + test.Margin.Delta
		if test.Bound != nil {
			most, least = *test.Bound, *test.Bound
		}
		if bounded, ok := s.known(test); test.Bound == nil && m == 0 && ok {
			// What is known of stable is right.
			most = min(most, bounded)
			unseen++
		}
		near := random.Float64() // 1 is the edge of the hypothesis
		require.LessOrEqual(t, expected(s, test, n, m, near*min(most, 1), q, harm), 1+1e-9, "%+v %+v n=%d m=%d q=%g", test, s, n, m, q)
		if least <= 1 {
			require.LessOrEqual(t, expected(s, test, n, m, least+(1-near)*(1-least), q, safe), 1+1e-9, "%+v %+v n=%d m=%d q=%g", test, s, n, m, q)
		}
	}
	require.Greater(t, unseen, 20, "batches without stable were among them")
	// The expectation can be above 1: it is where canary is worse.
	worse := expected(Sequential{Stable: Counts{Requests: 200}}, config.DefaultTest(), 5, 5, 0.5, 0.01, harm)
	require.Greater(t, worse, 1.5)
	worse = expected(Sequential{Stable: Counts{Requests: 200}}, config.DefaultTest(), 5, 0, 0.5, 0.01, harm)
	require.Greater(t, worse, 1.5)
}

// alarms is the exact probability that a test ever says that canary is worse, if
// both sides fail for a proportion p: stable has some requests first, and none in
// the samples that follow.
func alarms(test config.Test, p float64, stable, samples, canary int) float64 {
	var ever func(s Sequential, left int) float64
	ever = func(s Sequential, left int) float64 {
		switch {
		case s.Harmful(test):
			return 1
		case left == 0:
			return 0
		}
		total := 0.0
		outcomes(canary, p, func(c Counts, probability float64) {
			total += probability * ever(s.add(batch{canary: c}, test), left-1)
		})
		return total
	}
	total := 0.0
	outcomes(stable, p, func(c Counts, probability float64) {
		total += probability * ever(Sequential{}.add(batch{stable: c}, test), samples)
	})
	return total
}

// TestFalseAlarmsWithoutStable adds up the probabilities of everything that can
// happen.
func TestFalseAlarmsWithoutStable(t *testing.T) {
	test := config.DefaultTest()
	test.FalseAlarm = 0.2
	highest := 0.0
	for _, p := range []float64{0.02, 0.1, 0.2, 0.3, 0.4} {
		a := alarms(test, p, 30, 4, 3)
		require.LessOrEqual(t, a, test.FalseAlarm, "both fail for %g", p)
		highest = max(highest, a)
	}
	require.Positive(t, highest, "some of it can raise an alarm")
}

// TestWhatIsKnownOfStable: the probability that stable is ever worse than that,
// looked at after every request, is exact.
func TestWhatIsKnownOfStable(t *testing.T) {
	const wrong = 0.1
	for _, p := range []float64{0.01, 0.05, 0.2, 0.5} {
		// alive is the probability of so many bad requests, of those so far, without
		// having been wrong.
		alive := map[float64]float64{0: 1}
		for n := 1.0; n <= 120; n++ {
			next := map[float64]float64{}
			for bad, probability := range alive {
				for more, chance := range map[float64]float64{0: 1 - p, 1: p} {
					if c := (Counts{Requests: n, Bad: bad + more}); c.highest(wrong) >= p {
						next[c.Bad] += probability * chance
					}
				}
			}
			alive = next
		}
		right := 0.0
		for _, probability := range alive {
			right += probability
		}
		require.GreaterOrEqual(t, right, 1-wrong, "%g", p)
	}
	require.Less(t, Counts{Requests: 10000, Bad: 10}.highest(0.001), 0.004)
	require.Greater(t, Counts{Requests: 10000, Bad: 10}.highest(0.001), 0.001)
}

// TestStableThatHasNoRequestsAnyMore plays versions that turn bad when all
// requests go to canary, as in a bake, and good ones.
func TestStableThatHasNoRequestsAnyMore(t *testing.T) {
	test := config.DefaultTest()
	random := rand.New(rand.NewPCG(3, 4))
	draw := func(n int, p float64) Counts {
		c := Counts{Requests: float64(n)}
		for range n {
			if random.Float64() < p {
				c.Bad++
			}
		}
		return c
	}
	const runs = 200
	for _, kind := range []struct {
		name                  string
		stable, canary        float64
		fewest, most, samples int
	}{
		{"as good as stable", 0.01, 0.01, 0, runs / 100, 120},
		{"as bad as stable", 0.2, 0.2, 0, runs / 100, 120},
		{"all requests fail", 0.01, 1, runs, runs, 1},
		{"tenfold errors", 0.01, 0.1, runs, runs, 4},
	} {
		found := 0
		for range runs {
			s := Sequential{}
			for range 40 {
				s = s.add(batch{canary: draw(15, kind.stable), stable: draw(135, kind.stable)}, test)
			}
			for range kind.samples {
				if s.Harmful(test) {
					break
				}
				s = s.add(batch{canary: draw(150, kind.canary)}, test)
			}
			if s.Harmful(test) {
				found++
			}
		}
		require.GreaterOrEqual(t, found, kind.fewest, kind.name)
		require.LessOrEqual(t, found, kind.most, kind.name)
	}
}
