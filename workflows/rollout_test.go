package workflows_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

var promoted = []string{
	"inspect", "hold v2",
	"canary v2 1", "route 0", "route 10",
	"canary v2 2", "route 30",
	"canary v2 5", "route 100", "promote v2",
	"route 0", "unroute", "release",
}

func TestSeedIsPromotedStepByStep(t *testing.T) {
	b := newBench(t)
	b.at(time.Minute, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseHolding, s.Phase)
		require.Equal(t, 1, s.Step)
		require.Equal(t, 10, s.Confirmed.Weight)
		require.Equal(t, workflows.StepPaused, s.Steps[0].State)
		require.Equal(t, workflows.StepPending, s.Steps[1].State)
		require.Len(t, s.Steps, 3)
	})
	b.signal(2*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1, By: "ann", Reason: "looks good"})
	b.signal(3*time.Minute, workflows.VerbPromote, workflows.Message{Step: 2, By: "bob"})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.Equal(t, "v1", result.Stable)
	require.Equal(t, promoted, b.cluster.ops())
	require.Len(t, result.Decisions, 2)
	require.Equal(t, "ann", result.Decisions[0].By)
	require.Equal(t, "looks good", result.Decisions[0].Reason)
}

func TestMatchThenEverybody(t *testing.T) {
	doc := seed()
	doc.Steps = []config.Step{{
		Matches:  []config.Match{{Headers: []config.ValueMatch{{Name: "user-agent", Type: config.MatchExact, Value: "android"}}}},
		Replicas: config.Amount{Value: 1}, Hold: config.Hold{Mode: config.HoldApproval},
	}}
	b := newBench(t)
	b.signal(time.Minute, workflows.VerbPromote, nil)
	_, err := b.run(doc)
	require.NoError(t, err)
	require.Equal(t, []string{
		"inspect", "hold v2", "canary v2 1", "route 0", "route 0 header user-agent=android",
		"canary v2 5", "route 100", "promote v2", "route 0", "unroute", "release",
	}, b.cluster.ops())
}

func TestTimedHoldGoesOnByItself(t *testing.T) {
	doc := seed()
	for i := range doc.Steps {
		doc.Steps[i].Hold = config.Hold{Mode: config.HoldTimed, Duration: config.Duration(time.Hour)}
	}
	b := newBench(t)
	b.at(30*time.Minute, func() {
		s := b.status()
		require.NotNil(t, s.Until)
		require.Equal(t, time.Hour, s.Until.Sub(s.Since).Round(time.Minute))
	})
	began := b.Now()
	_, err := b.run(doc)
	require.NoError(t, err)
	require.Equal(t, promoted, b.cluster.ops())
	require.InDelta(t, 2*time.Hour, b.Now().Sub(began), float64(time.Minute))
}

func TestTimedHoldCanBePromotedEarly(t *testing.T) {
	doc := seed()
	doc.Steps[0].Hold = config.Hold{Mode: config.HoldTimed, Duration: config.Duration(72 * time.Hour)}
	doc.Steps[1].Hold = config.Hold{Mode: config.HoldNone}
	b := newBench(t)
	b.signal(time.Minute, workflows.VerbPromote, nil)
	began := b.Now()
	_, err := b.run(doc)
	require.NoError(t, err)
	require.Less(t, b.Now().Sub(began), time.Hour)
}

func TestAbortWhileHolding(t *testing.T) {
	b := newBench(t)
	b.signal(time.Minute, workflows.VerbAbort, workflows.Message{By: "ann", Reason: "errors"})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Equal(t, "aborted by ann: errors", result.Reason)
	require.Equal(t, []string{
		"inspect", "hold v2", "canary v2 1", "route 0", "route 10",
		"route 0", "unroute", "restore settle=false", "release",
	}, b.cluster.ops())
}

