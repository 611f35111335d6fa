package control

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// frontend is a Temporal frontend that answers as a test says. Its handlers are
// fields; those that are nil answer "unimplemented".
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer
	operatorservice.UnimplementedOperatorServiceServer

	start     func(*workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error)
	update    func(context.Context, *workflowservice.UpdateWorkflowExecutionRequest) (*workflowservice.UpdateWorkflowExecutionResponse, error)
	signal    func(*workflowservice.SignalWorkflowExecutionRequest) error
	query     func(context.Context, *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error)
	describe  func(*workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error)
	history   func(context.Context, *workflowservice.GetWorkflowExecutionHistoryRequest) (*workflowservice.GetWorkflowExecutionHistoryResponse, error)
	list      func(*workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
	namespace func() error
	register  func(*workflowservice.RegisterNamespaceRequest) error
	add       func(*operatorservice.AddSearchAttributesRequest) error
	attrs     func() (map[string]enumspb.IndexedValueType, error)

	mu      sync.Mutex
	signals []*workflowservice.SignalWorkflowExecutionRequest
}

const (
	testID  = "rollout:here:shop:Deployment:web"
	testRun = "11111111-1111-1111-1111-111111111111"
)

// newClient starts the frontend on loopback and connects to it.
func newClient(t *testing.T, f *frontend) *Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer(grpc.UnaryInterceptor(toStatus))
	workflowservice.RegisterWorkflowServiceServer(server, f)
	operatorservice.RegisterOperatorServiceServer(server, f)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	c, err := Dial(t.Context(), client.Options{HostPort: listener.Addr().String(), Namespace: "ops"}, "from the test")
	require.NoError(t, err)
	t.Cleanup(c.Close)
	c.opts.AnswerTimeout, c.opts.AbortTimeout = 200*time.Millisecond, 100*time.Millisecond
	c.retry = time.Millisecond
	return c
}

// toStatus sends service errors as a real frontend does.
func toStatus(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	response, err := handle(ctx, request)
	if err != nil {
		return nil, serviceerror.ToStatus(err).Err()
	}
	return response, nil
}

var errUnimplemented = serviceerror.NewUnimplemented("not in this test")

func (f *frontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{ServerVersion: "test", Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

func (f *frontend) StartWorkflowExecution(_ context.Context, r *workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
	if f.start == nil {
		return nil, errUnimplemented
	}
	return f.start(r)
}

func (f *frontend) UpdateWorkflowExecution(ctx context.Context, r *workflowservice.UpdateWorkflowExecutionRequest) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
	if f.update == nil {
		return nil, errUnimplemented
	}
	return f.update(ctx, r)
}

func (f *frontend) SignalWorkflowExecution(_ context.Context, r *workflowservice.SignalWorkflowExecutionRequest) (*workflowservice.SignalWorkflowExecutionResponse, error) {
	f.mu.Lock()
	f.signals = append(f.signals, r)
	f.mu.Unlock()
	if f.signal == nil {
		return &workflowservice.SignalWorkflowExecutionResponse{}, nil
	}
	return &workflowservice.SignalWorkflowExecutionResponse{}, f.signal(r)
}

func (f *frontend) QueryWorkflow(ctx context.Context, r *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error) {
	if f.query == nil {
		return nil, serviceerror.NewFailedPrecondition("no poller seen for task queue recently, worker may be down")
	}
	return f.query(ctx, r)
}

func (f *frontend) DescribeWorkflowExecution(_ context.Context, r *workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if f.describe == nil {
		return nil, serviceerror.NewNotFound("workflow not found")
	}
	return f.describe(r)
}

func (f *frontend) GetWorkflowExecutionHistory(ctx context.Context, r *workflowservice.GetWorkflowExecutionHistoryRequest) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	if f.history == nil {
		return nil, errUnimplemented
	}
	return f.history(ctx, r)
}

func (f *frontend) ListWorkflowExecutions(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if f.list == nil {
		return nil, errUnimplemented
	}
	return f.list(r)
}

func (f *frontend) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	if f.namespace == nil {
		return &workflowservice.DescribeNamespaceResponse{}, nil
	}
	return &workflowservice.DescribeNamespaceResponse{}, f.namespace()
}

func (f *frontend) RegisterNamespace(_ context.Context, r *workflowservice.RegisterNamespaceRequest) (*workflowservice.RegisterNamespaceResponse, error) {
	if f.register == nil {
		return nil, errUnimplemented
	}
	return &workflowservice.RegisterNamespaceResponse{}, f.register(r)
}

