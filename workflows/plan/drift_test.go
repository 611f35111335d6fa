package plan_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// meddle lets somebody else change an object of the rollout. What that loses is
// theirs; what the planner does afterwards must lose nothing.
func meddle(rnd *rand.Rand, m *model, w plan.World) plan.World {
	switch n := rnd.IntN(4); {
	case n == 0 && m.exists:
		m.route = traffic.Route{Weight: rnd.IntN(100)}
		m.toCanary = m.toCanary || carriesTraffic(m.route)
		m.inCanary, m.all, m.inStable = m.inCanary || m.toCanary, false, true
		return w.RouteEdited(&m.route)
	case n == 1 && m.exists:
		m.exists, m.route, m.all, m.inStable = false, traffic.Route{}, false, true
		return w.RouteGone()
	case n == 2 && m.backed && m.canaryAsked > 0:
		// The pods stop, whatever requests they have.
		m.canary, m.canaryAsked = 0, 0
		return w.CanaryGone()
	case n == 3 && m.backed && m.canaryAsked > 0:
		size := rnd.IntN(8)
		m.canary, m.canaryAsked = min(m.canary, size), size
		return w.CanaryScaled(size)
	}
	return w
}

func TestAt(t *testing.T) {
	ten := traffic.Route{Weight: 10}
	at10 := plan.World{Replicas: 5, RouteExists: true, MaybeRoute: true, MaybeCarries: true, Asked: ten, Confirmed: ten, Canary: 1}
	require.Empty(t, plan.At(at10, ten), "it is so already")
	require.Equal(t, []plan.Operation{{Kind: plan.SetRoute, NeedStable: 1}}, plan.At(at10, traffic.Route{}))
	require.Equal(t, []plan.Operation{{Kind: plan.SetRoute, Route: ten, NeedStable: 1, NeedCanary: 1}},
		plan.At(at10.RouteEdited(&traffic.Route{Weight: 60}), ten))
	require.Equal(t, []plan.Operation{{Kind: plan.SetRoute, NeedStable: 1}}, plan.At(at10.RouteGone(), traffic.Route{}),
		"a gateway may not have noticed")
	require.Empty(t, plan.At(plan.NewWorld(5), traffic.Route{}), "nothing can be on its way to canary")
	require.Equal(t, []plan.Operation{{Kind: plan.SetRoute}}, plan.At(plan.World{MaybeCarries: true}, traffic.Route{}),
		"a workload without pods is not waited for")
}

func TestBears(t *testing.T) {
	r := doc(step(10, 1), step(30, 2), match(1))
	header := plan.StepRoute(r, 2)
	cases := []struct {
		step, canary int
		route        traffic.Route
		want         bool
	}{
		{0, 1, traffic.Route{Weight: 5}, true},
		{0, 1, traffic.Route{Weight: 10}, true}, // one pod is what the document asks for
		{0, 1, traffic.Route{Weight: 11}, false},
		{0, 2, traffic.Route{Weight: 11}, true},
		{0, 0, traffic.Route{Weight: 1}, false},
		{0, 0, traffic.Route{}, true},
		{1, 2, traffic.Route{Weight: 60}, false},
		{1, 4, traffic.Route{Weight: 60}, true},
		{1, 1, header, false},
		{1, 2, header, true},
		{2, 1, header, true},
		{2, 1, traffic.Route{Weight: 1, Matches: header.Matches}, false},
	}
	for _, c := range cases {
		w := plan.World{Replicas: 5, Canary: c.canary}
		require.Equal(t, c.want, plan.Bears(r, w, c.step, c.route), "%+v", c)
	}
}

func TestMend(t *testing.T) {
	w := plan.World{Replicas: 5, Held: true, Canary: 2, CanaryAsked: 2}
	require.Empty(t, plan.Mend(w))
	require.Equal(t, []plan.Operation{{Kind: plan.EnsureCanary, Replicas: 2}}, plan.Mend(w.CanaryScaled(1)))
	require.Equal(t, []plan.Operation{{Kind: plan.EnsureCanary, Replicas: 4}}, plan.Mend(w.CanaryScaled(4)))
	w.Held = false
	require.Empty(t, plan.Mend(w.CanaryScaled(1)), "nobody knows what it would be made of")
}

// TestPodsByWeight goes through the sizes of a workload: a step that names a
// weight only has what it needs; one that names pods has these.
func TestPodsByWeight(t *testing.T) {
	thirty := 30
	implied := config.Step{Weight: &thirty, Replicas: config.Amount{Value: 30, Percent: true, Implied: true}}
	written := implied
	written.Replicas.Implied = false
	for n, want := range map[int][2]int{1: {1, 1}, 2: {2, 1}, 5: {2, 2}, 10: {4, 3}, 20: {7, 6}, 100: {33, 30}} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			require.Equal(t, want[0], plan.StepReplicas(doc(implied), 0, plan.NewWorld(n)))
			require.Equal(t, want[1], plan.StepReplicas(doc(written), 0, plan.NewWorld(n)))
			require.GreaterOrEqual(t, want[0], config.NeedCanary(30, n))
		})
	}
}
