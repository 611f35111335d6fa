package frontend

import (
	"fmt"
	"math"
	"slices"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// activity is one activity of a workflow, over all its attempts.
type activity struct {
	server    *Server
	run       *run
	scheduled int64
	spec      *historypb.ActivityTaskScheduledEventAttributes
	since     time.Time

	attempt  int32
	running  bool
	token    string
	identity string
	details  *commonpb.Payloads
	last     *failurepb.Failure
	canceled bool
	ended    bool
	whole    *time.Timer // schedule to close
	clocks   []*time.Timer
}

func (s *Server) scheduleActivity(r *run, c *commandpb.Command, completed int64) {
	in := c.GetScheduleActivityTaskCommandAttributes()
	spec := &historypb.ActivityTaskScheduledEventAttributes{
		ActivityId: in.ActivityId, ActivityType: in.ActivityType, TaskQueue: in.TaskQueue, Header: in.Header, Input: in.Input,
		ScheduleToCloseTimeout: in.ScheduleToCloseTimeout, ScheduleToStartTimeout: in.ScheduleToStartTimeout,
		StartToCloseTimeout: in.StartToCloseTimeout, HeartbeatTimeout: in.HeartbeatTimeout,
		WorkflowTaskCompletedEventId: completed, RetryPolicy: in.RetryPolicy,
	}
	a := &activity{server: s, run: r, spec: spec, since: time.Now()}
	a.scheduled = r.add(enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, &historypb.HistoryEvent{
		UserMetadata: c.UserMetadata,
		Attributes:   &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{ActivityTaskScheduledEventAttributes: spec},
	})
	r.activities[a.scheduled] = a
	if limit := spec.ScheduleToCloseTimeout.AsDuration(); limit > 0 {
		a.whole = time.AfterFunc(limit, s.locked(func() { a.timeOut(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE) }))
	}
	a.offerNew()
}

// offer lets a worker take the next attempt.
func (a *activity) offer() {
	if a.ended {
		return
	}
	a.attempt++
	a.server.ready = append(a.server.ready, a)
}

// takeActivity hands out an attempt. The lock is held.
func (s *Server) takeActivity(req *workflowservice.PollActivityTaskQueueRequest) *workflowservice.PollActivityTaskQueueResponse {
	i := slices.IndexFunc(s.ready, func(a *activity) bool { return !a.ended && a.spec.TaskQueue.GetName() == req.TaskQueue.GetName() })
	if i < 0 {
		return nil
	}
	a := s.ready[i]
	s.ready = slices.Delete(s.ready, i, i+1)
	a.running, a.identity = true, req.Identity
	a.token = fmt.Sprintf("%s %d %d", a.run.runID, a.scheduled, a.attempt)
	s.tokens[a.token] = a
	a.beat()
	token := a.token
	a.clocks = append(a.clocks, time.AfterFunc(a.spec.StartToCloseTimeout.AsDuration(), s.locked(func() {
		if a.token == token {
			a.timeOut(enumspb.TIMEOUT_TYPE_START_TO_CLOSE)
		}
	})))
	return &workflowservice.PollActivityTaskQueueResponse{
		TaskToken: []byte(a.token), WorkflowNamespace: "default", WorkflowType: &commonpb.WorkflowType{Name: a.run.kind},
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: a.run.id, RunId: a.run.runID},
		ActivityType:      a.spec.ActivityType, ActivityId: a.spec.ActivityId, Header: a.spec.Header, Input: a.spec.Input, HeartbeatDetails: a.details,
		ScheduledTime: timestamppb.New(a.since), CurrentAttemptScheduledTime: timestamppb.Now(), StartedTime: timestamppb.Now(), Attempt: a.attempt,
		ScheduleToCloseTimeout: a.spec.ScheduleToCloseTimeout, StartToCloseTimeout: a.spec.StartToCloseTimeout,
		HeartbeatTimeout: a.spec.HeartbeatTimeout, RetryPolicy: a.spec.RetryPolicy,
	}
}

// beat starts the clock of the heartbeat again.
func (a *activity) beat() {
	limit := a.spec.HeartbeatTimeout.AsDuration()
	if limit <= 0 {
		return
	}
	if len(a.clocks) > 0 {
		a.clocks[0].Reset(limit)
		return
	}
	token := a.token
	a.clocks = []*time.Timer{time.AfterFunc(limit, a.server.locked(func() {
		if a.token == token {
			a.timeOut(enumspb.TIMEOUT_TYPE_HEARTBEAT)
		}
	}))}
}

// find returns the activity whose present attempt has a token.
func (s *Server) find(token []byte) (*activity, error) {
	a := s.tokens[string(token)]
	if a == nil || a.ended || !a.running || a.token != string(token) || a.run.closed {
		return nil, serviceerror.NewNotFound("activity not found or its attempt is over")
	}
	return a, nil
}

func (s *Server) heartbeat(req *workflowservice.RecordActivityTaskHeartbeatRequest) (*workflowservice.RecordActivityTaskHeartbeatResponse, error) {
	a, err := s.find(req.TaskToken)
	if err != nil {
		return nil, err
	}
	a.details = req.Details
	a.beat()
	return &workflowservice.RecordActivityTaskHeartbeatResponse{CancelRequested: a.canceled}, nil
}

// rest stops the clocks of an attempt.
func (a *activity) rest() {
	for _, clock := range a.clocks {
		clock.Stop()
	}
	a.clocks, a.running, a.token = nil, false, ""
}

// stop ends the activity.
func (a *activity) stop() {
	a.rest()
	if a.whole != nil {
		a.whole.Stop()
	}
	a.ended = true
}