// TestWhatIsKeptIsTold is a workload whose template somebody has changed meanwhile: it
// stays, and stays paused, of which the end must not be silent.
func TestWhatIsKeptIsTold(t *testing.T) {
	b := newBench(t)
	b.cluster.keptAtEnd = []string{"spec.template: somebody changed it to revision v9", "HorizontalPodAutoscaler demo spec.behavior: somebody changed it"}
	b.signal(time.Minute, workflows.VerbAbort, workflows.Message{By: "ann", Reason: "errors"})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, "aborted by ann: errors", result.Reason)
	want := []string{"Deployment demo: spec.template: somebody changed it to revision v9", "HorizontalPodAutoscaler demo spec.behavior: somebody changed it"}
	require.Equal(t, want, result.Kept, "once, although two operations have found it")
	require.Equal(t, "rolled back: aborted by ann: errors; left as others have changed it: "+want[0]+"; "+want[1], b.status().Message)
	require.Contains(t, timeline(b.status()), "kept on "+want[0])
}

func TestAbortDoesNotWaitForTheOperationThatRuns(t *testing.T) {
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "canary v2 1" }
	b.signal(time.Second, workflows.VerbAbort, nil)
	began := b.Now()
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Less(t, b.Now().Sub(began), time.Minute)
	require.Equal(t, []string{"inspect", "hold v2", "restore settle=false", "release"}, b.cluster.ops())
}

func TestAbortDuringPromotionReturnsUnderCover(t *testing.T) {
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "promote v2" }
	b.signal(0, workflows.VerbPromote, workflows.Message{Full: true})
	b.signal(time.Minute, workflows.VerbAbort, nil)
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	ops := b.cluster.ops()
	require.Equal(t, []string{"route 100", "restore settle=true", "route 0", "unroute", "release"}, ops[len(ops)-5:])
}

func TestAbortAfterThePointOfNoReturnIsRefused(t *testing.T) {
	b := newBench(t)
	tries := 0
	b.cluster.fail = func(op string) error {
		if op == "unroute" {
			if tries++; tries < 5 {
				return errors.New("the API server is away")
			}
		}
		return nil
	}
	b.signal(0, workflows.VerbPromote, workflows.Message{Full: true})
	refused := b.update(7*time.Second, workflows.VerbAbort, workflows.Message{})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.True(t, refused.done)
	require.ErrorContains(t, refused.rejected, "too late")
}

func TestCancellationCompensates(t *testing.T) {
	b := newBench(t)
	b.at(time.Minute, b.CancelWorkflow)
	_, err := b.run(seed())
	require.True(t, temporal.IsCanceledError(err) || strings.Contains(err.Error(), "cancel"), "%v", err)
	ops := b.cluster.ops()
	require.Equal(t, []string{"route 0", "unroute", "restore settle=false", "release"}, ops[len(ops)-4:])
}

func TestCompensationNeverGivesUp(t *testing.T) {
	b := newBench(t)
	tries := 0
	b.cluster.fail = func(op string) error {
		if op == "unroute" {
			if tries++; tries < 20 {
				return temporal.NewNonRetryableApplicationError("forbidden", "Forbidden", nil)
			}
		}
		return nil
	}
	b.signal(time.Minute, workflows.VerbAbort, nil)
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Equal(t, 20, tries)
	require.Equal(t, "release", b.cluster.ops()[len(b.cluster.ops())-1])
}

func TestRefusedTouchesNothing(t *testing.T) {
	b := newBench(t)
	b.cluster.fail = func(string) error {
		return temporal.NewNonRetryableApplicationError("Service shop/demo does not exist", workflows.ErrorRefused, nil)
	}
	_, err := b.run(seed())
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, workflows.ErrorRefused, app.Type())
	require.Contains(t, err.Error(), "Service shop/demo does not exist")
	require.Empty(t, b.cluster.ops())
}

