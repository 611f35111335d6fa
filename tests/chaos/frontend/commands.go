package frontend

import (
	"fmt"
	"maps"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// completeTask does what a workflow has decided.
func (s *Server) completeTask(req *workflowservice.RespondWorkflowTaskCompletedRequest) (*workflowservice.RespondWorkflowTaskCompletedResponse, error) {
	r, err := s.tasked(req.TaskToken)
	if err != nil {
		return nil, err
	}
	answer := &workflowservice.RespondWorkflowTaskCompletedResponse{}
	if closes(req.Commands) && len(r.later) > 0 {
		r.unhandled()
		return answer, nil
	}
	completed := r.add(enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowTaskCompletedEventAttributes{
		WorkflowTaskCompletedEventAttributes: &historypb.WorkflowTaskCompletedEventAttributes{
			ScheduledEventId: r.scheduled, StartedEventId: r.started, Identity: req.Identity, SdkMetadata: req.SdkMetadata,
		},
	}})
	// What the commands themselves let happen is written after all of them.
	for _, command := range req.Commands {
		if err := s.execute(r, command, completed); err != nil {
			s.broken = append(s.broken, err)
		}
	}
	r.previous, r.scheduled, r.started = r.started, 0, 0
	if r.flush() || req.ForceCreateNewWorkflowTask {
		r.schedule()
	}
	return answer, nil
}

// unhandled lets a workflow that wants to close see first what it has missed.
func (r *run) unhandled() {
	r.add(enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowTaskFailedEventAttributes{
		WorkflowTaskFailedEventAttributes: &historypb.WorkflowTaskFailedEventAttributes{
			ScheduledEventId: r.scheduled, StartedEventId: r.started, Cause: enumspb.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
		},
	}})
	r.scheduled, r.started = 0, 0
	r.flush()
	r.schedule()
}

func closes(commands []*commandpb.Command) bool {
	for _, c := range commands {
		switch c.CommandType {
		case enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION, enumspb.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION, enumspb.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION:
			return true
		}
	}
	return false
}

// execute does one command.
func (s *Server) execute(r *run, c *commandpb.Command, completed int64) error {
	switch c.CommandType {
	case enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK:
		s.scheduleActivity(r, c, completed)
	case enumspb.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK:
		s.cancelActivity(r, c.GetRequestCancelActivityTaskCommandAttributes().ScheduledEventId, completed)
	case enumspb.COMMAND_TYPE_START_TIMER:
		s.startTimer(r, c, completed)
	case enumspb.COMMAND_TYPE_CANCEL_TIMER:
		r.cancelTimer(c.GetCancelTimerCommandAttributes().TimerId, completed)
	case enumspb.COMMAND_TYPE_RECORD_MARKER:
		a := c.GetRecordMarkerCommandAttributes()
		r.add(enumspb.EVENT_TYPE_MARKER_RECORDED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_MarkerRecordedEventAttributes{
			MarkerRecordedEventAttributes: &historypb.MarkerRecordedEventAttributes{
				MarkerName: a.MarkerName, Details: a.Details, Header: a.Header, Failure: a.Failure, WorkflowTaskCompletedEventId: completed,
			},
		}})
	case enumspb.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
		a := c.GetUpsertWorkflowSearchAttributesCommandAttributes()
		maps.Copy(r.attributes, a.SearchAttributes.GetIndexedFields())
		r.add(enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_UpsertWorkflowSearchAttributesEventAttributes{
			UpsertWorkflowSearchAttributesEventAttributes: &historypb.UpsertWorkflowSearchAttributesEventAttributes{
				SearchAttributes: a.SearchAttributes, WorkflowTaskCompletedEventId: completed,
			},
		}})
	case enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION, enumspb.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION, enumspb.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION:
		r.close(c, completed)
	default:
		return fmt.Errorf("the server in memory cannot do command %s", c.CommandType)
	}
	return nil
}

func (s *Server) startTimer(r *run, c *commandpb.Command, completed int64) {
	a := c.GetStartTimerCommandAttributes()
	t := &timer{}
	t.started = r.add(enumspb.EVENT_TYPE_TIMER_STARTED, &historypb.HistoryEvent{
		UserMetadata: c.UserMetadata,
		Attributes: &historypb.HistoryEvent_TimerStartedEventAttributes{TimerStartedEventAttributes: &historypb.TimerStartedEventAttributes{
			TimerId: a.TimerId, StartToFireTimeout: a.StartToFireTimeout, WorkflowTaskCompletedEventId: completed,
		}},
	})
	r.timers[a.TimerId] = t
	t.clock = time.AfterFunc(a.StartToFireTimeout.AsDuration(), s.locked(func() { r.fire(a.TimerId, t) }))
}

// fire writes that a timer has fired, unless it is cancelled before that can be
// written.
func (r *run) fire(id string, t *timer) {
	r.happen(func() {
		if r.timers[id] != t {
			return
		}
		delete(r.timers, id)
		r.add(enumspb.EVENT_TYPE_TIMER_FIRED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_TimerFiredEventAttributes{
			TimerFiredEventAttributes: &historypb.TimerFiredEventAttributes{TimerId: id, StartedEventId: t.started},
		}})
	})
}

func (r *run) cancelTimer(id string, completed int64) {
	t := r.timers[id]
	if t == nil {
		return
	}
	t.clock.Stop()
	delete(r.timers, id)
	r.add(enumspb.EVENT_TYPE_TIMER_CANCELED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_TimerCanceledEventAttributes{
		TimerCanceledEventAttributes: &historypb.TimerCanceledEventAttributes{TimerId: id, StartedEventId: t.started, WorkflowTaskCompletedEventId: completed},
	}})
}

// close ends a workflow and everything that waits for it.
func (r *run) close(c *commandpb.Command, completed int64) {
	switch c.CommandType {
	case enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
		r.result = c.GetCompleteWorkflowExecutionCommandAttributes().Result
		r.add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
			WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{Result: r.result, WorkflowTaskCompletedEventId: completed},
		}})
	case enumspb.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION:
		failure := c.GetFailWorkflowExecutionCommandAttributes().Failure
		r.failure = failure.GetMessage()
		r.add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionFailedEventAttributes{
			WorkflowExecutionFailedEventAttributes: &historypb.WorkflowExecutionFailedEventAttributes{Failure: failure, WorkflowTaskCompletedEventId: completed},
		}})
	default:
		r.failure = "cancelled"
		r.add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionCanceledEventAttributes{
			WorkflowExecutionCanceledEventAttributes: &historypb.WorkflowExecutionCanceledEventAttributes{WorkflowTaskCompletedEventId: completed},
		}})
	}
	r.shut()
}

// shut stops everything that waits for a workflow.
func (r *run) shut() {
	r.closed = true
	for _, t := range r.timers {
		t.clock.Stop()
	}
	for _, a := range r.activities {
		a.stop()
	}
}