// end writes how the activity has ended, after the attempt that did it.
func (a *activity) end(kind enumspb.EventType, event func(started int64) *historypb.HistoryEvent) {
	attempt, identity, last, run := a.attempt, a.identity, a.last, a.run
	a.stop()
	run.happen(func() {
		started := run.add(enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskStartedEventAttributes{
			ActivityTaskStartedEventAttributes: &historypb.ActivityTaskStartedEventAttributes{ScheduledEventId: a.scheduled, Identity: identity, Attempt: attempt, LastFailure: last},
		}})
		run.add(kind, event(started))
	})
}

func (s *Server) activityCompleted(req *workflowservice.RespondActivityTaskCompletedRequest) (*workflowservice.RespondActivityTaskCompletedResponse, error) {
	a, err := s.find(req.TaskToken)
	if err != nil {
		return nil, err
	}
	a.end(enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, func(started int64) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
			ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{
				Result: req.Result, ScheduledEventId: a.scheduled, StartedEventId: started, Identity: req.Identity,
			},
		}}
	})
	return &workflowservice.RespondActivityTaskCompletedResponse{}, nil
}

func (s *Server) activityCanceled(req *workflowservice.RespondActivityTaskCanceledRequest) (*workflowservice.RespondActivityTaskCanceledResponse, error) {
	a, err := s.find(req.TaskToken)
	if err != nil {
		return nil, err
	}
	a.endCanceled(req.Details)
	return &workflowservice.RespondActivityTaskCanceledResponse{}, nil
}

func (a *activity) endCanceled(details *commonpb.Payloads) {
	a.end(enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED, func(started int64) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskCanceledEventAttributes{
			ActivityTaskCanceledEventAttributes: &historypb.ActivityTaskCanceledEventAttributes{
				Details: details, ScheduledEventId: a.scheduled, StartedEventId: started,
			},
		}}
	})
}

// cancelActivity tells a running attempt with its next heartbeat, and ends one
// that no worker has.
func (s *Server) cancelActivity(r *run, scheduled, completed int64) {
	r.add(enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskCancelRequestedEventAttributes{
		ActivityTaskCancelRequestedEventAttributes: &historypb.ActivityTaskCancelRequestedEventAttributes{ScheduledEventId: scheduled, WorkflowTaskCompletedEventId: completed},
	}})
	a := r.activities[scheduled]
	if a == nil || a.ended {
		return
	}
	a.canceled = true
	if !a.running {
		a.endCanceled(nil)
	}
}

func (s *Server) activityFailed(req *workflowservice.RespondActivityTaskFailedRequest) (*workflowservice.RespondActivityTaskFailedResponse, error) {
	a, err := s.find(req.TaskToken)
	if err != nil {
		return nil, err
	}
	answer := &workflowservice.RespondActivityTaskFailedResponse{}
	info := req.Failure.GetApplicationFailureInfo()
	final := info.GetNonRetryable() || slices.Contains(a.spec.RetryPolicy.GetNonRetryableErrorTypes(), info.GetType())
	state := enumspb.RETRY_STATE_NON_RETRYABLE_FAILURE
	if !final {
		if a.again(req.Failure, info.GetNextRetryDelay().AsDuration()) {
			return answer, nil
		}
		state = enumspb.RETRY_STATE_TIMEOUT
	}
	a.end(enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED, func(started int64) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskFailedEventAttributes{
			ActivityTaskFailedEventAttributes: &historypb.ActivityTaskFailedEventAttributes{
				Failure: req.Failure, ScheduledEventId: a.scheduled, StartedEventId: started, RetryState: state,
			},
		}}
	})
	return answer, nil
}

// again schedules the next attempt, unless there is to be none.
func (a *activity) again(failure *failurepb.Failure, delay time.Duration) bool {
	policy := a.spec.RetryPolicy
	if a.canceled || policy.GetMaximumAttempts() > 0 && a.attempt >= policy.GetMaximumAttempts() {
		return false
	}
	if delay == 0 {
		delay = time.Duration(float64(policy.GetInitialInterval().AsDuration()) * math.Pow(policy.GetBackoffCoefficient(), float64(a.attempt-1)))
		if most := policy.GetMaximumInterval().AsDuration(); most > 0 {
			delay = min(delay, most)
		}
	}
	if whole := a.spec.ScheduleToCloseTimeout.AsDuration(); whole > 0 && time.Since(a.since)+delay > whole {
		return false
	}
	a.rest()
	a.last = failure
	a.clocks = []*time.Timer{time.AfterFunc(delay, a.server.locked(func() {
		a.clocks = nil
		a.offer()
	}))}
	return true
}

// timeOut ends an attempt, or the activity, whose time is over.
func (a *activity) timeOut(kind enumspb.TimeoutType) {
	if a.ended {
		return
	}
	failure := &failurepb.Failure{
		Message: "activity " + kind.String() + " timeout", Source: "Server", Cause: a.last,
		FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{TimeoutType: kind, LastHeartbeatDetails: a.details}},
	}
	if kind != enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE && a.again(failure, 0) {
		return
	}
	a.end(enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, func(started int64) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskTimedOutEventAttributes{
			ActivityTaskTimedOutEventAttributes: &historypb.ActivityTaskTimedOutEventAttributes{
				Failure: failure, ScheduledEventId: a.scheduled, StartedEventId: started, RetryState: enumspb.RETRY_STATE_TIMEOUT,
			},
		}}
	})
}

// Forsake takes the present attempts of activities for dead, although their
// worker works: another attempt runs beside each. The types that are named are
// left alone. It returns how many there were.
func (s *Server) Forsake(except ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	found := 0
	for _, r := range s.runs {
		for _, a := range r.activities {
			if a.running && !slices.Contains(except, a.spec.ActivityType.GetName()) {
				a.timeOut(enumspb.TIMEOUT_TYPE_HEARTBEAT)
				found++
			}
		}
	}
	return found
}
