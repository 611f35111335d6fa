package plan_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// remains is what the cluster itself says, without anybody's memory.
func (m *model) remains() preflight.Remains {
	r := preflight.Remains{
		Held: m.annotated, Promoting: m.promoting,
		Promoted:  m.promoting && m.template != 0 && m.running == m.template,
		Returning: m.promoting && m.template == 0,
		Restored:  m.promoting && m.template == 0 && m.running == 0,
		Canary:    m.backed || m.canaryAsked > 0, Backed: m.backed, Replicas: m.canaryAsked,
		Routed: m.exists, Carries: m.exists && carriesTraffic(m.route), Weight: m.route.Weight,
	}
	m.remember(&r)
	r.Found = r.Held || r.Canary || r.Routed || r.Narrowed
	r.Observed.Replicas = m.n
	r.Observed.Ref.Ingress = "demo"
	return r
}

// repair starts from what the cluster says and executes operations until nothing
// is left, or until it is lost itself after some of them.
func repair(t *testing.T, m *model, r *config.Rollout, limit int) (completes bool) {
	t.Helper()
	found := m.remains()
	completes = plan.Completes(found)
	w := plan.WorldOf(found)
	known := *r
	known.Isolation = found.Observed.Ref.Isolation.Mode
	r = &known
	for range limit {
		ops := plan.Repair(r, w, completes)
		if len(ops) == 0 {
			return completes
		}
		w = w.Begin(ops[0])
		require.NoError(t, m.do(ops[0]), "operation %+v in world %+v, found %s", ops[0], w, found)
		w = w.Done(ops[0])
	}
	return completes
}

// maxOperations is more than any repair needs.
const maxOperations = 25

// losses are the ways in which a workflow can be lost around an operation.
var losses = map[string]func(m *model, op plan.Operation) error{
	"before":  func(*model, plan.Operation) error { return nil },
	"written": func(m *model, op plan.Operation) error { return m.write(op) },
	// The cluster goes on by itself.
	"written, consequences there": func(m *model, op plan.Operation) error {
		err := m.write(op)
		m.canary, m.running = m.canaryAsked, m.settled()
		return err
	},
	"after": func(m *model, op plan.Operation) error { return m.do(op) },
	// Whoever deletes the route takes away the cover too.
	"after, route deleted by hand": func(m *model, op plan.Operation) error {
		err := m.do(op)
		m.exists, m.route = false, traffic.Route{}
		return err
	},
}

// requireRepaired repairs copies of what is there: at once, and after the repair
// itself was lost after each of its operations.
func requireRepaired(t *testing.T, m *model, r *config.Rollout) {
	t.Helper()
	for lost := range maxOperations {
		c := *m
		repair(t, &c, r, lost)
		if c.remains().Found {
			completes := repair(t, &c, r, maxOperations)
			require.Equal(t, completes, c.running != 0)
		}
		require.NoError(t, c.clean(), "repair lost after %d operations", lost)
	}
}

// paths are sequences of operations that a rollout can go through.
func paths(t *testing.T, r *config.Rollout) map[string][]plan.Operation {
	t.Helper()
	worlds, ops := forward(t, r)
	all := map[string][]plan.Operation{"forward": ops}
	for i, w := range worlds {
		if !plan.CanAbort(w) {
			continue
		}
		path := append([]plan.Operation(nil), ops[:i]...)
		for back := plan.Abort(r, w); len(back) > 0; back = plan.Abort(r, w) {
			path = append(path, back[0])
			w = w.Begin(back[0]).Done(back[0])
		}
		all[fmt.Sprintf("aborted before %d", i)] = path
	}
	w := plan.NewWorld(5)
	var path []plan.Operation
	take := func(ops []plan.Operation) {
		for _, op := range ops {
			w = w.Begin(op).Done(op)
		}
		path = append(path, ops...)
	}
	take(plan.Step(r, w, 0))
	take(plan.Revise(r, w))
	w.ConfirmRefill = true
	// Step plans from what is; what the refill means is known when it begins.
	for ops := plan.Step(r, w, 0); len(ops) > 0; ops = plan.Step(r, w, 0) {
		take(ops[:1])
	}
	take(plan.Finish(r, w))
	all["revised"] = path
	return all
}

