package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// seedBySelector is the seed's document in selector mode.
func seedBySelector() config.Rollout {
	doc := seed()
	doc.Isolation = config.IsolateBySelector
	return doc
}

func TestSelectorPromotion(t *testing.T) {
	b := newBench(t)
	b.at(time.Minute, func() {
		s := b.status()
		require.Equal(t, "stable", s.Selects)
		require.Equal(t, config.IsolateBySelector, s.Isolation)
	})
	b.signal(2*time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
	_, err := b.run(seedBySelector())
	require.NoError(t, err)
	require.Equal(t, []string{
		"inspect", "hold v2", "narrow stable", "canary v2 1", "route 0", "route 10",
		"canary v2 5", "route 100", "widen", "promote v2", "narrow new", "route 0", "unroute", "remove canary", "widen", "release",
	}, b.cluster.ops())
	s := b.status()
	require.Equal(t, "all", s.Selects)
	require.Contains(t, timeline(s), "narrow Service demo to the new pods")
}

func TestSelectorAbort(t *testing.T) {
	b := newBench(t)
	b.cluster.kept = []string{"spec.selector: somebody set it"}
	b.signal(time.Minute, workflows.VerbAbort, nil)
	result, err := b.run(seedBySelector())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Equal(t, []string{"route 0", "unroute", "remove canary", "widen", "restore settle=false", "release"}, b.cluster.ops()[6:])
	require.Contains(t, timeline(b.status()), "kept on Service demo: spec.selector: somebody set it")
}

// TestSelectorWidenedByOthers: a Service that somebody has widened when the route was
// gone is narrowed again, and requests in flight finish, before the canary pods go;
// the second time within a while a person is asked.
func TestSelectorWidenedByOthers(t *testing.T) {
	forward := workflows.Message{Full: true}
	for name, test := range map[string]struct {
		times int
		verb  workflows.Verb
		m     any
		last  []string
	}{
		"once":                 {1, workflows.VerbPromote, forward, []string{"unroute", "narrow new", "remove canary", "widen", "release"}},
		"twice":                {2, workflows.VerbPromote, forward, []string{"unroute", "narrow new", "narrow new", "remove canary", "widen", "release"}},
		"once on the way back": {1, workflows.VerbAbort, nil, []string{"unroute", "narrow stable", "remove canary", "widen", "restore settle=false", "release"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			left := test.times
			b.cluster.fail = func(op string) error {
				if op != "remove canary" || left == 0 {
					return nil
				}
				left--
				return kube.Terminal(kube.ErrDrift, "the Service selects canary pods")
			}
			b.signal(time.Minute, test.verb, test.m)
			if test.times > 1 {
				b.at(5*time.Minute, func() { require.Equal(t, workflows.PhasePaused, b.status().Phase) })
				b.signal(10*time.Minute, workflows.VerbResume, nil)
			}
			_, err := b.run(seedBySelector())
			require.NoError(t, err)
			ops := b.cluster.ops()
			require.Equal(t, test.last, ops[slices.Index(ops, "unroute"):])
			require.Contains(t, timeline(b.status()), "its selector finds canary pods again")
		})
	}
}

func TestSelectorAbortWhileNarrowing(t *testing.T) {
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "narrow stable" }
	b.signal(time.Minute, workflows.VerbAbort, nil)
	_, err := b.run(seedBySelector())
	require.NoError(t, err)
	require.Equal(t, []string{"inspect", "hold v2", "widen", "restore settle=false", "release"}, b.cluster.ops())
}

func TestSelectorRepairLearnsTheModeFromTheCluster(t *testing.T) {
	b := newBench(t)
	left := preflight.Remains{
		Found: true, Held: true, Canary: true, Backed: true, Replicas: 1, Routed: true, Carries: true, Weight: 10,
		Narrowed: true, Selects: release.SideStable,
	}
	left.Observed.Replicas = 5
	left.Observed.Ref = release.Ref{ID: "lost", Service: "demo", Ingress: "demo", Isolation: release.Isolation{Mode: config.IsolateBySelector}}
	b.cluster.left = left
	_, err := b.execute(workflows.Input{Cluster: "default", Rollout: seed(), Repair: true})
	require.NoError(t, err)
	require.Equal(t, []string{
		"look at shop/demo", "narrow stable", "route 0", "unroute", "remove canary", "widen", "restore settle=false", "release",
	}, b.cluster.ops())
}

// TestSelectorResumedByOthers: pods that replace the stable ones are not selected,
// so that the stable template comes back before anything else.
func TestSelectorResumedByOthers(t *testing.T) {
	b := newBench(t)
	b.change(time.Minute, workload.Changed{Replicas: 5, Revision: "v2", Paused: false, By: "kubectl-rollout"})
	result, err := b.run(seedBySelector())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Contains(t, result.Reason, "its Service selects stable pods only")
	require.Equal(t, []string{"restore settle=true", "route 0", "unroute", "remove canary", "widen", "release"}, b.cluster.ops()[6:])
}
