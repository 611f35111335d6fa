package control

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"sluice.dev/sluice/workflows"
)

func TestStatusIsTheRolloutsOwn(t *testing.T) {
	d := described(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, workflows.PhaseProgressing, 1)
	d.PendingActivities = []*workflowpb.PendingActivityInfo{
		{
			ActivityType: &commonpb.ActivityType{Name: "EnsureCanary"}, State: enumspb.PENDING_ACTIVITY_STATE_SCHEDULED,
			HeartbeatDetails: payloads(t, "0 of 1 pods ready"), Attempt: 3, ScheduledTime: timestamppb.New(began),
			NextAttemptScheduleTime: timestamppb.New(ended),
			LastFailure:             &failurepb.Failure{Message: "activity error", Cause: &failurepb.Failure{Message: "ImagePullBackOff"}},
		},
		{ActivityType: &commonpb.ActivityType{Name: watchActivity}, State: enumspb.PENDING_ACTIVITY_STATE_STARTED, Attempt: 1},
	}
	c := newClient(t, &frontend{describe: describes(d), query: answers(t, workflows.Status{Name: "web", Phase: workflows.PhaseProgressing, Message: "canary to 1 pod"})})

	got, err := c.Status(t.Context(), testID)

	require.NoError(t, err)
	require.Equal(t, "canary to 1 pod", got.Message)
	require.Empty(t, got.Note)
	require.False(t, got.Over())
	require.Len(t, got.Progress, 1, "watching the workload is idle")
	require.Equal(t, "0 of 1 pods ready; attempt 3, the last one failed: ImagePullBackOff", got.Progress[0].String())
	require.True(t, ended.Equal(*got.Progress[0].NextTry))
	require.False(t, got.Progress[0].Waiting)
}

// TestReturnThatCannotGoOn: an operation of a return is tried again without end, and the
// workflow hears of no try.
func TestReturnThatCannotGoOn(t *testing.T) {
	const want = "connection refused (worked on since 2026-03-01T11:00:00Z, and tried again)"
	cases := map[string]struct {
		phase workflows.Phase
		own   string
		want  string
	}{
		"returning":            {workflows.PhaseRollingBack, "", want},
		"completing":           {workflows.PhasePromoting, "", want},
		"the rollout's own":    {workflows.PhaseRollingBack, "there is no such Service", "there is no such Service"},
		"on the way to a hold": {workflows.PhaseProgressing, "", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := described(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, tc.phase, 1)
			failure := &failurepb.Failure{Message: "connection refused"}
			d.PendingActivities = []*workflowpb.PendingActivityInfo{
				{ActivityType: &commonpb.ActivityType{Name: watchActivity}, Attempt: 2, LastFailure: &failurepb.Failure{Message: "forbidden"}},
				{ActivityType: &commonpb.ActivityType{Name: "SetRoute"}, Attempt: 3, LastFailure: failure},
			}
			own := workflows.Status{Phase: tc.phase, Failure: tc.own, Working: time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)}

			got, err := newClient(t, &frontend{describe: describes(d), query: answers(t, own)}).Status(t.Context(), testID)

			require.NoError(t, err)
			require.Equal(t, tc.want, got.Failure)
		})
	}
}

func TestProgress(t *testing.T) {
	cases := map[string]struct {
		pending *workflowpb.PendingActivityInfo
		want    string
	}{
		"nobody has taken it up": {
			&workflowpb.PendingActivityInfo{State: enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, Attempt: 1}, "waiting for a worker",
		},
		"says nothing": {
			&workflowpb.PendingActivityInfo{State: enumspb.PENDING_ACTIVITY_STATE_STARTED, Attempt: 1}, "",
		},
		"details for itself": {
			&workflowpb.PendingActivityInfo{State: enumspb.PENDING_ACTIVITY_STATE_STARTED, Attempt: 1, HeartbeatDetails: payloads(t, map[string]int{"i": 1})}, "",
		},
		"the watch fails": {
			&workflowpb.PendingActivityInfo{ActivityType: &commonpb.ActivityType{Name: watchActivity}, Attempt: 2, LastFailure: &failurepb.Failure{Message: "forbidden"}},
			"watching the workload: attempt 2, the last one failed: forbidden",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, progress(tc.pending).String()) })
	}
}

