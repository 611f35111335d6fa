package control

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/serviceerror"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/workflows"
)

type updateHandler = func(context.Context, *workflowservice.UpdateWorkflowExecutionRequest) (*workflowservice.UpdateWorkflowExecutionResponse, error)

// completes answers an update.
func completes(outcome *updatepb.Outcome) updateHandler {
	return func(_ context.Context, r *workflowservice.UpdateWorkflowExecutionRequest) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
		return &workflowservice.UpdateWorkflowExecutionResponse{
			UpdateRef: &updatepb.UpdateRef{WorkflowExecution: r.GetWorkflowExecution(), UpdateId: r.GetRequest().GetMeta().GetUpdateId()},
			Stage:     enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED, Outcome: outcome,
		}, nil
	}
}

// silent never answers, as where no worker is.
func silent(ctx context.Context, _ *workflowservice.UpdateWorkflowExecutionRequest) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func failing(err error) updateHandler {
	return func(context.Context, *workflowservice.UpdateWorkflowExecutionRequest) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
		return nil, err
	}
}

func TestSendIsAnswered(t *testing.T) {
	var sent *workflowservice.UpdateWorkflowExecutionRequest
	want := workflows.Answer{Text: "promoting step 1", Step: 1, Run: testRun}
	done := completes(&updatepb.Outcome{Value: &updatepb.Outcome_Success{Success: payloads(t, want)}})
	f := &frontend{update: func(ctx context.Context, r *workflowservice.UpdateWorkflowExecutionRequest) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
		sent = r
		return done(ctx, r)
	}}
	c := newClient(t, f)

	got, err := c.Send(t.Context(), testID, workflows.VerbPromote, workflows.Message{Step: 1, By: "alice"}, SendOptions{RequestID: "click-7"})

	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, "promote", sent.GetRequest().GetInput().GetName())
	require.Equal(t, "click-7", sent.GetRequest().GetMeta().GetUpdateId(), "a second click has the same ID")
	require.Empty(t, f.signals)
}

func TestSendIsRefused(t *testing.T) {
	failure := &failurepb.Failure{Message: "step 1 is promoted already", FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
		ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: workflows.ErrorNotNow, NonRetryable: true},
	}}
	f := &frontend{update: completes(&updatepb.Outcome{Value: &updatepb.Outcome_Failure{Failure: failure}})}
	c := newClient(t, f)

	_, err := c.Send(t.Context(), testID, workflows.VerbPromote, workflows.Message{}, SendOptions{})

	var refused *Refused
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "step 1 is promoted already", refused.Text)
	require.Empty(t, f.signals, "what is refused is not sent again")
}

func TestSendFallsBackToASignal(t *testing.T) {
	cases := map[string]struct {
		update updateHandler
		want   string
	}{
		"no worker":       {silent, "no worker answered within 200ms: resume was left as a signal"},
		"paused workflow": {failing(serviceerror.NewFailedPrecondition("Workflow is paused. Cannot update the workflow.")), "the rollout cannot answer (Workflow is paused"},
		"too many":        {failing(serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT, "limit on number of in-flight updates")), "left as a signal"},
		"not allowed":     {failing(serviceerror.NewPermissionDenied("UpdateWorkflowExecution operation is disabled on this namespace", "")), "left as a signal"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := &frontend{update: tc.update}
			c := newClient(t, f)
			m := workflows.Message{Run: testRun, By: "alice", Reason: "fixed"}

			got, err := c.Send(t.Context(), testID, workflows.VerbResume, m, SendOptions{RequestID: "click-7", Identity: "bot"})

			require.NoError(t, err)
			require.Contains(t, got.Text, tc.want)
			require.Len(t, f.signals, 1)
			signal := f.signals[0]
			require.Equal(t, "resume", signal.GetSignalName())
			require.Equal(t, "click-7", signal.GetRequestId(), "the server drops a second one")
			require.Equal(t, "bot", signal.GetIdentity())
			require.Equal(t, testID, signal.GetWorkflowExecution().GetWorkflowId())
			require.Empty(t, signal.GetWorkflowExecution().GetRunId())
			var sent workflows.Message
			require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(signal.GetInput(), &sent))
			m.ID = "click-7" // so that it acts once, should the update arrive as well
			require.Equal(t, m, sent)
		})
	}
}

func TestAbortWaitsLess(t *testing.T) {
	f := &frontend{update: silent}
	c := newClient(t, f)
	c.opts.AnswerTimeout = time.Hour

	got, err := c.Send(t.Context(), testID, workflows.VerbAbort, workflows.Message{}, SendOptions{})

	require.NoError(t, err)
	require.Contains(t, got.Text, "no worker answered within 100ms: abort was left as a signal")
	require.NotEmpty(t, f.signals[0].GetRequestId())
}

func TestEditMayTakeLongerThanItsAnswer(t *testing.T) {
	f := &frontend{update: silent}

	got, err := newClient(t, f).Send(t.Context(), testID, workflows.VerbReplan, workflows.Message{}, SendOptions{})

	require.NoError(t, err)
	require.Contains(t, got.Text, "no answer within 200ms: either no worker runs, or the metrics of the edited document are still being prepared")
	require.Len(t, f.signals, 1)
}

func TestSendWithoutAnOpenRollout(t *testing.T) {
	gone := serviceerror.NewNotFound("workflow execution already completed")
	// The server answers, however busy the machine is.
	patient := func(t *testing.T, f *frontend) *Client {
		c := newClient(t, f)
		c.opts.AnswerTimeout = time.Minute
		return c
	}
	t.Run("ended", func(t *testing.T) {
		f := &frontend{update: failing(gone), describe: describes(described(t, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, "", 0))}
		_, err := patient(t, f).Send(t.Context(), testID, workflows.VerbPromote, workflows.Message{}, SendOptions{})
		require.EqualError(t, err, "the rollout of Deployment/web in namespace shop of cluster here has ended (Completed at 2026-03-01T10:05:00Z): start a new one")
	})
	t.Run("never there", func(t *testing.T) {
		_, err := patient(t, &frontend{update: failing(gone)}).Send(t.Context(), testID, workflows.VerbPromote, workflows.Message{}, SendOptions{})
		require.True(t, IsNotFound(err))
		require.EqualError(t, err, "no rollout of Deployment/web in namespace shop of cluster here is known to Temporal: name another namespace with -n; `sluice list -A --closed` shows all")
	})
	t.Run("ended before the signal", func(t *testing.T) {
		f := &frontend{
			update: silent, signal: func(*workflowservice.SignalWorkflowExecutionRequest) error { return gone },
			describe: describes(described(t, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, "", 0)),
		}
		_, err := newClient(t, f).Send(t.Context(), testID, workflows.VerbAbort, workflows.Message{}, SendOptions{})
		var ended *Ended
		require.ErrorAs(t, err, &ended)
		require.Equal(t, "Terminated", ended.How)
	})
}

func TestSendEndsWithItsCaller(t *testing.T) {
	f := &frontend{update: silent}
	c := newClient(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := c.Send(ctx, testID, workflows.VerbAbort, workflows.Message{}, SendOptions{})

	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, f.signals)
}
