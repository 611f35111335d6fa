package workflows_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/workflows"
)

// ending are the last operations of a rollout.
func (b *bench) ending(n int) []string {
	ops := b.cluster.ops()
	return ops[max(0, len(ops)-n):]
}

func revision(image string) workflows.Message {
	return workflows.Message{Change: &workload.Change{Images: map[string]string{"main": image}}}
}

// failOnce lets an operation fail for good the first time.
func (b *bench) failOnce(failing string) {
	failed := false
	b.cluster.fail = func(op string) error {
		if op != failing || failed {
			return nil
		}
		failed = true
		return temporal.NewNonRetryableApplicationError("the quota is used up", "Forbidden", nil)
	}
}

// undone is how a rollout returns to stable from any step.
var undone = []string{"route 0", "unroute", "restore settle=false", "release"}

// TestWhatLeadsOutOfAFailedStep: step 2 is stuck with the canary of step 1.
func TestWhatLeadsOutOfAFailedStep(t *testing.T) {
	cases := map[string]struct {
		do func(b *bench)
		// want is what is done next, and step at which it holds; 0 where it ends.
		want []string
		step int
	}{
		"abort": {
			do:   func(b *bench) { b.SignalWorkflow("abort", nil) },
			want: undone,
		},
		"cancel": {
			do:   (*bench).CancelWorkflow,
			want: undone,
		},
		"jump": {
			do:   func(b *bench) { b.SignalWorkflow("jump", workflows.Message{Step: 1}) },
			want: []string{"canary v2 2"}, // how many pods there are is not known: no fewer than there may be
			step: 1,
		},
		"revise": {
			do:   func(b *bench) { b.SignalWorkflow("revise", revision("v3")) },
			want: []string{"route 0", "hold v3", "canary v3 1", "route 0", "route 10"},
			step: 1,
		},
		"retry": {
			do:   func(b *bench) { b.SignalWorkflow("retry", nil) },
			want: []string{"canary v2 2", "route 30"},
			step: 2,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.failOnce("canary v2 2")
			b.signal(time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
			before := 0
			b.at(2*time.Minute, func() {
				require.Equal(t, workflows.PhaseStuck, b.status().Phase)
				require.Equal(t, "the quota is used up", b.status().Failure)
				before = len(b.cluster.ops())
				c.do(b)
			})
			b.at(3*time.Minute, func() {
				require.Equal(t, c.want, append([]string(nil), b.cluster.ops()[before:]...))
				if c.step > 0 {
					require.Equal(t, workflows.PhaseHolding, b.status().Phase)
					require.Equal(t, c.step, b.status().Step)
					require.Empty(t, b.status().Failure)
				}
				b.SignalWorkflow("abort", nil)
			})
			_, err := b.run(seed())
			require.Equal(t, name == "cancel", err != nil, "%v", err)
			require.Equal(t, workflows.RolledBack, b.status().Result.Outcome)
		})
	}
}

// TestCancellationWhereverTheRolloutIs ends as cancelled, with everything undone.
func TestCancellationWhereverTheRolloutIs(t *testing.T) {
	cases := map[string]struct {
		before func(b *bench)
		in     workflows.Phase
		want   []string
		ends   workflows.Phase
	}{
		"checking": {
			before: func(b *bench) { b.cluster.block = func(op string) bool { return op == "inspect" } },
			in:     workflows.PhaseChecking, ends: workflows.PhaseRefused,
		},
		"paused": {
			before: func(b *bench) {
				b.cluster.block = func(op string) bool { return op == "canary v2 2" && b.cluster.blocked == nil }
				b.signal(time.Second, workflows.VerbPromote, workflows.Message{Step: 1})
				b.signal(2*time.Second, workflows.VerbPause, nil)
				b.at(3*time.Second, func() {
					require.NoError(b.t, b.CompleteActivity(b.cluster.blocked, workload.Pods{Total: 2, Ready: 2}, nil))
				})
			},
			in: workflows.PhasePaused, want: undone, ends: workflows.PhaseRolledBack,
		},
		"stuck": {
			before: func(b *bench) { b.failOnce("route 10") },
			in:     workflows.PhaseStuck, want: undone, ends: workflows.PhaseRolledBack,
		},
		"holding": {
			before: func(*bench) {},
			in:     workflows.PhaseHolding, want: undone, ends: workflows.PhaseRolledBack,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c.before(b)
			b.at(time.Minute, func() {
				require.Equal(t, c.in, b.status().Phase)
				b.CancelWorkflow()
			})
			_, err := b.run(seed())
			var cancelled *temporal.CanceledError
			require.ErrorAs(t, err, &cancelled)
			require.Equal(t, c.want, append([]string(nil), b.ending(4)...))
			require.Equal(t, c.ends, b.status().Phase)
		})
	}
}

