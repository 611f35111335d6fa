package frontend

import (
	"fmt"
	"maps"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// taskTimeout is how long a worker may take for one workflow task: what the
// death of a worker in the middle of one costs.
const taskTimeout = 10 * time.Second

// run is one workflow execution.
type run struct {
	id, runID, kind, queue string
	events                 []*historypb.HistoryEvent
	attributes             map[string]*commonpb.Payload

	// scheduled and started are events of the workflow task that is open, 0 if
	// there is none; previous is the last one that was completed.
	scheduled, started, previous int64
	expiry                       *time.Timer
	// later is what happened while a worker had the task; it is written after it.
	later []func()

	activities map[int64]*activity // by the event that scheduled them
	timers     map[string]*timer

	closed  bool
	result  *commonpb.Payloads
	failure string
}

type timer struct {
	started int64
	clock   *time.Timer
}

// add writes an event.
func (r *run) add(kind enumspb.EventType, e *historypb.HistoryEvent) int64 {
	e.EventId, e.EventTime, e.EventType, e.TaskId = int64(len(r.events))+1, timestamppb.Now(), kind, int64(len(r.events))+1
	r.events = append(r.events, e)
	return e.EventId
}

// happen writes what came from outside of the workflow: at once, or when the
// worker that has the task answers; the workflow is woken by it.
func (r *run) happen(write func()) {
	switch {
	case r.closed:
	case r.started != 0:
		r.later = append(r.later, write)
	default:
		write()
		r.schedule()
	}
}

// schedule opens a workflow task unless one is open.
func (r *run) schedule() {
	if r.closed || r.scheduled != 0 {
		return
	}
	r.scheduled = r.add(enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowTaskScheduledEventAttributes{
		WorkflowTaskScheduledEventAttributes: &historypb.WorkflowTaskScheduledEventAttributes{
			TaskQueue: &taskqueuepb.TaskQueue{Name: r.queue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL}, StartToCloseTimeout: durationpb.New(taskTimeout), Attempt: 1,
		},
	}})
}

func (s *Server) start(req *workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
	if old := s.runs[req.WorkflowId]; old != nil && !old.closed {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("it runs", req.RequestId, old.runID)
	}
	s.made++
	r := &run{
		id: req.WorkflowId, runID: fmt.Sprintf("00000000-0000-4000-8000-%012d", s.made), kind: req.WorkflowType.GetName(), queue: req.TaskQueue.GetName(),
		attributes: map[string]*commonpb.Payload{}, activities: map[int64]*activity{}, timers: map[string]*timer{},
	}
	maps.Copy(r.attributes, req.SearchAttributes.GetIndexedFields())
	s.runs[r.id] = r
	r.add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
			WorkflowType: req.WorkflowType, TaskQueue: req.TaskQueue, Input: req.Input, WorkflowTaskTimeout: durationpb.New(taskTimeout),
			OriginalExecutionRunId: r.runID, FirstExecutionRunId: r.runID, Attempt: 1, Header: req.Header, Memo: req.Memo,
			SearchAttributes: req.SearchAttributes, Identity: req.Identity, WorkflowId: r.id,
		},
	}})
	r.schedule()
	return &workflowservice.StartWorkflowExecutionResponse{RunId: r.runID, Started: true}, nil
}

// open returns a workflow that has not ended.
func (s *Server) open(execution *commonpb.WorkflowExecution) (*run, error) {
	r := s.runs[execution.GetWorkflowId()]
	if r == nil || r.closed {
		return nil, serviceerror.NewNotFound("workflow execution already completed or unknown")
	}
	return r, nil
}

func (s *Server) signal(req *workflowservice.SignalWorkflowExecutionRequest) (*workflowservice.SignalWorkflowExecutionResponse, error) {
	r, err := s.open(req.WorkflowExecution)
	if err != nil {
		return nil, err
	}
	r.happen(func() {
		r.add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
			WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{
				SignalName: req.SignalName, Input: req.Input, Identity: req.Identity, Header: req.Header,
			},
		}})
	})
	return &workflowservice.SignalWorkflowExecutionResponse{}, nil
}

func (s *Server) requestCancel(req *workflowservice.RequestCancelWorkflowExecutionRequest) (*workflowservice.RequestCancelWorkflowExecutionResponse, error) {
	r, err := s.open(req.WorkflowExecution)
	if err != nil {
		return nil, err
	}
	r.happen(func() {
		r.add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionCancelRequestedEventAttributes{
			WorkflowExecutionCancelRequestedEventAttributes: &historypb.WorkflowExecutionCancelRequestedEventAttributes{Identity: req.Identity, Cause: req.Reason},
		}})
	})
	return &workflowservice.RequestCancelWorkflowExecutionResponse{}, nil
}

// takeWorkflowTask hands out a task with the whole history. The lock is held.
func (s *Server) takeWorkflowTask(req *workflowservice.PollWorkflowTaskQueueRequest) *workflowservice.PollWorkflowTaskQueueResponse {
	for _, r := range s.runs {
		if r.closed || r.queue != req.TaskQueue.GetName() || r.scheduled == 0 || r.started != 0 {
			continue
		}
		r.started = r.add(enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{
			WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{ScheduledEventId: r.scheduled, Identity: req.Identity},
		}})
		started := r.started
		r.expiry = time.AfterFunc(taskTimeout, s.locked(func() { r.expire(started) }))
		return &workflowservice.PollWorkflowTaskQueueResponse{
			TaskToken:         r.token(),
			WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: r.id, RunId: r.runID}, WorkflowType: &commonpb.WorkflowType{Name: r.kind},
			PreviousStartedEventId: r.previous, StartedEventId: r.started, Attempt: 1,
			History:                    &historypb.History{Events: r.events},
			WorkflowExecutionTaskQueue: &taskqueuepb.TaskQueue{Name: r.queue}, ScheduledTime: timestamppb.Now(), StartedTime: timestamppb.Now(),
		}
	}
	return nil
}

func (r *run) token() []byte { return fmt.Appendf(nil, "%s %d", r.id, r.started) }

// expire gives up on a worker that does not answer.
func (r *run) expire(started int64) {
	if r.closed || r.started != started {
		return
	}
	r.add(enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowTaskTimedOutEventAttributes{
		WorkflowTaskTimedOutEventAttributes: &historypb.WorkflowTaskTimedOutEventAttributes{
			ScheduledEventId: r.scheduled, StartedEventId: r.started, TimeoutType: enumspb.TIMEOUT_TYPE_START_TO_CLOSE,
		},
	}})
	r.scheduled, r.started = 0, 0
	r.flush()
	r.schedule()
}

// flush writes what came while a worker had the task.
func (r *run) flush() bool {
	later := r.later
	r.later = nil
	for _, write := range later {
		write()
	}
	return len(later) > 0
}

// tasked returns the workflow whose open task has a token.
func (s *Server) tasked(token []byte) (*run, error) {
	for _, r := range s.runs {
		if !r.closed && r.started != 0 && string(r.token()) == string(token) {
			r.expiry.Stop()
			return r, nil
		}
	}
	return nil, serviceerror.NewNotFound("workflow task not found")
}

func (s *Server) failTask(req *workflowservice.RespondWorkflowTaskFailedRequest) (*workflowservice.RespondWorkflowTaskFailedResponse, error) {
	r, err := s.tasked(req.TaskToken)
	if err != nil {
		return nil, err
	}
	s.broken = append(s.broken, fmt.Errorf("a worker failed the task of event %d of %s: %s: %s", r.started, r.id, req.Cause, req.Failure.GetMessage()))
	return &workflowservice.RespondWorkflowTaskFailedResponse{}, nil
}
