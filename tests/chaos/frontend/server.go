// Package frontend is as much of a Temporal server as Sluice's workers and a
// client need, in the memory of one process: histories, workflow tasks, timers,
// activities with retries and heartbeats, signals. It does not listen: clients
// reach it through Server.Dial, over a Link that can be cut, which is how the
// sudden death of a worker looks from outside.
//
// It exists because a crash at every write of every kind of rollout is hundreds
// of runs, and each takes minutes of timers. Nothing here sleeps on anything but
// timers of Go's runtime, so that in a bubble of testing/synctest those minutes
// take no time. What is run against it is the real SDK, which replays histories
// from their beginning at each workflow task.
package frontend

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"sync"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Server holds the workflows of one namespace. Make it with New.
type Server struct {
	mu     sync.Mutex
	runs   map[string]*run // by workflow ID
	ready  []*activity     // attempts that wait for a worker
	tokens map[string]*activity
	made   int
	// change is closed, and replaced, when anything has changed.
	change chan struct{}
	broken []error
	delays []delay
}

// New returns a server without workflows.
func New() *Server {
	return &Server{runs: map[string]*run{}, tokens: map[string]*activity{}, change: make(chan struct{})}
}

// Link is the connection of one process. Once it is cut, nothing that the
// process sends arrives, and it gets no answer.
type Link struct {
	once sync.Once
	gone chan struct{}
}

// NewLink returns a link that works.
func NewLink() *Link { return &Link{gone: make(chan struct{})} }

// Cut ends the link, also for calls that are waiting. It may be called twice.
func (l *Link) Cut() { l.once.Do(func() { close(l.gone) }) }

// Gone is closed when the link has been cut.
func (l *Link) Gone() <-chan struct{} { return l.gone }

// errCut has a code that the SDK does not retry. It would wait with a lock that
// others want, and to a bubble that is no wait: its time would stand still.
var errCut = status.Error(codes.PermissionDenied, "the link is cut")

func (l *Link) cut() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// Dial returns the option that makes a client of the SDK, which must be a lazy
// one, talk to the server over a link.
func (s *Server) Dial(link *Link) grpc.DialOption {
	return grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, _ ...grpc.CallOption) error {
		if link.cut() {
			return errCut
		}
		answer, err := s.handle(ctx, link, path.Base(method), req)
		if link.cut() {
			return errCut
		}
		if err != nil {
			return serviceerror.ToStatus(err).Err()
		}
		into, ok := reply.(proto.Message)
		if !ok {
			return fmt.Errorf("answering %s: %T is no message", method, reply)
		}
		proto.Merge(into, answer)
		return nil
	})
}