func TestCancellationAfterThePointOfNoReturnCompletes(t *testing.T) {
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "unroute" && b.cluster.blocked == nil }
	b.signal(time.Second, workflows.VerbPromote, workflows.Message{Full: true})
	b.at(time.Minute, b.CancelWorkflow)
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.Equal(t, []string{"promote v2", "route 0", "unroute", "release"}, b.ending(4))
	require.True(t, told(b.status(), "too late to return: the new revision is stable; completing"))
}

// TestAPauseExtendsTheDeadline: the operation after a pause of half an hour has
// the time that was left of the step's ten minutes.
func TestAPauseExtendsTheDeadline(t *testing.T) {
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "canary v2 2" && b.cluster.blocked == nil }
	var budgets []time.Duration
	b.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if info.ActivityType.Name == "SetRoute" {
			budgets = append(budgets, info.ScheduleToCloseTimeout)
		}
	})
	b.signal(time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
	b.signal(2*time.Minute, workflows.VerbPause, nil)
	b.at(3*time.Minute, func() {
		require.NoError(t, b.CompleteActivity(b.cluster.blocked, workload.Pods{Total: 2, Ready: 2}, nil))
	})
	b.signal(33*time.Minute, workflows.VerbResume, nil)
	b.at(34*time.Minute, func() { require.Equal(t, 2, b.status().Step) })
	b.signal(35*time.Minute, workflows.VerbAbort, nil)
	_, err := b.run(seed())
	require.NoError(t, err)
	require.Greater(t, len(budgets), 3)
	require.Equal(t, time.Minute, budgets[2], "what a route is given is bounded by confirmTimeout: %v", budgets)
}

// TestRetryEndsThePauseOfACompensation: by the eighth try it lasts a minute.
func TestRetryEndsThePauseOfACompensation(t *testing.T) {
	b := newBench(t)
	var away = true
	b.cluster.fail = func(op string) error {
		if op == "unroute" && away {
			return temporal.NewNonRetryableApplicationError("the API server is away", "Unavailable", nil)
		}
		return nil
	}
	early := b.update(time.Minute, workflows.VerbRetry, workflows.Message{})
	b.signal(2*time.Minute, workflows.VerbAbort, nil)
	var asked, began time.Time
	b.at(10*time.Minute, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseRollingBack, s.Phase)
		require.Equal(t, "the API server is away; trying again in 1m0s, or at once on retry", s.Message)
		away, asked = false, b.Now()
	})
	retry := b.update(10*time.Minute, workflows.VerbRetry, workflows.Message{By: "ann"})
	other := b.update(10*time.Minute, workflows.VerbJump, workflows.Message{Step: 1})
	b.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if !asked.IsZero() && began.IsZero() {
			began = b.Now()
		}
	})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.ErrorContains(t, early.rejected, "nothing has failed")
	require.NoError(t, retry.rejected)
	require.Equal(t, "trying again at once", retry.text)
	require.ErrorContains(t, other.rejected, "too late")
	require.Less(t, began.Sub(asked), time.Second)
}

