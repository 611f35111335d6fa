package projection_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/workflows"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

// facts of a rollout of the seed in a phase at a step.
func facts(phase workflows.Phase, step int, state workflows.StepState) projection.Facts {
	r := &workflows.Status{
		Phase: phase, Step: step, Message: "told by the workflow", Since: now, StableRevision: "v1", Revision: "v2", Replicas: 5,
		Steps: []workflows.StepStatus{
			{Hold: "approval", State: workflows.StepPending}, {Hold: "30s", State: workflows.StepPending}, {State: workflows.StepPending},
		},
		Canary: workload.Pods{Total: 2, Ready: 1},
	}
	for i := range r.Steps {
		switch {
		case i+1 < step:
			r.Steps[i].State = workflows.StepCompleted
		case i+1 == step:
			r.Steps[i].State = state
		}
	}
	return projection.Facts{
		Generation: 3, Steps: 2, Rollout: r, Open: !phase.Ended(), Now: now,
		Workload: &projection.Workload{Generation: 7, Revision: "v2", Complete: phase == workflows.PhasePromoted, Replicas: 5},
	}
}

// measured are facts of a hold whose metrics are measured: until they pass, or
// beside it as a guard.
func measured(step int, guard bool) projection.Facts {
	f := facts(workflows.PhaseHolding, step, workflows.StepPaused)
	f.Rollout.Steps[step-1].Metrics = "success-rate"
	f.Rollout.Analyses = []workflows.AnalysisStatus{{Step: step, Running: true, Guard: guard}}
	return f
}

func TestEveryPhaseInTheWordsOfKruise(t *testing.T) {
	cases := []struct {
		facts                           projection.Facts
		phase, reason, state, succeeded string
		step, next                      int32
	}{
		{facts(workflows.PhaseChecking, 1, workflows.StepPending), "Progressing", "Initializing", "BeforeStepUpgrade", "", 1, 2},
		{facts(workflows.PhaseProgressing, 1, workflows.StepUpgrade), "Progressing", "InRolling", "StepUpgrade", "", 1, 2},
		{facts(workflows.PhaseProgressing, 1, workflows.StepTrafficRouting), "Progressing", "InRolling", "StepTrafficRouting", "", 1, 2},
		{measured(2, false), "Progressing", "InRolling", "StepMetricsAnalysis", "", 2, -1},
		{measured(2, true), "Progressing", "InRolling", "StepPaused", "", 2, -1},
		{measured(1, false), "Progressing", "InRolling", "StepPaused", "", 1, 2}, // a person may approve it meanwhile
		{facts(workflows.PhaseHolding, 1, workflows.StepPaused), "Progressing", "InRolling", "StepPaused", "", 1, 2},
		{facts(workflows.PhaseHolding, 2, workflows.StepReady), "Progressing", "InRolling", "StepReady", "", 2, -1},
		{facts(workflows.PhasePaused, 2, workflows.StepUpgrade), "Progressing", "Paused", "StepUpgrade", "", 2, -1},
		{facts(workflows.PhaseStuck, 2, workflows.StepUpgrade), "Progressing", "InRolling", "StepUpgrade", "", 2, -1},
		{facts(workflows.PhasePromoting, 3, workflows.StepUpgrade), "Progressing", "Finalising", "Completed", "", 2, -1},
		{facts(workflows.PhaseRollingBack, 2, workflows.StepPending), "Progressing", "Cancelling", "BeforeStepUpgrade", "", 2, -1},
		{facts(workflows.PhasePromoted, 3, workflows.StepCompleted), "Healthy", "Completed", "Completed", "True", 2, -1},
		{facts(workflows.PhaseRolledBack, 2, workflows.StepPending), "Healthy", "Completed", "Completed", "False", 2, -1},
	}
	for _, c := range cases {
		s := projection.Project(projection.Status{}, c.facts)
		name := string(c.facts.Rollout.Phase) + "/" + c.state
		require.Equal(t, c.phase, s.Phase, name)
		require.Equal(t, c.reason, s.Condition(projection.Progressing).Reason, name)
		require.Equal(t, c.state, s.CurrentStepState, name)
		require.Equal(t, c.state, s.CanaryStatus.CurrentStepState, name)
		require.Equal(t, c.step, s.CurrentStepIndex, name)
		require.Equal(t, c.next, s.CanaryStatus.NextStepIndex, name)
		require.Equal(t, int64(7), s.CanaryStatus.ObservedWorkloadGeneration)
		if c.succeeded == "" {
			require.Nil(t, s.Condition(projection.Succeeded), name)
		} else {
			require.Equal(t, c.succeeded, s.Condition(projection.Succeeded).Status, name)
		}
	}
}

