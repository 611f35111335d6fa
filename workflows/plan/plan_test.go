package plan_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// next plans one operation of a phase.
type next func(plan.World) []plan.Operation

// drive executes what next plans until nothing is left, as the workflow does.
func drive(t *testing.T, m *model, w plan.World, n next) plan.World {
	t.Helper()
	for range 50 {
		ops := n(w)
		if len(ops) == 0 {
			return w
		}
		w = w.Begin(ops[0])
		require.NoError(t, m.do(ops[0]), "operation %+v in world %+v", ops[0], w)
		w = w.Done(ops[0])
	}
	t.Fatalf("the planner does not come to an end: %+v", n(w))
	return w
}

func stepTo(r *config.Rollout, i int) next {
	return func(w plan.World) []plan.Operation { return plan.Step(r, w, i) }
}

func finish(r *config.Rollout) next {
	return func(w plan.World) []plan.Operation { return plan.Finish(r, w) }
}

func abort(r *config.Rollout) next {
	return func(w plan.World) []plan.Operation { return plan.Abort(r, w) }
}

var documents = map[string]*config.Rollout{
	"seed canary":      doc(step(10, 1), step(30, 2)),
	"seed A/B":         doc(match(1)),
	"match, then half": doc(match(1), step(50, 3), step(100, 5)),
	"no weight first":  doc(step(0, 1), step(20, 2)),
	"down and up":      doc(step(50, 3), step(10, 1), step(60, 4)),
	"full at once":     doc(step(100, 5)),
}

func init() {
	for name, r := range maps.Clone(documents) {
		documents[name+", by selector"] = bySelector(r)
	}
}

// bySelector is a document whose Service is narrowed.
func bySelector(r *config.Rollout) *config.Rollout {
	c := *r
	c.Isolation = config.IsolateBySelector
	return &c
}

func TestPromotionLosesNothingAndLeavesNothing(t *testing.T) {
	for name, r := range documents {
		t.Run(name, func(t *testing.T) {
			m, w := newModel(r, 5), plan.NewWorld(5)
			for i := range r.Steps {
				w = drive(t, m, w, stepTo(r, i))
				require.Equal(t, plan.StepRoute(r, i), m.route)
			}
			drive(t, m, w, finish(r))
			require.NoError(t, m.clean())
			require.Equal(t, 1, m.running)
		})
	}
}

// TestBakeKeepsTheOldRevision stops where all requests go to canary: whichever way
// it goes on, nothing is lost.
func TestBakeKeepsTheOldRevision(t *testing.T) {
	for name, r := range documents {
		for _, end := range []struct {
			n       next
			running int
		}{{finish(r), 1}, {abort(r), 0}} {
			m, w := newModel(r, 5), plan.NewWorld(5)
			for i := range len(r.Steps) + 1 {
				w = drive(t, m, w, stepTo(r, i))
			}
			require.True(t, m.all, "%s: every request goes to canary", name)
			require.Equal(t, 0, m.running, "%s: the workload has its old pods", name)
			require.False(t, w.MaybePromoting)
			drive(t, m, w, end.n)
			require.NoError(t, m.clean(), name)
			require.Equal(t, end.running, m.running, name)
		}
	}
}

// forward returns the operations of a whole promotion with the world before each.
func forward(t *testing.T, r *config.Rollout) (worlds []plan.World, ops []plan.Operation) {
	t.Helper()
	w := plan.NewWorld(5)
	for i := range len(r.Steps) + 1 {
		n := stepTo(r, i)
		if i == len(r.Steps) {
			n = finish(r)
		}
		for list := n(w); len(list) > 0; list = n(w) {
			worlds, ops = append(worlds, w), append(ops, list[0])
			w = w.Begin(list[0]).Done(list[0])
		}
	}
	return worlds, ops
}

// TestAbortAtEveryOperation aborts before every operation, in its middle with and
// without its effect, and during the abort itself, which starts again.
func TestAbortAtEveryOperation(t *testing.T) {
	for name, r := range documents {
		worlds, ops := forward(t, r)
		for i, op := range ops {
			for _, happened := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d %s/%v", name, i, op.Kind, happened), func(t *testing.T) {
					m := newModel(r, 5)
					for _, before := range ops[:i] {
						require.NoError(t, m.do(before))
					}
					w := worlds[i].Begin(op)
					if happened {
						require.NoError(t, m.do(op))
					}
					if !plan.CanAbort(w) {
						drive(t, m, w, finish(r))
						require.Equal(t, 1, m.running)
						require.NoError(t, m.clean())
						return
					}
					drive(t, m, w, abort(r))
					require.NoError(t, m.clean())
					require.Equal(t, 0, m.running)
					require.Equal(t, 0, m.template)
				})
			}
		}
	}
}

func TestAbortStartsAgainAfterEveryOperationOfItself(t *testing.T) {
	r := documents["seed canary"]
	worlds, ops := forward(t, r)
	for i := range ops {
		if !plan.CanAbort(worlds[i]) {
			continue
		}
		for again := range 8 {
			m := newModel(r, 5)
			for _, before := range ops[:i] {
				require.NoError(t, m.do(before))
			}
			w := worlds[i]
			for range again {
				list := plan.Abort(r, w)
				if len(list) == 0 {
					break
				}
				// Sent, effective, but its result was never seen: done once more.
				w = w.Begin(list[0])
				require.NoError(t, m.do(list[0]))
			}
			drive(t, m, w, abort(r))
			require.NoError(t, m.clean())
			require.Equal(t, 0, m.running)
		}
	}
}