func TestPreflightIsAskedForWhatTheRolloutWasStartedFor(t *testing.T) {
	b := newBench(t)
	b.signal(time.Minute, workflows.VerbAbort, nil)
	_, err := b.execute(workflows.Input{
		Cluster: "default", Rollout: seed(), Change: workload.Change{Current: true},
		Origin: &workflows.Origin{WorkloadUID: "u1", Revision: "r1"},
	})
	require.NoError(t, err)
	require.Equal(t, "u1", b.cluster.inspected.WorkloadUID)
	require.Equal(t, "r1", b.cluster.inspected.Revision)
}

func TestDeadlineWithPolicyPauseThenRetry(t *testing.T) {
	b := newBench(t)
	blocked := true
	b.cluster.block = func(op string) bool { return blocked && op == "canary v2 1" }
	b.expire(10*time.Minute, "0 of 1 canary pods ready")
	b.at(30*time.Minute, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseStuck, s.Phase)
		require.Contains(t, s.Failure, "0 of 1 canary pods ready")
		blocked = false
	})
	refused := b.update(31*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
	b.signal(32*time.Minute, workflows.VerbRetry, nil)
	b.signal(40*time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.ErrorContains(t, refused.rejected, "retry, jump, revise or abort")
}

func TestDeadlineWithPolicyRollback(t *testing.T) {
	doc := seed()
	doc.OnFailure = config.FailureRollback
	doc.Steps[1].Deadline = config.Duration(time.Minute)
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "canary v2 2" }
	b.signal(time.Second, workflows.VerbPromote, workflows.Message{Step: 1})
	b.expire(time.Minute, "0 of 1 canary pods ready")
	began := b.Now()
	result, err := b.run(doc)
	require.NoError(t, err)
	require.Equal(t, workflows.RolledBack, result.Outcome)
	require.Contains(t, result.Reason, "the deadline passed: 0 of 1 canary pods ready")
	require.InDelta(t, time.Minute, b.Now().Sub(began), float64(20*time.Second))
}

func TestNewRevisionStartsAgainWithoutLoss(t *testing.T) {
	b := newBench(t)
	b.signal(time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
	b.signal(2*time.Minute, workflows.VerbRevise, workflows.Message{Change: &workload.Change{Images: map[string]string{"main": "v3"}}})
	b.at(3*time.Minute, func() {
		s := b.status()
		require.Equal(t, 1, s.Step)
		require.Equal(t, "v3", s.Revision)
	})
	b.signal(4*time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, "v3", result.Revision)
	require.Equal(t, []string{
		"inspect", "hold v2", "canary v2 1", "route 0", "route 10", "canary v2 2", "route 30",
		"route 0", "hold v3", "canary v3 1", "route 0", "route 10", "canary v3 5", "route 100", "promote v3",
		"route 0", "unroute", "release",
	}, b.cluster.ops())
}

func TestScalingIsFollowedWhileHolding(t *testing.T) {
	doc := seed()
	doc.Steps[0].Replicas = config.Amount{Value: 20, Percent: true}
	b := newBench(t)
	b.change(time.Minute, workload.Changed{Replicas: 10, Revision: "v2", Paused: true})
	b.at(2*time.Minute, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseHolding, s.Phase)
		require.Equal(t, 10, s.Replicas)
		require.Equal(t, 2, s.Canary.Ready)
	})
	b.signal(3*time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
	_, err := b.run(doc)
	require.NoError(t, err)
	require.Contains(t, b.cluster.ops(), "canary v2 10")
}

