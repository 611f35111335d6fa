package workflows_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// left is what a rollout leaves that was at its second step.
func left(change func(m *preflight.Remains)) preflight.Remains {
	m := preflight.Remains{
		Found: true, Held: true, Canary: true, Backed: true, Replicas: 2, Routed: true, Carries: true, Weight: 30,
		Observed: preflight.Observed{
			Ref:      release.Ref{ID: "lost", Namespace: "shop", Service: "demo", Ingress: "demo", Class: "nginx", Seq: 7},
			Replicas: 5, StableRevision: "v1", CanaryRevision: "v2", StableReplicaSet: "demo-1",
		},
	}
	if change != nil {
		change(&m)
	}
	return m
}

// promoting is left during the promotion.
func promoting(m *preflight.Remains) {
	m.Promoting, m.Replicas, m.Weight = true, 5, 100
}

// unrouted has no canary Ingress any more.
func unrouted(m *preflight.Remains) { m.Routed, m.Carries, m.Weight = false, false, 0 }

// repair executes a repair of what is left.
func (b *bench) repair(m preflight.Remains) (workflows.Result, error) {
	b.t.Helper()
	b.cluster.left = m
	return b.execute(workflows.Input{
		Cluster: "default", Rollout: bare(), Repair: true, By: "ann", Reason: "the history was lost",
	})
}

// bare is the document of a repair: names and graces.
func bare() config.Rollout {
	doc := seed()
	doc.Steps = nil
	return doc
}

const look = "look at shop/demo"

func TestRepair(t *testing.T) {
	cases := []struct {
		name    string
		left    preflight.Remains
		outcome workflows.Outcome
		ops     []string
	}{
		{"held only", left(func(m *preflight.Remains) { unrouted(m); m.Canary, m.Backed, m.Replicas = false, false, 0 }),
			workflows.RolledBack, []string{look, "restore settle=false", "release"}},
		{"canary without a route", left(unrouted),
			workflows.RolledBack, []string{look, "unroute", "restore settle=false", "release"}},
		{"route at weight 30", left(nil),
			workflows.RolledBack, []string{look, "route 0", "unroute", "restore settle=false", "release"}},
		{"match", left(func(m *preflight.Remains) { m.Weight = 0 }),
			workflows.RolledBack, []string{look, "route 0", "unroute", "restore settle=false", "release"}},
		{"without the record", left(func(m *preflight.Remains) { m.Held = false }),
			workflows.RolledBack, []string{look, "route 0", "unroute", "release"}},
		{"promoting returns under cover", left(promoting),
			workflows.RolledBack, []string{look, "restore settle=true", "route 0", "unroute", "release"}},
		{"promoting, with a canary that was made smaller", left(func(m *preflight.Remains) { promoting(m); m.Replicas = 2 }),
			workflows.RolledBack, []string{look, "canary v2 5", "restore settle=true", "route 0", "unroute", "release"}},
		{"promoting without a route goes on", left(func(m *preflight.Remains) { promoting(m); unrouted(m) }),
			workflows.Promoted, []string{look, "promote v2", "unroute", "release"}},
		{"promoted completes", left(func(m *preflight.Remains) { promoting(m); m.Promoted = true }),
			workflows.Promoted, []string{look, "promote v2", "route 0", "unroute", "release"}},
		{"returned", left(func(m *preflight.Remains) { promoting(m); m.Returning, m.Restored = true, true }),
			workflows.RolledBack, []string{look, "restore settle=true", "route 0", "unroute", "release"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.cluster.uncovered = c.left.Promoting && !c.left.Routed
			result, err := b.repair(c.left)
			require.NoError(t, err)
			require.Equal(t, c.outcome, result.Outcome)
			require.Equal(t, "repaired: the history was lost", result.Reason)
			require.Equal(t, "v2", result.Revision)
			require.Equal(t, "v1", result.Stable)
			require.Equal(t, c.ops, b.cluster.ops())
			require.Greater(t, b.cluster.lastSeq, int64(1000), "whatever the lost rollout may still have begun is older")
			require.Contains(t, timeline(b.status()), "found what rollout lost has left: "+c.left.String())
		})
	}
}

func timeline(s workflows.Status) string {
	text := ""
	for _, e := range s.Timeline {
		text += e.Text + "\n"
	}
	return text
}

func TestRepairLetsTheLastOperationsEndFirst(t *testing.T) {
	b := newBench(t)
	b.at(5*time.Second, func() { require.Empty(t, b.cluster.ops()) })
	_, err := b.repair(left(nil))
	require.NoError(t, err)
}

// drainOf repairs what is left and returns how long requests in flight may finish
// between the route at weight 0 and its removal.
func (b *bench) drainOf(m preflight.Remains) time.Duration {
	b.t.Helper()
	var zero, gone time.Time
	b.cluster.fail = func(op string) error {
		switch op {
		case "route 0":
			zero = b.Now()
		case "unroute":
			gone = b.Now()
		}
		return nil
	}
	_, err := b.repair(m)
	require.NoError(b.t, err)
	return gone.Sub(zero)
}

