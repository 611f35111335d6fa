package plan_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// needed is the contract's number of pods for a share of the requests, in
// percent: that share of all pods and a tenth more, rounded up, at least two, at
// most all.
func needed(share, total int) int {
	n := 0
	for 1000*n < 11*share*total {
		n++
	}
	return min(max(n, 2), total)
}

// needCanary is what canary needs for a route: what its share needs, or fewer
// where a step with that route asks for a number that was not enough in the
// beginning either.
func (m *model) needCanary(route traffic.Route) int {
	need := needed(route.Weight, m.n)
	for i, step := range m.doc.Steps {
		enough := asked(step.Replicas, m.begun) >= needed(route.Weight, m.begun)
		if reflect.DeepEqual(plan.StepRoute(m.doc, i), route) && !step.Replicas.Implied && !m.promoting && !enough {
			need = min(need, max(1, asked(step.Replicas, m.n)))
		}
	}
	return need
}

// asked is a number of pods as a document gives it.
func asked(a config.Amount, total int) int {
	if !a.Percent {
		return min(a.Value, total)
	}
	n := 0
	for 100*n < a.Value*total {
		n++
	}
	return n
}

// returned says whether stable gets requests by a route that went to canary by the
// one before. There are requests that meet one of the matches, and those that meet
// none; a route sends of each kind all to canary where it has the match, and its
// weight where it has not.
func returned(before, now traffic.Route) bool {
	share := func(r traffic.Route, kind *config.Match) int {
		for _, m := range r.Matches {
			if kind != nil && reflect.DeepEqual(m, *kind) {
				return 100
			}
		}
		return r.Weight
	}
	kinds := []*config.Match{nil}
	for i := range before.Matches {
		kinds = append(kinds, &before.Matches[i])
	}
	for _, kind := range kinds {
		if share(now, kind) < share(before, kind) {
			return true
		}
	}
	return false
}

// bears is I2 and I3 for a route that is written: what takes requests over has
// the pods for them. The way back to the old revision does not wait for pods that
// somebody has just asked for: the new revision may be worse than too few. A new
// one that takes its place is no way back.
func (m *model) bears(op plan.Operation) error {
	if op.NeedStable > m.n {
		return fmt.Errorf("a route waits for %d stable pods of %d", op.NeedStable, m.n)
	}
	if op.NeedStable > m.stable {
		m.stable = m.n // waited for
	}
	if need := m.needCanary(op.Route); carriesTraffic(op.Route) && m.canary < need {
		return fmt.Errorf("route %v needs %d canary pods, and there are %d", op.Route, need, m.canary)
	}
	back := !carriesTraffic(op.Route) && m.running == 0 && !m.revising
	if need := needed(100-op.Route.Weight, m.n); returned(m.route, op.Route) && m.stable < need && !back {
		return fmt.Errorf("route %v needs %d stable pods, and there are %d", op.Route, need, m.stable)
	}
	return nil
}

// rest is I1, I2 and, after a change of the workload's size, I19, when a step has
// nothing left to do.
func (m *model) rest() error {
	if m.exists && carriesTraffic(m.route) && m.canary < m.needCanary(m.route) {
		return fmt.Errorf("the step rests with route %v, %d canary pods and %d of the workload", m.route, m.canary, m.n)
	}
	return nil
}

// resize changes the size of the workload. Pods that are added are not ready
// before something waits for them.
func (m *model) resize(n int) {
	m.n, m.stable = n, min(m.stable, n)
}

// TestNeedsOfRandomDocuments is I9 for random documents and sizes: pods follow
// from the document alone where it names them, and otherwise from the share; more
// weight never needs less canary nor more stable, and both sides together carry
// the load.
func TestNeedsOfRandomDocuments(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 9))
	for range 2000 {
		r, begun, n := randomDoc(rnd), 1+rnd.IntN(40), 1+rnd.IntN(40)
		m, w := newModel(r, begun), plan.NewWorld(begun)
		w.Begun = begun
		w = w.Scaled(n)
		m.resize(n)
		for i, step := range r.Steps {
			route := plan.StepRoute(r, i)
			if !carriesTraffic(route) {
				continue
			}
			pods := plan.StepReplicas(r, i, w)
			require.GreaterOrEqual(t, pods, m.needCanary(route), "step %d of %+v, %d pods", i, r.Steps, n)
			if !step.Replicas.Implied {
				continue
			}
			require.Equal(t, needed(route.Weight, n), pods, "%+v, %d pods", step, n)
			require.GreaterOrEqual(t, pods+needed(100-route.Weight, n), n)
			for j, other := range r.Steps {
				if weight := plan.StepRoute(r, j).Weight; other.Replicas.Implied && weight >= route.Weight {
					require.GreaterOrEqual(t, plan.StepReplicas(r, j, w), pods, "steps %d and %d of %+v, %d pods", i, j, r.Steps, n)
					require.LessOrEqual(t, r.NeedStable(weight, n), r.NeedStable(route.Weight, n))
				}
			}
		}
	}
}