// TestRepairFromEveryPointOfLoss loses the workflow around every operation of
// every path, and ends what is left from what the cluster says alone.
func TestRepairFromEveryPointOfLoss(t *testing.T) {
	for name, r := range documents {
		for path, ops := range paths(t, r) {
			for loss, lose := range losses {
				t.Run(fmt.Sprintf("%s/%s/%s", name, path, loss), func(t *testing.T) {
					for i, op := range ops {
						m := newModel(r, 5)
						for _, before := range ops[:i] {
							require.NoError(t, m.do(before))
							if before.Kind == plan.HoldRevision {
								m.next++
							}
						}
						require.NoError(t, lose(m, op))
						if m.remains().Found {
							t.Logf("%d: %s: %s", i, op.Kind, m.remains())
							requireRepaired(t, m, r)
						}
					}
				})
			}
		}
	}
}

// TestRepairReturnsUnlessTheNewRevisionIsThereToStay names the direction of each
// case that is not obvious.
func TestRepairReturnsUnlessTheNewRevisionIsThereToStay(t *testing.T) {
	held := preflight.Remains{Found: true, Held: true, Canary: true, Backed: true, Replicas: 5, Routed: true, Carries: true, Weight: 100}
	with := func(change func(m *preflight.Remains)) preflight.Remains {
		m := held
		m.Observed.Replicas, m.Observed.Ref.Ingress = 5, "demo"
		change(&m)
		return m
	}
	cases := []struct {
		name string
		m    preflight.Remains
		want []string
	}{
		{"held only", with(func(m *preflight.Remains) {
			m.Canary, m.Backed, m.Replicas, m.Routed, m.Carries, m.Weight = false, false, 0, false, false, 0
		}),
			[]string{"restore-template", "release-workload"}},
		{"canary without a route", with(func(m *preflight.Remains) { m.Routed, m.Carries, m.Weight = false, false, 0 }),
			[]string{"remove-route", "drain", "restore-template", "release-workload"}},
		{"route that carries", with(func(*preflight.Remains) {}),
			[]string{"set-route 0", "drain", "remove-route", "restore-template", "release-workload"}},
		{"match", with(func(m *preflight.Remains) { m.Weight = 0 }),
			[]string{"set-route 0", "drain", "remove-route", "restore-template", "release-workload"}},
		{"route to no Service", with(func(m *preflight.Remains) { m.Backed = false }),
			[]string{"remove-route", "drain", "restore-template", "release-workload"}},
		{"without the record", with(func(m *preflight.Remains) { m.Held = false }),
			[]string{"set-route 0", "drain", "remove-route", "release-workload"}},
		{"without record and Ingress", with(func(m *preflight.Remains) {
			m.Held, m.Routed, m.Carries, m.Weight, m.Observed.Ref.Ingress = false, false, false, 0, ""
		}), []string{"drain", "release-workload"}},
		{"promoting, covered", with(func(m *preflight.Remains) { m.Promoting = true }),
			[]string{"drain", "restore-template", "set-route 0", "drain", "remove-route", "release-workload"}},
		{"promoting, canary made smaller", with(func(m *preflight.Remains) { m.Promoting, m.Replicas = true, 2 }),
			[]string{"ensure-canary 5", "drain", "restore-template", "set-route 0", "drain", "remove-route", "release-workload"}},
		{"promoting, weight made smaller", with(func(m *preflight.Remains) { m.Promoting, m.Weight = true, 50 }),
			[]string{"set-route 100", "drain", "restore-template", "set-route 0", "drain", "remove-route", "release-workload"}},
		{"promoting, no route", with(func(m *preflight.Remains) { m.Promoting, m.Routed, m.Carries, m.Weight = true, false, false, 0 }),
			[]string{"promote-stable", "remove-route", "drain", "release-workload"}},
		{"promoting, no canary", with(func(m *preflight.Remains) { m.Promoting, m.Replicas = true, 0 }),
			[]string{"set-route 0", "drain", "promote-stable", "remove-route", "release-workload"}},
		{"promoting, nothing else left", with(func(m *preflight.Remains) {
			m.Promoting, m.Canary, m.Backed, m.Replicas, m.Routed, m.Carries, m.Weight = true, false, false, 0, false, false, 0
		}), []string{"promote-stable", "release-workload"}},
		{"promoted", with(func(m *preflight.Remains) { m.Promoting, m.Promoted = true, true }),
			[]string{"promote-stable", "set-route 0", "drain", "remove-route", "release-workload"}},
		{"returning, covered", with(func(m *preflight.Remains) { m.Promoting, m.Returning = true, true }),
			[]string{"drain", "restore-template", "set-route 0", "drain", "remove-route", "release-workload"}},
		{"returning, no route", with(func(m *preflight.Remains) {
			m.Promoting, m.Returning, m.Routed, m.Carries, m.Weight = true, true, false, false, 0
		}), []string{"restore-template", "remove-route", "drain", "release-workload"}},
		{"returned", with(func(m *preflight.Remains) { m.Promoting, m.Returning, m.Restored = true, true, true }),
			[]string{"restore-template", "set-route 0", "drain", "remove-route", "release-workload"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := plan.WorldOf(c.m)
			var did []string
			for ops := plan.Repair(documents["seed canary"], w, plan.Completes(c.m)); len(ops) > 0; ops = plan.Repair(documents["seed canary"], w, plan.Completes(c.m)) {
				did = append(did, inWords(ops[0]))
				w = w.Begin(ops[0]).Done(ops[0])
				require.Less(t, len(did), maxOperations)
			}
			require.Equal(t, c.want, did)
		})
	}
}