func TestTemplateOfTheWorkloadIsFollowed(t *testing.T) {
	t.Run("back to stable rolls back", func(t *testing.T) {
		b := newBench(t)
		b.change(time.Minute, workload.Changed{Replicas: 5, Revision: "v1", Paused: true, By: "kubectl"})
		result, err := b.run(seed())
		require.NoError(t, err)
		require.Equal(t, workflows.RolledBack, result.Outcome)
		require.Contains(t, result.Reason, "stable template was put back")
	})
	t.Run("a third one is released instead", func(t *testing.T) {
		b := newBench(t)
		b.at(30*time.Second, func() { b.cluster.held = "v3" })
		b.change(time.Minute, workload.Changed{Replicas: 5, Revision: "v3", Paused: true})
		b.signal(2*time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
		result, err := b.run(seed())
		require.NoError(t, err)
		require.Equal(t, "v3", result.Revision)
	})
	t.Run("resumed by somebody pauses the rollout", func(t *testing.T) {
		b := newBench(t)
		b.change(time.Minute, workload.Changed{Replicas: 5, Revision: "v2", Paused: false})
		b.at(2*time.Minute, func() {
			require.True(t, b.status().Paused)
		})
		b.signal(3*time.Minute, workflows.VerbAbort, nil)
		result, err := b.run(seed())
		require.NoError(t, err)
		require.Equal(t, workflows.RolledBack, result.Outcome)
	})
	t.Run("deleted ends the rollout", func(t *testing.T) {
		b := newBench(t)
		b.change(time.Minute, workload.Changed{Gone: true})
		result, err := b.run(seed())
		require.NoError(t, err)
		require.Equal(t, workflows.RolledBack, result.Outcome)
	})
}

func TestJumpBackAndForth(t *testing.T) {
	b := newBench(t)
	b.signal(time.Minute, workflows.VerbJump, workflows.Message{Step: 2})
	b.signal(2*time.Minute, workflows.VerbJump, workflows.Message{Step: 1})
	b.signal(3*time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
	_, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, []string{
		"inspect", "hold v2", "canary v2 1", "route 0", "route 10", "canary v2 2", "route 30", "route 10",
		"canary v2 5", "route 100", "promote v2", "route 0", "unroute", "release",
	}, b.cluster.ops())
}

func TestPauseStopsBeforeTheNextOperation(t *testing.T) {
	b := newBench(t)
	b.signal(time.Minute, workflows.VerbPause, workflows.Message{Reason: "lunch"})
	refused := b.update(2*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
	b.signal(3*time.Minute, workflows.VerbResume, nil)
	b.signal(4*time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
	_, err := b.run(seed())
	require.NoError(t, err)
	require.ErrorContains(t, refused.rejected, "resume it first")
	require.Equal(t, promoted[5:], append([]string{"canary v2 2", "route 30"}, b.cluster.ops()[5:]...))
}

func TestDocumentThatStartsPaused(t *testing.T) {
	doc := seed()
	doc.Paused = true
	b := newBench(t)
	b.at(time.Hour, func() {
		require.Equal(t, workflows.PhasePaused, b.status().Phase)
		require.Equal(t, []string{"inspect"}, b.cluster.ops())
	})
	b.signal(2*time.Hour, workflows.VerbResume, nil)
	b.signal(3*time.Hour, workflows.VerbPromote, workflows.Message{Full: true})
	_, err := b.run(doc)
	require.NoError(t, err)
}

func TestAbortWhileCheckingTouchesNothing(t *testing.T) {
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "inspect" }
	b.signal(time.Second, workflows.VerbAbort, workflows.Message{By: "ann", Reason: "wrong image"})
	_, err := b.run(seed())
	require.ErrorContains(t, err, "aborted by ann: wrong image, before anything was touched")
	require.Empty(t, b.cluster.ops())
}

// TestRouteThatFailedWaitsAgain fails to set the first weight: the retry waits
// until the gateway knows the pods, and no later route does.
func TestRouteThatFailedWaitsAgain(t *testing.T) {
	b := newBench(t)
	broken := true
	b.cluster.fail = func(op string) error {
		if broken && op == "route 10" {
			return temporal.NewNonRetryableApplicationError("no pod is ready", traffic.ErrUnready, nil)
		}
		return nil
	}
	b.at(time.Minute, func() { require.Equal(t, workflows.PhaseStuck, b.status().Phase); broken = false })
	b.signal(2*time.Minute, workflows.VerbRetry, nil)
	b.signal(3*time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.Equal(t, []int{10}, b.cluster.again)
}