// TestModelSeesTooFewPods makes sure that the model is worth something.
func TestModelSeesTooFewPods(t *testing.T) {
	r := doc(implied(50))
	for name, c := range map[string]struct {
		canary, stable int
		op             plan.Operation
		want           string
	}{
		"canary":           {5, 10, plan.Operation{Route: traffic.Route{Weight: 50}, NeedCanary: 5}, "needs 6 canary pods, and there are 5"},
		"enough":           {6, 10, plan.Operation{Route: traffic.Route{Weight: 50}, NeedCanary: 6}, ""},
		"stable":           {10, 5, plan.Operation{Route: traffic.Route{Weight: 50}, NeedCanary: 6, NeedStable: 1}, "needs 6 stable pods, and there are 5"},
		"stable, guarded":  {10, 5, plan.Operation{Route: traffic.Route{Weight: 50}, NeedCanary: 6, NeedStable: 6}, ""},
		"stable, for ever": {10, 5, plan.Operation{Route: traffic.Route{Weight: 50}, NeedCanary: 6, NeedStable: 11}, "waits for 11 stable pods of 10"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel(r, 10)
			m.canary, m.stable, m.route = c.canary, c.stable, traffic.Route{Weight: 100}
			err := m.bears(c.op)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestModelSeesRequestsThatReturn says when stable takes requests over.
func TestModelSeesRequestsThatReturn(t *testing.T) {
	a, b := match(1).Matches, []config.Match{{Cookies: []config.ValueMatch{{Name: "tester", Type: config.MatchExact, Value: "always"}}}}
	both := append(append([]config.Match{}, a...), b...)
	for name, c := range map[string]struct {
		before, now traffic.Route
		want        bool
	}{
		"weight falls":                {traffic.Route{Weight: 30}, traffic.Route{Weight: 10}, true},
		"weight rises":                {traffic.Route{Weight: 10}, traffic.Route{Weight: 30}, false},
		"match ends at the same":      {traffic.Route{Weight: 10, Matches: a}, traffic.Route{Weight: 10}, true},
		"match ends at more":          {traffic.Route{Matches: a}, traffic.Route{Weight: 30}, true},
		"match ends at all":           {traffic.Route{Matches: a}, traffic.Route{Weight: 100}, false},
		"match begins":                {traffic.Route{Weight: 10}, traffic.Route{Weight: 10, Matches: a}, false},
		"match takes the weight's":    {traffic.Route{Weight: 10}, traffic.Route{Matches: a}, true},
		"one of two goes":             {traffic.Route{Matches: both}, traffic.Route{Matches: b}, true},
		"one comes":                   {traffic.Route{Matches: a}, traffic.Route{Matches: both}, false},
		"another one":                 {traffic.Route{Matches: a}, traffic.Route{Matches: b}, true},
		"the same in the other order": {traffic.Route{Matches: both}, traffic.Route{Matches: []config.Match{b[0], a[0]}}, false},
	} {
		require.Equal(t, c.want, returned(c.before, c.now), name)
		w := plan.World{Replicas: 10, Held: true, Canary: 10, CanaryAsked: 10, RouteExists: true, MaybeCanary: true, MaybeRoute: true, Asked: c.before, Confirmed: c.before}
		goal := config.Step{Weight: &c.now.Weight, Matches: c.now.Matches, Replicas: config.Amount{Value: 10}}
		for _, op := range plan.Step(doc(goal), w, 0) {
			if c.want {
				require.Equal(t, needed(100-c.now.Weight, 10), op.NeedStable, name)
			} else {
				require.Equal(t, 1, op.NeedStable, name)
			}
		}
	}
}

// implied makes a step by weight whose pods follow from the weight.
func implied(weight int) config.Step {
	s := step(weight, weight)
	s.Replicas.Percent, s.Replicas.Implied = true, true
	return s
}