// handle answers one request; it owns a copy of it.
func (s *Server) handle(ctx context.Context, link *Link, method string, raw any) (proto.Message, error) {
	message, ok := raw.(proto.Message)
	if !ok {
		return nil, serviceerror.NewInvalidArgument(method)
	}
	switch req := proto.Clone(message).(type) {
	case *workflowservice.GetSystemInfoRequest:
		return &workflowservice.GetSystemInfoResponse{ServerVersion: "1.30.0", Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{
			SignalAndQueryHeader: true, InternalErrorDifferentiation: true, ActivityFailureIncludeHeartbeat: true,
			SupportsSchedules: true, EncodedFailureAttributes: true, SdkMetadata: true,
		}}, nil
	case *workflowservice.DescribeNamespaceRequest:
		return &workflowservice.DescribeNamespaceResponse{NamespaceInfo: &namespacepb.NamespaceInfo{
			Name: req.Namespace, Id: req.Namespace, State: enumspb.NAMESPACE_STATE_REGISTERED, Capabilities: &namespacepb.NamespaceInfo_Capabilities{},
		}}, nil
	case *workflowservice.PollWorkflowTaskQueueRequest:
		return poll(ctx, s, link, func() *workflowservice.PollWorkflowTaskQueueResponse { return s.takeWorkflowTask(req) })
	case *workflowservice.PollActivityTaskQueueRequest:
		return poll(ctx, s, link, func() *workflowservice.PollActivityTaskQueueResponse { return s.takeActivity(req) })
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	return s.decide(method, proto.Clone(message))
}

// decide answers the requests that change something.
func (s *Server) decide(method string, message proto.Message) (proto.Message, error) {
	switch req := message.(type) {
	case *workflowservice.StartWorkflowExecutionRequest:
		return s.start(req)
	case *workflowservice.SignalWorkflowExecutionRequest:
		return s.signal(req)
	case *workflowservice.RequestCancelWorkflowExecutionRequest:
		return s.requestCancel(req)
	case *workflowservice.RespondWorkflowTaskCompletedRequest:
		return s.completeTask(req)
	case *workflowservice.RespondWorkflowTaskFailedRequest:
		return s.failTask(req)
	case *workflowservice.RecordActivityTaskHeartbeatRequest:
		return s.heartbeat(req)
	case *workflowservice.RespondActivityTaskCompletedRequest:
		return s.activityCompleted(req)
	case *workflowservice.RespondActivityTaskFailedRequest:
		return s.activityFailed(req)
	case *workflowservice.RespondActivityTaskCanceledRequest:
		return s.activityCanceled(req)
	case *workflowservice.ShutdownWorkerRequest:
		return &workflowservice.ShutdownWorkerResponse{}, nil
	}
	return nil, serviceerror.NewUnimplemented("the server in memory does not know " + method)
}

// poll waits until take has something, for at most as long as the caller does.
func poll[T any, P interface {
	*T
	proto.Message
}](ctx context.Context, s *Server, link *Link, take func() P) (proto.Message, error) {
	for {
		s.mu.Lock()
		if found := take(); found != nil && !link.cut() {
			s.mu.Unlock()
			return found, nil
		}
		change := s.change
		s.mu.Unlock()
		select {
		case <-change:
		case <-link.gone:
			return nil, errCut
		case <-ctx.Done():
			return P(new(T)), nil
		}
	}
}

// changed wakes everybody who waits. The lock is held.
func (s *Server) changed() {
	close(s.change)
	s.change = make(chan struct{})
}

// locked runs what a timer has to do.
func (s *Server) locked(do func()) func() {
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		do()
		s.changed()
	}
}

// Terminate ends a workflow without its knowing, as an operator would.
func (s *Server) Terminate(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[id]; r != nil && !r.closed {
		r.failure = "terminated"
		r.shut()
	}
	s.changed()
}

// View is what is told of a workflow to those who drive a run.
type View struct {
	// RunID of the latest run.
	RunID string
	// Attributes are its search attributes.
	Attributes map[string]*commonpb.Payload
	// Events of its history.
	Events int
	// Closed says that it has ended, Result and Failure how.
	Closed  bool
	Result  *commonpb.Payloads
	Failure string
	// Broken are workflow tasks that a worker could not do: a replay that went
	// another way than the history.
	Broken error
}

// Await returns when a workflow is as wanted, or with the error of ctx.
func (s *Server) Await(ctx context.Context, id string, done func(View) bool) (View, error) {
	for {
		s.mu.Lock()
		view, change := s.view(id), s.change
		s.mu.Unlock()
		if done(view) || view.Broken != nil {
			return view, view.Broken
		}
		select {
		case <-change:
		case <-ctx.Done():
			return view, ctx.Err()
		}
	}
}

func (s *Server) view(id string) View {
	v := View{Broken: errors.Join(s.broken...)}
	if r := s.runs[id]; r != nil {
		v.RunID, v.Attributes, v.Events, v.Closed, v.Result, v.Failure = r.runID, maps.Clone(r.attributes), len(r.events), r.closed, r.result, r.failure
	}
	return v
}

// Trouble says why the last activity of a workflow that has failed did so, for
// those who want to know what a rollout is stuck with.
func (s *Server) Trouble(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := ""
	if r := s.runs[id]; r != nil {
		for _, e := range r.events {
			failure := e.GetActivityTaskFailedEventAttributes().GetFailure()
			if failure == nil {
				failure = e.GetActivityTaskTimedOutEventAttributes().GetFailure()
			}
			for ; failure != nil; failure = failure.GetCause() {
				text = failure.GetMessage()
			}
		}
	}
	return text
}