// TestNoPodIsWaitedForWhereTheWorkloadIsGone shows that a route is taken away
// although nothing can take its requests over.
func TestNoPodIsWaitedForWhereTheWorkloadIsGone(t *testing.T) {
	w := plan.WorldOf(preflight.Remains{Found: true, Canary: true, Backed: true, Replicas: 2, Routed: true, Carries: true, Weight: 30})
	op := plan.Abort(documents["seed canary"], w)[0]
	require.Equal(t, plan.Operation{Kind: plan.SetRoute}, op)
}

func inWords(op plan.Operation) string {
	switch op.Kind {
	case plan.SetRoute:
		return fmt.Sprintf("%s %d", op.Kind, op.Route.Weight)
	case plan.EnsureCanary:
		return fmt.Sprintf("%s %d", op.Kind, op.Replicas)
	default:
		return string(op.Kind)
	}
}

// TestRepairOfWhateverIsLeftEnds goes through all remains that can be thought of,
// also those that only people can make: none leads around in circles.
func TestRepairOfWhateverIsLeftEnds(t *testing.T) {
	for bits := range 1 << 8 {
		is := func(bit int) bool { return bits&(1<<bit) != 0 }
		m := preflight.Remains{
			Found: true, Held: is(0), Promoting: is(0) && is(1), Canary: is(2) || is(3), Backed: is(3),
			Routed: is(4), Carries: is(4) && is(5),
		}
		m.Returning = m.Promoting && is(6)
		m.Promoted, m.Restored = m.Promoting && !m.Returning && is(7), m.Returning && is(7)
		if is(2) {
			m.Replicas = 3
		}
		if m.Carries {
			m.Weight = 30
		}
		m.Observed.Replicas, m.Observed.Ref.Ingress = 5, "demo"
		w, completes := plan.WorldOf(m), plan.Completes(m)
		count := 0
		var last plan.Operation
		for ops := plan.Repair(documents["seed canary"], w, completes); len(ops) > 0; ops = plan.Repair(documents["seed canary"], w, completes) {
			last = ops[0]
			w = w.Begin(last).Done(last)
			count++
			require.Less(t, count, maxOperations, "%+v", m)
		}
		require.Equal(t, plan.ReleaseWorkload, last.Kind, "%+v", m)
	}
}
