package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// edited returns the seed's document with its steps changed.
func edited(change func(steps []config.Step) []config.Step) *config.Rollout {
	doc := seed()
	doc.Steps = change(doc.Steps)
	return &doc
}

func TestEditedPlanContinuesWithThePodsThatExist(t *testing.T) {
	b := newBench(t)
	doc := edited(func(steps []config.Step) []config.Step {
		steps[0].Weight = new(5)
		return steps
	})
	b.at(time.Minute, func() { require.Equal(t, 1, b.status().Step) })
	b.signal(2*time.Minute, workflows.VerbReplan, workflows.Message{Rollout: doc, By: "kubectl"})
	b.at(3*time.Minute, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseHolding, s.Phase)
		require.Equal(t, 5, s.Confirmed.Weight)
	})
	b.signal(4*time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.Equal(t, "kubectl", result.Decisions[0].By)
}

func TestEditedPlanJumpsToTheFirstStepThatIsLargeEnough(t *testing.T) {
	b := newBench(t)
	doc := edited(func(steps []config.Step) []config.Step {
		small := steps[0]
		small.Replicas = config.Amount{Value: 1}
		return []config.Step{small, small, steps[1], steps[1]}
	})
	b.signal(time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
	b.signal(2*time.Minute, workflows.VerbReplan, workflows.Message{Rollout: doc})
	b.at(3*time.Minute, func() {
		s := b.status()
		require.Equal(t, 3, s.Step, s.Message)
		require.Len(t, s.Steps, 5)
	})
	b.signal(4*time.Minute, workflows.VerbAbort, nil)
	_, err := b.run(seed())
	require.NoError(t, err)
}

func TestEditedPlanStaysAtAStepThatWasJumpedBackTo(t *testing.T) {
	b := newBench(t)
	doc := edited(func(steps []config.Step) []config.Step {
		steps[0].Weight = new(15)
		return steps
	})
	b.signal(time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
	b.signal(2*time.Minute, workflows.VerbJump, workflows.Message{Step: 1})
	b.signal(3*time.Minute, workflows.VerbReplan, workflows.Message{Rollout: doc})
	b.at(4*time.Minute, func() {
		s := b.status()
		require.Equal(t, 1, s.Step, s.Message)
		require.Equal(t, 15, s.Confirmed.Weight)
	})
	b.signal(5*time.Minute, workflows.VerbAbort, nil)
	_, err := b.run(seed())
	require.NoError(t, err)
}

// TestEditedHeadroomCountsAtOnce has the pods that it asks for at the present step.
func TestEditedHeadroomCountsAtOnce(t *testing.T) {
	b := newBench(t)
	doc := seed()
	doc.Steps[0].Weight, doc.Steps[0].Replicas.Implied = new(30), true
	more := doc
	more.Headroom = new(100)
	b.signal(time.Minute, workflows.VerbReplan, workflows.Message{Rollout: &more})
	var pods [2]int
	b.at(30*time.Second, func() { pods[0] = b.status().Canary.Total })
	b.at(2*time.Minute, func() { pods[1] = b.status().Canary.Total })
	b.signal(3*time.Minute, workflows.VerbAbort, nil)
	_, err := b.run(doc)
	require.NoError(t, err)
	require.Equal(t, [2]int{2, 3}, pods)
}

func TestEditedHoldCountsFromItsBeginning(t *testing.T) {
	b := newBench(t)
	timed := func(d time.Duration) *config.Rollout {
		return edited(func(steps []config.Step) []config.Step {
			steps[0].Hold = config.Hold{Mode: config.HoldTimed, Duration: config.Duration(d)}
			return steps
		})
	}
	b.signal(10*time.Minute, workflows.VerbReplan, workflows.Message{Rollout: timed(30 * time.Minute)})
	b.at(25*time.Minute, func() { require.Equal(t, 1, b.status().Step) })
	b.at(31*time.Minute, func() { require.Equal(t, 2, b.status().Step) })
	b.signal(40*time.Minute, workflows.VerbAbort, nil)
	_, err := b.run(*timed(2 * time.Hour))
	require.NoError(t, err)
}

func TestEditsThatAreRefused(t *testing.T) {
	b := newBench(t)
	other, route, empty, isolation, heavy, holdless := seed(), seed(), seed(), seedBySelector(), seed(), seed()
	heavy.Steps = []config.Step{{Weight: new(500), Hold: config.Hold{Mode: config.HoldNone}}}
	holdless.Steps = []config.Step{{Weight: new(5)}}
	other.Workload.Name = "another"
	route.Traffic.Ingress.Name = "another"
	empty.Steps = nil
	wants := []string{"workload cannot be changed", "route cannot be changed", "with its steps", "isolation cannot be changed", "not from 0 to 100", "a hold that is not known"}
	answers := make([]*answer, len(wants))
	for i, doc := range []config.Rollout{other, route, empty, isolation, heavy, holdless} {
		answers[i] = b.update(time.Duration(i+1)*time.Minute, workflows.VerbReplan, workflows.Message{Rollout: &doc})
	}
	b.signal(time.Hour, workflows.VerbAbort, nil)
	_, err := b.run(seed())
	require.NoError(t, err)
	for i, want := range wants {
		require.ErrorContains(t, answers[i].rejected, want)
	}
}
