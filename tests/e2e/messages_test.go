package e2e

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// signal sends a signal as the Temporal Web UI and CLI do: no payload at all, or
// one JSON payload.
func (r *rollout) signal(verb workflows.Verb, json string) {
	r.t.Helper()
	var input *commonpb.Payloads
	if json != "" {
		input = &commonpb.Payloads{Payloads: []*commonpb.Payload{{
			Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(json),
		}}}
	}
	_, err := r.Temporal.WorkflowService().SignalWorkflowExecution(r.ctx, &workflowservice.SignalWorkflowExecutionRequest{
		Namespace:         "default",
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: harness.DemoWorkflow(r.namespace)},
		SignalName:        string(verb), Input: input, RequestId: uuid.NewString(),
	})
	require.NoError(r.t, err)
}

func TestSignalsAsTheWebUISendsThem(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.await(workflows.PhaseHolding, 1)
	r.signal(workflows.VerbPromote, "")
	r.signal(workflows.VerbPromote, "")
	r.holdAt(2, 30, "v2")
	r.signal(workflows.VerbPromote, `{"step":2,"by":"ann"}`)
	r.await(workflows.PhasePromoted, 0)
	r.finish()
	r.restored("v2")
}

// TestResetDoesNotReplayApprovals resets a rollout that holds at step 2 to its
// beginning: the approval of step 1 must not act again.
func TestResetDoesNotReplayApprovals(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	s := r.await(workflows.PhaseHolding, 1)
	r.signal(workflows.VerbPromote, `{"step":1}`)
	r.await(workflows.PhaseHolding, 2)
	id := harness.DemoWorkflow(r.namespace)
	_, err := r.Temporal.ResetWorkflowExecution(r.ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:         "default",
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: s.Run},
		Reason:            "a test", RequestId: uuid.NewString(), WorkflowTaskFinishEventId: r.lastTaskBefore(id, s.Run, "WorkflowExecutionSignaled"),
	})
	require.NoError(t, err)
	s = r.await(workflows.PhaseHolding, 1)
	last := s.Decisions[len(s.Decisions)-1]
	require.False(t, last.Accepted, "%v", s.Decisions)
	require.Contains(t, last.Text, "came from a reset")
	r.sluice("promote", harness.Demo)
	r.holdAt(2, 30, "v2")
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	r.finish()
	r.restored("v1")
}

// lastTaskBefore returns the ID of the last completed workflow task before the
// first event of a type.
func (r *rollout) lastTaskBefore(id, run, event string) int64 {
	r.t.Helper()
	var last int64
	events := r.Temporal.GetWorkflowHistory(r.ctx, id, run, false, 0)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(r.t, err)
		if e.GetEventType().String() == event {
			return last
		}
		if e.GetEventType().String() == "WorkflowTaskCompleted" {
			last = e.GetEventId()
		}
	}
	r.t.Fatalf("no %s in the history", event)
	return 0
}

// TestSignalsByOtherNames: a person in the UI types what comes to mind. What is
// clear acts, what is not is answered.
func TestSignalsByOtherNames(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.await(workflows.PhaseHolding, 1)
	r.signal("stop", "")
	require.NoError(t, harness.Await(r.ctx, "the first signal is answered", func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		return err == nil && len(s.Decisions) == 1, err
	}))
	r.signal("Approve", "")
	s := r.await(workflows.PhaseHolding, 2)
	require.Len(t, s.Decisions, 2)
	require.False(t, s.Decisions[0].Accepted)
	require.Equal(t, workflows.Verb("stop"), s.Decisions[0].Verb)
	require.Contains(t, s.Decisions[0].Text, "send one of promote, pause")
	require.Equal(t, workflows.VerbPromote, s.Decisions[1].Verb)
	r.signal("rollback", `{"by":"ann","reason":"errors"}`)
	s = r.await(workflows.PhaseRolledBack, 0)
	require.Equal(t, "aborted by ann: errors", s.Result.Reason)
	r.finish()
	r.restored("v1")
}
