package control

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"sluice.dev/sluice/workflows"
)

// story is a rollout whose states follow each other: each decision of the
// workflow, which is an event, leads to the next.
type story struct {
	t      *testing.T
	mu     sync.Mutex
	states []workflows.Status
	at     int
	events chan struct{}
	// queries counts how often the rollout was asked.
	queries int
}

func (s *story) next() {
	s.mu.Lock()
	s.at++
	s.mu.Unlock()
	s.events <- struct{}{}
}

func (s *story) now() workflows.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.states[s.at]
}

func (s *story) frontend() *frontend {
	return &frontend{
		describe: func(*workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
			status := enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
			if s.now().Phase.Ended() {
				status = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
			}
			return described(s.t, status, "", 0), nil
		},
		query: func(ctx context.Context, r *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error) {
			s.mu.Lock()
			s.queries++
			s.mu.Unlock()
			return answers(s.t, s.now())(ctx, r)
		},
		history: s.history,
	}
}

// history is a long poll: it waits for the next event.
func (s *story) history(ctx context.Context, r *workflowservice.GetWorkflowExecutionHistoryRequest) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	response := &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{}, NextPageToken: []byte("more")}
	if len(r.GetNextPageToken()) == 0 {
		// What was known before the watch wakes nobody.
		response.History.Events = []*historypb.HistoryEvent{{EventId: 1, EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED}}
		return response, nil
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.events:
	}
	response.History.Events = []*historypb.HistoryEvent{
		{EventId: 11, EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED},
		{EventId: 12, EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED},
	}
	return response, nil
}

func TestWatchYieldsEachChange(t *testing.T) {
	s := &story{t: t, events: make(chan struct{}, 10), states: []workflows.Status{
		{Phase: workflows.PhaseHolding, Step: 1}, {Phase: workflows.PhaseHolding, Step: 2}, {Phase: workflows.PhasePromoted, Step: 3},
	}}
	c := newClient(t, s.frontend())

	var seen []int
	for status, err := range c.Watch(t.Context(), testID) {
		require.NoError(t, err)
		seen = append(seen, status.Step)
		if len(seen) < len(s.states) {
			s.next()
		}
	}

	require.Equal(t, []int{1, 2, 3}, seen)
	require.Equal(t, 3, s.queries, "one question for each decision")
}

func TestWatchEndsWithItsCaller(t *testing.T) {
	s := &story{t: t, events: make(chan struct{}, 10), states: []workflows.Status{{Phase: workflows.PhaseHolding}}}
	c := newClient(t, s.frontend())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	n := 0
	for range c.Watch(ctx, testID) {
		n++
		cancel()
	}

	require.Equal(t, 1, n)
}

func TestWatchOfNothingEnds(t *testing.T) {
	c := newClient(t, &frontend{})

	var errs []error
	for _, err := range c.Watch(t.Context(), testID) {
		errs = append(errs, err)
	}

	require.Len(t, errs, 1)
	require.True(t, IsNotFound(errs[0]))
}

func TestWatchSurvivesAnOutage(t *testing.T) {
	calls := 0
	f := &frontend{query: answers(t, workflows.Status{Phase: workflows.PhasePromoted})}
	f.describe = func(*workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
		if calls++; calls == 1 {
			return nil, serviceerror.NewDeadlineExceeded("the database is away")
		}
		return described(t, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, "", 0), nil
	}
	c := newClient(t, f)

	var errs []error
	var last Status
	for status, err := range c.Watch(t.Context(), testID) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		last = status
	}

	require.Len(t, errs, 1)
	require.False(t, Permanent(errs[0]))
	require.Equal(t, workflows.PhasePromoted, last.Phase)
}

func TestWatchFollowsAReset(t *testing.T) {
	const successor = "22222222-2222-2222-2222-222222222222"
	f := &frontend{query: answers(t, workflows.Status{Phase: workflows.PhasePromoted})}
	calls := 0
	f.describe = func(r *workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
		calls++
		if calls == 1 || r.GetExecution().GetRunId() == testRun {
			return described(t, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, "", 0), nil
		}
		d := described(t, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, "", 0)
		d.WorkflowExecutionInfo.Execution = &commonpb.WorkflowExecution{WorkflowId: testID, RunId: successor}
		return d, nil
	}
	c := newClient(t, f)

	var phases []workflows.Phase
	for status, err := range c.Watch(t.Context(), testID) {
		require.NoError(t, err)
		phases = append(phases, status.Phase)
	}

	require.Equal(t, []workflows.Phase{workflows.PhasePromoted}, phases, "the terminated run has a successor")
}

func TestPermanent(t *testing.T) {
	require.False(t, Permanent(&Unreachable{Cause: errors.New("refused")}))
	require.False(t, Permanent(serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT, "slow down")))
	require.True(t, Permanent(&NotFound{}))
}
