package janitor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/activities/janitor"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
)

// temporal knows one rollout, or none.
type temporal struct {
	client.Client
	status enumspb.WorkflowExecutionStatus
	err    error
}

func (f temporal) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if f.err != nil {
		return nil, f.err
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Status: f.status, Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: "run"},
	}}, nil
}

// events is a history that begins with the input of a rollout.
type events struct{ done bool }

func (e *events) HasNext() bool { return !e.done }

func (e *events) Next() (*historypb.HistoryEvent, error) {
	e.done = true
	input, err := converter.GetDefaultDataConverter().ToPayloads(map[string]any{"rollout": config.Rollout{
		Name: "web", Traffic: config.Traffic{Grace: config.Duration(7 * time.Second), ConfirmTimeout: config.Duration(time.Minute)},
	}})
	return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: input},
	}}, err
}

func (f temporal) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	return &events{}
}

func TestExamine(t *testing.T) {
	left := kubetest.Service()
	left.Name, left.Labels = "demo-canary", map[string]string{release.LabelRollout: "r1", release.LabelWorkload: "demo"}
	broken := kubetest.Deployment(3)
	broken.Annotations[release.AnnotationRelease] = "{"
	running, terminated := enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
	cases := []struct {
		name     string
		temporal temporal
		left     bool
		broken   bool
		lost     bool
		words    string
		document bool
	}{
		{name: "open", temporal: temporal{status: running}, left: true},
		{name: "ended, nothing left", temporal: temporal{status: terminated}},
		{name: "terminated", temporal: temporal{status: terminated}, left: true, lost: true, words: "a canary of size 0", document: true},
		{name: "forgotten", temporal: temporal{err: serviceerror.NewNotFound("none")}, left: true, lost: true, words: "a canary of size 0"},
		{name: "cannot be repaired", temporal: temporal{status: terminated}, broken: true, lost: true, words: "it is not a record of a rollout"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := kubetest.New(kubetest.Deployment(3), kubetest.Service(), kubetest.Ingress())
				if c.left {
					server.Put(left)
				}
				if c.broken {
					server.Put(broken)
				}
				a := &janitor.Activities{Cluster: kubetest.Cluster(t, server), Routes: traffic.Reader{}, Temporal: c.temporal}
				marked, err := a.FindMarked(t.Context())
				require.NoError(t, err)
				require.Equal(t, c.left || c.broken, len(marked.Workloads) == 1)
				q := janitor.Question{WorkflowID: "rollout:default:shop:Deployment:demo", Marked: preflight.Marked{
					Namespace: kubetest.Namespace, Workload: kubetest.Ref(0).Workload,
				}}
				found, err := a.Examine(t.Context(), q)
				require.NoError(t, err)
				require.Equal(t, c.lost, found.Lost)
				require.Contains(t, found.Left, c.words)
				require.Equal(t, c.document, found.Document != nil)
				if c.document {
					require.Equal(t, 7*time.Second, found.Document.Traffic.Grace.Std())
				}
				require.Empty(t, server.Writes(), "it changes nothing")
			})
		})
	}
}

func TestExamineWithoutTemporal(t *testing.T) {
	a := &janitor.Activities{Temporal: temporal{err: errors.New("away")}}
	_, err := a.Examine(t.Context(), janitor.Question{WorkflowID: "w"})
	require.ErrorContains(t, err, "asking Temporal about w: away")
}