func (f *frontend) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest) (*operatorservice.ListSearchAttributesResponse, error) {
	types := allAttributes()
	if f.attrs != nil {
		var err error
		if types, err = f.attrs(); err != nil {
			return nil, err
		}
	}
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: types}, nil
}

func (f *frontend) AddSearchAttributes(_ context.Context, r *operatorservice.AddSearchAttributesRequest) (*operatorservice.AddSearchAttributesResponse, error) {
	if f.add == nil {
		return nil, errUnimplemented
	}
	return &operatorservice.AddSearchAttributesResponse{}, f.add(r)
}

// allAttributes is a namespace that knows ours.
func allAttributes() map[string]enumspb.IndexedValueType {
	types := map[string]enumspb.IndexedValueType{}
	for _, key := range wanted {
		types[key.GetName()] = key.GetValueType()
	}
	return types
}

// payload encodes a value as the SDK does.
func payload(t *testing.T, value any) *commonpb.Payload {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayload(value)
	require.NoError(t, err)
	return p
}

func payloads(t *testing.T, values ...any) *commonpb.Payloads {
	t.Helper()
	all := &commonpb.Payloads{}
	for _, value := range values {
		all.Payloads = append(all.Payloads, payload(t, value))
	}
	return all
}

var (
	began = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	ended = began.Add(5 * time.Minute)
)

// described is a run with search attributes, open where status is Running.
func described(t *testing.T, status enumspb.WorkflowExecutionStatus, phase workflows.Phase, step int) *workflowservice.DescribeWorkflowExecutionResponse {
	t.Helper()
	info := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: testID, RunId: testRun},
		Type:      &commonpb.WorkflowType{Name: workflows.WorkflowType},
		StartTime: timestamppb.New(began), Status: status, HistoryLength: 10,
	}
	if status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING && status != enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED {
		info.CloseTime = timestamppb.New(ended)
	}
	if phase != "" {
		info.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{
			"SluicePhase": payload(t, string(phase)), "SluiceStep": payload(t, step), "SluiceRevision": payload(t, "rev2"),
		}}
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}
}

// describes answers every description with the same run.
func describes(d *workflowservice.DescribeWorkflowExecutionResponse) func(*workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return func(*workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
		return d, nil
	}
}

// answers answers every query with the same status.
func answers(t *testing.T, s workflows.Status) func(context.Context, *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error) {
	t.Helper()
	result := payloads(t, s)
	return func(_ context.Context, r *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error) {
		if r.GetQuery().GetQueryType() != workflows.StatusQuery {
			return nil, serviceerror.NewQueryFailed("unknown query")
		}
		return &workflowservice.QueryWorkflowResponse{QueryResult: result}, nil
	}
}

// recorded answers for the history: its first event, or its last where the end
// is asked for.
func recorded(t *testing.T, last *historypb.HistoryEvent) func(context.Context, *workflowservice.GetWorkflowExecutionHistoryRequest) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	t.Helper()
	first := &historypb.HistoryEvent{
		EventId: 1, EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
			WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: payloads(t, testInput())},
		},
	}
	return func(_ context.Context, r *workflowservice.GetWorkflowExecutionHistoryRequest) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
		event := first
		if r.GetHistoryEventFilterType() == enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT {
			event = last
		}
		return &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{Events: []*historypb.HistoryEvent{event}}}, nil
	}
}

// testInput starts a rollout of three steps, the last of them implicit.
func testInput() workflows.Input {
	in := workflows.Input{Cluster: "here", By: "alice", Reason: "release"}
	in.Rollout = config.Rollout{
		Name: "web", Namespace: "shop", Workload: config.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
		Steps: []config.Step{
			{Weight: new(10), Replicas: config.Amount{Value: 1}, Hold: config.Hold{Mode: config.HoldApproval}},
			{Replicas: config.Amount{Value: 50, Percent: true}, Hold: config.Hold{Mode: config.HoldTimed, Duration: config.Duration(time.Minute)},
				Matches: []config.Match{{Headers: []config.ValueMatch{{Name: "user-agent", Type: config.MatchExact, Value: "android"}}}}},
		},
	}
	in.Change.Images = map[string]string{"main": "shop/web:v2"}
	return in
}
