package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// TestARouteThatComesLateIsRemoved: the API server creates the canary Ingress after
// the route was removed. It is removed in the order that loses nothing, and the end
// is the same.
func TestARouteThatComesLateIsRemoved(t *testing.T) {
	again := []string{"route 0", "unroute", "release"}
	for name, c := range map[string]struct {
		rollout config.Rollout
		at      string
		verb    workflows.Verb
		m       any
		outcome workflows.Outcome
		last    []string
	}{
		"on the way back":    {seed(), "release", workflows.VerbAbort, nil, workflows.RolledBack, append([]string{"unroute", "restore settle=false"}, again...)},
		"on the way forward": {seed(), "release", workflows.VerbPromote, workflows.Message{Full: true}, workflows.Promoted, append([]string{"route 0", "unroute"}, again...)},
		"isolated by selector": {seedBySelector(), "remove canary", workflows.VerbAbort, nil, workflows.RolledBack, []string{
			"unroute", "route 0", "unroute", "remove canary", "widen", "restore settle=false", "release",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			left := 1
			b.cluster.fail = func(op string) error {
				if op != c.at || left == 0 {
					return nil
				}
				left--
				return kube.Terminal(kube.ErrRouted, "the canary Ingress is there again")
			}
			b.signal(time.Minute, c.verb, c.m)
			result, err := b.run(c.rollout)
			require.NoError(t, err)
			require.Equal(t, c.outcome, result.Outcome)
			require.Equal(t, c.last, b.ending(len(c.last)))
			require.Equal(t, phaseOf(c.outcome), b.status().Phase)
		})
	}
}

// TestARouteThatSomebodyMakesForEver: each try of the compensation waits longer.
func TestARouteThatSomebodyMakesForEver(t *testing.T) {
	b := newBench(t)
	var tries []time.Time
	b.cluster.fail = func(op string) error {
		if op != "release" || len(tries) == 6 {
			return nil
		}
		tries = append(tries, b.Now())
		return kube.Terminal(kube.ErrRouted, "the canary Ingress is there again")
	}
	b.signal(time.Minute, workflows.VerbAbort, nil)
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Len(t, tries, 6)
	between := tries[5].Sub(tries[4])
	require.GreaterOrEqual(t, between, 4*time.Second)
	require.Less(t, tries[3].Sub(tries[2]), between)
}

// phaseOf is the last phase of a rollout.
func phaseOf(o workflows.Outcome) workflows.Phase {
	if o == workflows.Promoted {
		return workflows.PhasePromoted
	}
	return workflows.PhaseRolledBack
}