// TestAbortTriesAgainWhatFailed lets each operation of an abort fail before it
// did anything, after one on the way forward that was written and not confirmed.
func TestAbortTriesAgainWhatFailed(t *testing.T) {
	for name, r := range documents {
		worlds, ops := forward(t, r)
		for i, op := range ops {
			for fails := range 6 {
				t.Run(fmt.Sprintf("%s/%d %s/abort fails at %d", name, i, op.Kind, fails), func(t *testing.T) {
					m := newModel(r, 5)
					for _, before := range ops[:i] {
						require.NoError(t, m.do(before))
					}
					w := worlds[i].Begin(op)
					require.NoError(t, m.write(op))
					if !plan.CanAbort(w) {
						return
					}
					for range fails {
						if list := plan.Abort(r, w); len(list) > 0 {
							w = w.Begin(list[0])
							require.NoError(t, m.do(list[0]))
							w = w.Done(list[0])
						}
					}
					if list := plan.Abort(r, w); len(list) > 0 {
						w = w.Begin(list[0])
					}
					drive(t, m, w, abort(r))
					require.NoError(t, m.clean())
					require.Equal(t, 0, m.running)
				})
			}
		}
	}
}

// TestRandomJumpsAndRevisions goes through random documents by random jumps,
// scalings and new revisions (invariants I1 to I5, I15, I16 and I19 of the contract).
func TestRandomJumpsAndRevisions(t *testing.T) {
	for seed := range uint64(400) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			r := randomDoc(rnd)
			if seed%2 == 1 {
				r = bySelector(r)
			}
			m, w := newModel(r, 5), before(false)
			for range 12 {
				switch rnd.IntN(8) {
				case 7:
					m.stable = rnd.IntN(m.n + 1) // pods of stable are not ready for a while
				case 6:
					w = meddle(rnd, m, w)
				case 0:
					w = w.Scaled(1 + rnd.IntN(10))
					m.resize(w.Replicas)
				case 1:
					if w.Held {
						m.revising = true
						w = drive(t, m, w, empty(r))
						m.revising, w.ConfirmRefill = false, true
						m.next++
						w = drive(t, m, w.Begin(plan.Operation{Kind: plan.HoldRevision}), stepTo(r, 0))
					}
				case 2:
					// An operation is abandoned, whether it has written or not.
					if ops := plan.Step(r, w, rnd.IntN(len(r.Steps))); len(ops) > 0 && ops[0].Kind != plan.HoldRevision {
						w = w.Begin(ops[0])
						if rnd.IntN(2) == 0 {
							require.NoError(t, m.write(ops[0]))
						}
					}
				default:
					w = drive(t, m, w, stepTo(r, rnd.IntN(len(r.Steps))))
					require.NoError(t, m.rest())
				}
			}
			if rnd.IntN(2) == 0 {
				drive(t, m, w, finish(r))
				require.Equal(t, m.next, m.running)
			} else {
				drive(t, m, w, abort(r))
				require.Equal(t, 0, m.running)
			}
			require.NoError(t, m.clean())
		})
	}
}

// empty is the part of Revise before the new revision is held.
func empty(r *config.Rollout) next {
	return func(w plan.World) []plan.Operation {
		ops := plan.Revise(r, w)
		return ops[:len(ops)-1]
	}
}

func randomDoc(rnd *rand.Rand) *config.Rollout {
	steps := make([]config.Step, 1+rnd.IntN(4))
	for i := range steps {
		if rnd.IntN(4) == 0 {
			steps[i] = match(1 + rnd.IntN(3))
			if rnd.IntN(2) == 0 {
				steps[i].Matches[0].Headers[0].Value = "ios"
			}
			continue
		}
		if rnd.IntN(3) == 0 {
			steps[i] = implied(rnd.IntN(101))
			continue
		}
		steps[i] = step(rnd.IntN(101), rnd.IntN(6))
		steps[i].Replicas.Percent = rnd.IntN(2) == 0
		if steps[i].Replicas.Percent {
			steps[i].Replicas.Value = 1 + rnd.IntN(100)
		}
	}
	return doc(steps...)
}

func TestSeedPlanInFull(t *testing.T) {
	_, ops := forward(t, documents["seed canary"])
	kinds := make([]string, len(ops))
	for i, op := range ops {
		kinds[i] = fmt.Sprintf("%s %d/%d", op.Kind, op.Replicas, op.Route.Weight)
	}
	require.Equal(t, []string{
		"hold-revision 0/0",
		"ensure-canary 1/0", "set-route 0/0", "set-route 0/10",
		"ensure-canary 2/0", "set-route 0/30",
		"ensure-canary 5/0", "set-route 0/100", "drain 0/0", "promote-stable 0/0",
		"set-route 0/0", "drain 0/0", "remove-route 0/0", "release-workload 0/0",
	}, kinds)
}

func TestCanaryNeverShrinksUnderItsRoute(t *testing.T) {
	r := documents["down and up"]
	m, w := newModel(r, 5), plan.NewWorld(5)
	w = drive(t, m, w, stepTo(r, 0))
	w = drive(t, m, w, stepTo(r, 1))
	require.Equal(t, 3, w.Canary)
	require.Equal(t, 10, m.route.Weight)
}