func TestHoldsSayWhatIsWaitedFor(t *testing.T) {
	s := projection.Project(projection.Status{}, facts(workflows.PhaseHolding, 1, workflows.StepPaused))
	require.Equal(t, "Rollout is in step(1/2), and you need manually confirm to enter the next step", s.Message)
	f := facts(workflows.PhaseHolding, 2, workflows.StepPaused)
	f.Rollout.Until = &now
	require.Contains(t, projection.Project(projection.Status{}, f).Message, "wait until 03:04:05")
	require.Equal(t, "Rollout is in step(2/2), and its metrics are measured: success-rate", projection.Project(projection.Status{}, measured(2, false)).Message)
}

func TestWhatTheUserWantsOverrules(t *testing.T) {
	deleting := facts(workflows.PhaseHolding, 1, workflows.StepPaused)
	deleting.Deleting = true
	s := projection.Project(projection.Status{}, deleting)
	require.Equal(t, "Terminating", s.Phase)
	require.Equal(t, "InTerminating", s.Condition(projection.Terminating).Reason)

	disabled := facts(workflows.PhaseHolding, 1, workflows.StepPaused)
	disabled.Disabled = true
	require.Equal(t, "Disabling", projection.Project(projection.Status{}, disabled).Phase)
	disabled.Open, disabled.Rollout = false, nil
	require.Equal(t, "Disabled", projection.Project(projection.Status{}, disabled).Phase)

	none := projection.Project(projection.Status{}, projection.Facts{Steps: 2, Now: now})
	require.Equal(t, "Initial", none.Phase)
	require.Equal(t, "Workload Not Found", none.Message)

	broken := projection.Project(projection.Status{}, projection.Facts{Problem: "spec.steps: wrong", Workload: &projection.Workload{}, Now: now})
	require.Equal(t, "spec.steps: wrong", broken.Message)
}

func TestHeldRevisionWaits(t *testing.T) {
	before := projection.Project(projection.Status{}, projection.Facts{Steps: 2, Workload: &projection.Workload{Revision: "v1", Complete: true}, Now: now})
	require.Equal(t, "v1", before.CanaryStatus.StableRevision)
	s := projection.Project(before, projection.Facts{
		Steps: 2, Held: true, Waiting: "revision v2 was aborted", Workload: &projection.Workload{Revision: "v2"}, Now: now,
	})
	require.Equal(t, "Progressing", s.Phase)
	require.Equal(t, "revision v2 was aborted", s.Message)
	require.Equal(t, "v1", s.CanaryStatus.StableRevision)
	require.Equal(t, "v2", s.CanaryStatus.CanaryRevision)

	queued := projection.Project(before, projection.Facts{
		Steps: 2, Held: true, Queued: "v3", Waiting: "revision v3 waits", Workload: &projection.Workload{Revision: "v1"}, Now: now,
	})
	require.Equal(t, "v1", queued.CanaryStatus.StableRevision)
	require.Equal(t, "v3", queued.CanaryStatus.CanaryRevision)
	require.Equal(t, "v3", queued.CanaryStatus.PodTemplateHash)
}

func TestNothingChangesWhereNothingHasChanged(t *testing.T) {
	for _, f := range []projection.Facts{
		facts(workflows.PhaseHolding, 1, workflows.StepPaused), facts(workflows.PhasePromoted, 3, workflows.StepCompleted),
		{Steps: 2, Workload: &projection.Workload{Revision: "v1", Complete: true}, Now: now},
	} {
		first := projection.Project(projection.Status{}, f)
		f.Now = now.Add(time.Hour)
		require.Equal(t, first, projection.Project(first, f))
		data, err := json.Marshal(first)
		require.NoError(t, err)
		var back projection.Status
		require.NoError(t, json.Unmarshal(data, &back))
		again, err := json.Marshal(projection.Project(back, f))
		require.NoError(t, err)
		require.JSONEq(t, string(data), string(again), "also after a way through the API")
	}
}

func TestAnEndIsStillToldWhenTheRolloutIsForgotten(t *testing.T) {
	ended := projection.Project(projection.Status{}, facts(workflows.PhasePromoted, 3, workflows.StepCompleted))
	later := projection.Project(ended, projection.Facts{
		Generation: 3, Steps: 2, Workload: &projection.Workload{Generation: 9, Revision: "v2", Complete: true}, Now: now.Add(time.Hour),
	})
	require.Equal(t, ended.Conditions, later.Conditions)
	require.Equal(t, ended.Message, later.Message)
	require.Equal(t, int64(9), later.CanaryStatus.ObservedWorkloadGeneration)
}
