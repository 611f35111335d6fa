package plan_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// words of operations, with the side of a narrowing.
func words(ops []plan.Operation) []string {
	out := make([]string, len(ops))
	for i, op := range ops {
		out[i] = inWords(op)
		if op.Side != "" {
			out[i] += " " + string(op.Side)
		}
	}
	return out
}

func TestSelectorPlanInFull(t *testing.T) {
	_, ops := forward(t, documents["seed canary, by selector"])
	require.Equal(t, []string{
		"hold-revision", "narrow-service stable",
		"ensure-canary 1", "set-route 0", "set-route 10",
		"ensure-canary 2", "set-route 30",
		"ensure-canary 5", "set-route 100", "drain", "widen-service", "promote-stable",
		"narrow-service new", "set-route 0", "drain", "remove-route", "remove-canary", "widen-service", "release-workload",
	}, words(ops))
	require.True(t, ops[1].Keep)
	require.Equal(t, 5, ops[12].NeedStable)
}

func TestSelectorWaysBack(t *testing.T) {
	r := documents["seed canary, by selector"]
	worlds, ops := forward(t, r)
	cases := []struct {
		name string
		// at is the operation in whose middle the rollout is aborted.
		at   int
		want []string
	}{
		{"while it is narrowed", 1, []string{"widen-service", "restore-template", "release-workload"}},
		{"at the first step", 5, []string{
			"set-route 0", "drain", "remove-route", "remove-canary", "widen-service", "restore-template", "release-workload",
		}},
		{"while it is widened", 10, []string{
			"narrow-service stable", "set-route 0", "drain", "remove-route", "remove-canary", "widen-service", "restore-template", "release-workload",
		}},
		{"during the promotion", 11, []string{
			"restore-template", "narrow-service stable", "set-route 0", "drain", "remove-route", "remove-canary", "widen-service", "release-workload",
		}},
		{"while it is narrowed to the new pods", 12, []string{
			"widen-service", "restore-template", "narrow-service stable", "set-route 0", "drain", "remove-route", "remove-canary", "widen-service", "release-workload",
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, words(plan.Abort(r, worlds[c.at].Begin(ops[c.at]))))
		})
	}
}

func TestRevisionIsReplacedBehindANarrowService(t *testing.T) {
	r := documents["seed canary, by selector"]
	m, w := newModel(r, 5), plan.NewWorld(5)
	w = drive(t, m, w, stepTo(r, 1))
	require.Equal(t, []string{"set-route 0", "drain", "hold-revision"}, words(plan.Revise(r, w)))
	w = drive(t, m, w, empty(r))
	w.ConfirmRefill = true
	m.next++
	w = drive(t, m, w.Begin(plan.Operation{Kind: plan.HoldRevision}), stepTo(r, 0))
	require.Equal(t, release.SideStable, w.Narrowed)
	require.Zero(t, m.selects)
}

// TestServiceOfALostRollout names what a repair does to the Service.
func TestServiceOfALostRollout(t *testing.T) {
	left := preflight.Remains{
		Found: true, Held: true, Canary: true, Backed: true, Replicas: 5, Routed: true, Carries: true, Weight: 100, Narrowed: true,
	}
	left.Observed.Replicas, left.Observed.Ref.Ingress = 5, "demo"
	cases := []struct {
		name   string
		change func(m *preflight.Remains)
		want   []string
	}{
		{"at a step", func(m *preflight.Remains) { m.Selects = release.SideStable }, []string{
			"narrow-service stable", "set-route 0", "drain", "remove-route", "remove-canary", "widen-service", "restore-template", "release-workload",
		}},
		{"narrowed only", func(m *preflight.Remains) {
			m.Selects, m.Canary, m.Backed, m.Replicas, m.Routed, m.Carries, m.Weight = release.SideStable, false, false, 0, false, false, 0
		}, []string{"widen-service", "restore-template", "release-workload"}},
		{"promoted and narrowed", func(m *preflight.Remains) { m.Promoting, m.Promoted, m.Selects = true, true, release.SideNew }, []string{
			"promote-stable", "set-route 0", "drain", "remove-route", "remove-canary", "widen-service", "release-workload",
		}},
		{"released by somebody else behind a narrow Service", func(m *preflight.Remains) {
			m.Promoting, m.Promoted, m.Selects = true, true, release.SideStable
		}, []string{
			"widen-service", "promote-stable", "narrow-service new", "set-route 0", "drain", "remove-route", "remove-canary", "widen-service", "release-workload",
		}},
		{"without the record", func(m *preflight.Remains) { m.Held = false }, []string{
			"set-route 0", "drain", "remove-route", "remove-canary", "widen-service", "release-workload",
		}},
	}
	r := &config.Rollout{Isolation: config.IsolateBySelector}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := left
			c.change(&m)
			require.Equal(t, c.want, words(plan.Repair(r, plan.WorldOf(m), plan.Completes(m))))
		})
	}
}