func TestRepairDrainsBeforeTheCanaryGoes(t *testing.T) {
	b := newBench(t)
	require.GreaterOrEqual(t, b.drainOf(left(nil)), 3*time.Second)
}

// TestRepairHonoursTheRecordedGrace knows no document, but the rollout has noted on the
// workload how long its requests may take. A shorter time is never taken for it.
func TestRepairHonoursTheRecordedGrace(t *testing.T) {
	for name, c := range map[string]struct{ recorded, want time.Duration }{
		"longer than the default":  {50 * time.Second, 50 * time.Second},
		"shorter than the default": {0, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			drain := b.drainOf(left(func(m *preflight.Remains) { m.Observed.Ref.Grace = new(config.Duration(c.recorded)) }))
			require.GreaterOrEqual(t, drain, c.want)
			require.Less(t, drain, c.want+10*time.Second)
		})
	}
}

func TestRepairFindsNothing(t *testing.T) {
	b := newBench(t)
	_, err := b.repair(preflight.Remains{})
	requireRefused(t, err, "nothing to repair")
	require.Equal(t, []string{look}, b.cluster.ops())
	require.Equal(t, workflows.PhaseRefused, b.status().Phase)
}

func TestRepairIsRefused(t *testing.T) {
	b := newBench(t)
	b.cluster.fail = func(string) error {
		return temporal.NewNonRetryableApplicationError("several rollouts have left something", workflows.ErrorRefused, nil)
	}
	_, err := b.repair(left(nil))
	requireRefused(t, err, "several rollouts have left something")
	require.Empty(t, b.cluster.ops())
}

func requireRefused(t *testing.T, err error, text string) {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, workflows.ErrorRefused, app.Type())
	require.Contains(t, app.Message(), text)
}

func TestRepairTellsWhatItCouldNotRead(t *testing.T) {
	b := newBench(t)
	_, err := b.repair(left(func(m *preflight.Remains) { m.Observed.Warnings = []string{"Ingress shop/demo-canary: no weight"} }))
	require.NoError(t, err)
	s := b.status()
	require.Equal(t, []string{"Ingress shop/demo-canary: no weight"}, s.Warnings)
	require.Contains(t, timeline(s), "warning: Ingress shop/demo-canary: no weight")
}

func TestRepairSaysWhatIsNotCovered(t *testing.T) {
	b := newBench(t)
	b.cluster.uncovered = true
	_, err := b.repair(left(func(m *preflight.Remains) { promoting(m); unrouted(m) }))
	require.NoError(t, err)
	require.Contains(t, timeline(b.status()), "no route to cover it: requests may be lost")
}

func TestRepairNeverGivesUp(t *testing.T) {
	b := newBench(t)
	tries := 0
	b.cluster.fail = func(op string) error {
		if tries++; op != look && tries%3 != 0 {
			return temporal.NewNonRetryableApplicationError("forbidden", "Forbidden", nil)
		}
		return nil
	}
	_, err := b.repair(left(nil))
	require.NoError(t, err)
	require.Equal(t, []string{look, "route 0", "unroute", "restore settle=false", "release"}, b.cluster.ops())
}

func TestRepairTakesNoMessages(t *testing.T) {
	b := newBench(t)
	var refused []*answer
	for _, verb := range workflows.Verbs {
		refused = append(refused, b.update(time.Second, verb, workflows.Message{Step: 1}))
	}
	b.signal(2*time.Second, workflows.VerbAbort, nil)
	_, err := b.repair(left(nil))
	require.NoError(t, err)
	for i, a := range refused {
		require.True(t, a.done)
		require.Error(t, a.rejected, "%s", workflows.Verbs[i])
	}
	require.Equal(t, []string{look, "route 0", "unroute", "restore settle=false", "release"}, b.cluster.ops())
}

func TestRepairCancelledWhileItWaits(t *testing.T) {
	b := newBench(t)
	b.at(time.Second, b.CancelWorkflow)
	_, err := b.repair(left(nil))
	require.Error(t, err)
	require.Empty(t, b.cluster.ops(), "nothing was touched")
}

func TestRepairCancelledOnceItHasBegun(t *testing.T) {
	b := newBench(t)
	b.cluster.fail = func(op string) error {
		if op == "route 0" && len(b.cluster.log) == 1 {
			b.cluster.log = append(b.cluster.log, "cancelled")
			b.at(0, b.CancelWorkflow)
			return errors.New("the API server is away")
		}
		return nil
	}
	_, err := b.repair(left(nil))
	require.NoError(t, err, "what has begun is brought to its end")
	require.Equal(t, []string{look, "cancelled", "route 0", "unroute", "restore settle=false", "release"}, b.cluster.ops())
}

func TestRepairKeepsTheMetadataOfTheCanary(t *testing.T) {
	b := newBench(t)
	more := config.Metadata{Labels: map[string]string{"tier": "canary"}}
	_, err := b.repair(left(func(m *preflight.Remains) { promoting(m); m.Replicas, m.Metadata = 2, more }))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(more), fmt.Sprint(b.cluster.metadata))
}