func TestStatusWithoutAWorker(t *testing.T) {
	cases := map[string]struct {
		status enumspb.WorkflowExecutionStatus
		phase  workflows.Phase
		query  error
		want   workflows.Phase
		note   string
	}{
		"holding":  {enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, workflows.PhaseHolding, nil, workflows.PhaseHolding, "no worker answers: is sluice-worker running?"},
		"unknown":  {enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, "", nil, PhaseUnknown, "no worker answers"},
		"paused":   {enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED, workflows.PhaseHolding, nil, workflows.PhaseHolding, "paused in Temporal"},
		"panicked": {enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, workflows.PhaseHolding, serviceerror.NewQueryFailed("nondeterminism"), workflows.PhaseHolding, "the rollout cannot be asked (nondeterminism)"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := &frontend{describe: describes(described(t, tc.status, tc.phase, 2)), history: recorded(t, nil)}
			if tc.query != nil {
				f.query = func(context.Context, *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error) {
					return nil, tc.query
				}
			}

			got, err := newClient(t, f).Status(t.Context(), testID)

			require.NoError(t, err)
			require.Equal(t, tc.want, got.Phase)
			require.Contains(t, got.Note, tc.note)
			require.Equal(t, "Deployment/web", got.Workload)
			require.Equal(t, map[string]string{"main": "shop/web:v2"}, got.Images)
			require.Len(t, got.Steps, 3)
			require.Equal(t, workflows.StepStatus{Weight: 0, Matches: "header user-agent=android", Replicas: "50%", Hold: "1m0s", State: got.Steps[1].State}, got.Steps[1])
			if tc.phase == workflows.PhaseHolding {
				require.Equal(t, workflows.StepCompleted, got.Steps[0].State)
				require.Equal(t, workflows.StepPaused, got.Steps[1].State)
				require.Equal(t, "rev2", got.Revision)
			}
		})
	}
}

func TestStatusOfAClosedRollout(t *testing.T) {
	result := func(r workflows.Result) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
			WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{Result: payloads(t, r)},
		}}
	}
	failure := func(kind string) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, Attributes: &historypb.HistoryEvent_WorkflowExecutionFailedEventAttributes{
			WorkflowExecutionFailedEventAttributes: &historypb.WorkflowExecutionFailedEventAttributes{Failure: &failurepb.Failure{
				Message:     "Service shop/web does not exist",
				FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: kind}},
			}},
		}}
	}
	cases := map[string]struct {
		status  enumspb.WorkflowExecutionStatus
		last    *historypb.HistoryEvent
		phase   workflows.Phase
		message string
	}{
		"promoted": {
			enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, result(workflows.Result{Outcome: workflows.Promoted, Revision: "rev2", Stable: "rev1"}),
			workflows.PhasePromoted, "promoted: revision rev2 is stable",
		},
		"rolled back": {
			enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, result(workflows.Result{Outcome: workflows.RolledBack, Reason: "aborted by bob"}),
			workflows.PhaseRolledBack, "rolled back: aborted by bob",
		},
		"refused":  {enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, failure(workflows.ErrorRefused), workflows.PhaseRefused, "Service shop/web does not exist"},
		"failed":   {enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, failure("Panic"), PhaseFailed, "Service shop/web does not exist"},
		"canceled": {enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, &historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED}, workflows.PhaseRolledBack, "rolled back: the workflow was cancelled"},
		"terminated": {
			enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, &historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED},
			PhaseTerminated, "the workflow was terminated while it was Holding: what it had changed is still there; `sluice repair` brings it to its end",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := &frontend{describe: describes(described(t, tc.status, workflows.PhaseHolding, 2)), history: recorded(t, tc.last)}

			got, err := newClient(t, f).Status(t.Context(), testID)

			require.NoError(t, err)
			require.Equal(t, tc.phase, got.Phase)
			require.Equal(t, tc.message, got.Message)
			require.True(t, got.Over())
			require.True(t, ended.Equal(*got.Closed))
			require.Equal(t, tc.status.String(), got.How)
			for _, step := range got.Steps {
				if tc.phase == workflows.PhasePromoted {
					require.Equal(t, workflows.StepCompleted, step.State)
				}
			}
		})
	}
}

func TestATerminatedRolloutDoesNotSpeakForItself(t *testing.T) {
	f := &frontend{
		describe: describes(described(t, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, "", 0)),
		query:    answers(t, workflows.Status{Phase: workflows.PhaseHolding, Message: "step 1 waits for approval"}),
	}

	got, err := newClient(t, f).Status(t.Context(), testID)

	require.NoError(t, err)
	require.Equal(t, PhaseTerminated, got.Phase)
	require.Contains(t, got.Message, "what it had changed is still there")
}

func TestStatusOfNothing(t *testing.T) {
	_, err := newClient(t, &frontend{}).Status(t.Context(), testID)
	require.True(t, IsNotFound(err))
}

func TestInput(t *testing.T) {
	c := newClient(t, &frontend{history: recorded(t, nil)})

	got, err := c.Input(t.Context(), Run{ID: testID, RunID: testRun})

	require.NoError(t, err)
	require.Equal(t, testInput(), got)
}
