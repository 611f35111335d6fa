package plan_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
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
	other := traffic.Route{Matches: append(slices.Clone(header.Matches), config.Match{Cookies: []config.ValueMatch{{Name: "tester", Type: config.MatchExact, Value: "always"}}})}
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
		{1, 4, header, false},
		{1, 5, header, true}, // it may be all requests
		{2, 1, header, true},
		{2, 4, other, false},
		{2, 5, other, true},
		{2, 1, traffic.Route{Weight: 1, Matches: header.Matches}, false},
	}
	for _, c := range cases {
		w := plan.World{Replicas: 5, Canary: c.canary}
		require.Equal(t, c.want, plan.Bears(r, w, c.step, c.route), "%+v", c)
	}
	require.True(t, plan.BearsWithTwo(r, plan.World{Replicas: 5, Canary: 2}, 1, header), "as it was")
	require.False(t, plan.BearsWithTwo(r, plan.World{Replicas: 5, Canary: 1}, 1, header))
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
			require.GreaterOrEqual(t, want[0], doc(implied).NeedCanary(30, n))
		})
	}
}

// promotionMeddled are things that somebody else does while the workload's pods
// are replaced under cover.
var promotionMeddled = map[string]func(m *model, w plan.World) plan.World{
	"route deleted": func(m *model, w plan.World) plan.World {
		m.exists, m.route, m.all, m.inStable = false, traffic.Route{}, false, true
		return w.RouteGone()
	},
	"route edited": func(m *model, w plan.World) plan.World {
		m.route = traffic.Route{Weight: 30}
		m.all, m.inStable = false, true
		return w.RouteEdited(&m.route)
	},
	"rules edited": func(m *model, w plan.World) plan.World {
		m.all, m.inStable = false, true
		return w.RulesEdited()
	},
	"canary deleted": func(m *model, w plan.World) plan.World {
		m.canary, m.canaryAsked, m.canaryKnown = 0, 0, false
		return w.CanaryGone()
	},
	"canary scaled down": func(m *model, w plan.World) plan.World {
		m.canary, m.canaryAsked = 1, 1
		return w.CanaryScaled(1)
	},
	"canary scaled to nothing": func(m *model, w plan.World) plan.World {
		m.canary, m.canaryAsked, m.canaryKnown = 0, 0, false
		return w.CanaryScaled(0)
	},
	"workload scaled": func(m *model, w plan.World) plan.World {
		m.n, w.Replicas = 8, 8
		return w
	},
}

// TestMeddlingDuringThePromotion goes on, and goes back, from every such world.
func TestMeddlingDuringThePromotion(t *testing.T) {
	for name, r := range documents {
		worlds, ops := forward(t, r)
		for i, op := range ops {
			if op.Kind != plan.PromoteStable {
				continue
			}
			for what, meddle := range promotionMeddled {
				for _, way := range []string{"on", "back"} {
					t.Run(name+"/"+what+"/"+way, func(t *testing.T) {
						m := newModel(r, 5)
						for _, before := range ops[:i] {
							require.NoError(t, m.do(before))
						}
						w := worlds[i].Begin(op)
						require.NoError(t, m.write(op))
						w = meddle(m, w)
						end, running := finish(r), 1
						if way == "back" {
							end, running = abort(r), 0
						}
						drive(t, m, w, end)
						require.NoError(t, m.clean())
						require.Equal(t, running, m.running)
					})
				}
			}
		}
	}
}

// TestUncoveredPromotion spells out what follows.
func TestUncoveredPromotion(t *testing.T) {
	r := documents["seed canary"]
	worlds, ops := forward(t, r)
	at := 0
	for ops[at].Kind != plan.PromoteStable {
		at++
	}
	promoting := worlds[at].Begin(ops[at])
	retire := []string{"promote-stable", "set-route 0", "drain", "remove-route", "release-workload"}
	cases := []struct {
		name string
		w    plan.World
		want []string
	}{
		{"nothing has happened", promoting, nil},
		{"route deleted", promoting.RouteGone(), []string{"halt-promotion", "set-route 100", "drain"}},
		{"rules edited", promoting.RulesEdited(), []string{"halt-promotion", "set-route 100", "drain"}},
		{"canary deleted", promoting.CanaryGone(), []string{"halt-promotion", "set-route 0", "ensure-canary 5", "set-route 0", "set-route 100", "drain"}},
		{"canary scaled down", promoting.CanaryScaled(2), []string{"ensure-canary 5"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, append(c.want, retire...), words(carriedOut(c.w, finish(r))))
		})
	}
	t.Run("canary deleted when the stable template is back", func(t *testing.T) {
		w := promoting.Begin(plan.Operation{Kind: plan.RestoreTemplate}).CanaryGone()
		require.Equal(t, []string{"set-route 0", "restore-template", "drain", "remove-route", "release-workload"}, words(carriedOut(w, abort(r))))
	})
}

// carriedOut are the operations that are done from a world on, planned again
// after each.
func carriedOut(w plan.World, n next) []plan.Operation {
	var done []plan.Operation
	for ops := n(w); len(ops) > 0; ops = n(w) {
		done = append(done, ops[0])
		w = w.Begin(ops[0]).Done(ops[0])
	}
	return done
}

func TestApart(t *testing.T) {
	r := bySelector(doc(step(10, 1)))
	w := plan.World{Replicas: 5, Held: true, MaybeCanary: true, Canary: 1, CanaryAsked: 1, CanaryDrained: true, Narrowed: "stable", MaybeNarrowed: true}
	require.Empty(t, plan.Apart(r, w))
	reset := w.ServiceReset()
	require.False(t, reset.CanaryDrained, "requests for stable go to canary pods")
	ops := plan.Apart(r, reset)
	require.Equal(t, []string{"narrow-service stable"}, words(ops))
	require.True(t, ops[0].Again)
	require.Equal(t, 5, ops[0].NeedStable)
	reset.MaybePromoting = true
	require.Empty(t, plan.Apart(r, reset), "it has to be wide")
}