// TestACompensationGoesOnSoonAfterAnOutage: the API server is away until the pause
// between two tries would have grown to ten seconds and more. The test environment
// gives up at the tenth try, a server never.
func TestACompensationGoesOnSoonAfterAnOutage(t *testing.T) {
	b := newBench(t)
	away := true
	b.cluster.fail = func(op string) error {
		if op == "unroute" && away {
			return temporal.NewApplicationError("the API server is away", "Unavailable")
		}
		return nil
	}
	b.signal(time.Minute, workflows.VerbAbort, nil)
	var back time.Time
	b.at(77*time.Second, func() { away, back = false, b.Now() })
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.WithinRange(t, b.status().Since, back, back.Add(6*time.Second))
}

// TestAbortIsTheLastWord: messages that come together leave one order.
func TestAbortIsTheLastWord(t *testing.T) {
	for name, verbs := range map[string][]workflows.Verb{
		"after another":  {workflows.VerbJump, workflows.VerbAbort},
		"before another": {workflows.VerbAbort, workflows.VerbJump},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.cluster.block = func(op string) bool { return op == "canary v2 1" }
			// All are judged in one turn, before the main line has its next one.
			b.at(time.Minute, func() {
				for _, verb := range verbs {
					b.SignalWorkflowSkippingWorkflowTask(string(verb), workflows.Message{Step: 2})
				}
			})
			b.signal(time.Minute, workflows.VerbPause, nil)
			result, err := b.run(seed())
			require.NoError(t, err)
			require.Equal(t, workflows.RolledBack, result.Outcome)
			require.Equal(t, []string{"inspect", "hold v2", "restore settle=false", "release"}, b.cluster.ops())
		})
	}
}

// TestEarlyApprovalsAreVoidWhenTheirStepComesAgain: what was approved was another
// state of the rollout.
func TestEarlyApprovalsAreVoidWhenTheirStepComesAgain(t *testing.T) {
	for name, c := range map[string]struct {
		verb  workflows.Verb
		m     workflows.Message
		early bool
	}{
		"jump":    {verb: workflows.VerbJump, m: workflows.Message{Step: 1}},
		"revise":  {verb: workflows.VerbRevise, m: revision("v3")},
		"a pause": {verb: workflows.VerbPause, early: true},
		"refused": {verb: workflows.VerbJump, m: workflows.Message{Step: 9}, early: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.signal(time.Minute, workflows.VerbPromote, workflows.Message{Step: 2})
			b.signal(2*time.Minute, c.verb, c.m)
			b.update(3*time.Minute, workflows.VerbResume, workflows.Message{})
			b.signal(4*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
			held := false
			b.at(5*time.Minute, func() {
				held = b.status().Phase == workflows.PhaseHolding && b.status().Step == 2
				b.SignalWorkflow("abort", nil)
			})
			result, err := b.run(seed())
			require.NoError(t, err)
			require.Equal(t, !c.early, held)
			require.Equal(t, c.early, result.Outcome == workflows.Promoted)
		})
	}
}

// TestAnOperationSaysSinceWhenItIsWorkedOn: one that is tried again tells the workflow
// nothing until it ends.
func TestAnOperationSaysSinceWhenItIsWorkedOn(t *testing.T) {
	b := newBench(t)
	b.cluster.block = func(op string) bool { return strings.HasPrefix(op, "restore") && b.cluster.blocked == nil }
	var asked time.Time
	looked := false
	b.at(time.Hour, func() { asked = b.Now() })
	b.signal(time.Hour, workflows.VerbAbort, nil)
	b.at(2*time.Hour, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseRollingBack, s.Phase)
		require.Equal(t, "put the stable template back", s.Message)
		require.WithinDuration(t, asked, s.Working, time.Minute)
		looked = true
		require.NoError(t, b.CompleteActivity(b.cluster.blocked, nil, nil))
	})
	_, err := b.run(seed())
	require.NoError(t, err)
	require.True(t, looked)
}
