package control

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/workflows"
)

// starts records the request and starts a run.
func starts(into **workflowservice.StartWorkflowExecutionRequest) func(*workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
	return func(r *workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
		*into = r
		return &workflowservice.StartWorkflowExecutionResponse{RunId: testRun, Started: true}, nil
	}
}

func TestStart(t *testing.T) {
	var got *workflowservice.StartWorkflowExecutionRequest
	c := newClient(t, &frontend{start: starts(&got)})

	run, err := c.Start(t.Context(), testInput(), StartOptions{Link: "https://ci.example/1"})

	require.NoError(t, err)
	require.Equal(t, Run{ID: testID, RunID: testRun}, run)
	require.Equal(t, testID, got.GetWorkflowId())
	require.Equal(t, workflows.WorkflowType, got.GetWorkflowType().GetName())
	require.Equal(t, workflows.TaskQueue, got.GetTaskQueue().GetName())
	require.Equal(t, enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL, got.GetWorkflowIdConflictPolicy())
	require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, got.GetWorkflowIdReusePolicy())
	require.Zero(t, got.GetWorkflowExecutionTimeout().AsDuration(), "a timeout would close the workflow without a compensation")
	require.Zero(t, got.GetWorkflowRunTimeout().AsDuration())
	require.Nil(t, got.GetRetryPolicy())
	require.Contains(t, string(got.GetUserMetadata().GetSummary().GetData()), "web: main=shop/web:v2 by alice")
	require.Contains(t, string(got.GetUserMetadata().GetDetails().GetData()), "https://ci.example/1")
	require.Len(t, got.GetSearchAttributes().GetIndexedFields(), 5)
	require.True(t, sentInput(t, got).SearchAttributes)
}

func TestStartCarriesItsRequestID(t *testing.T) {
	var got *workflowservice.StartWorkflowExecutionRequest
	c := newClient(t, &frontend{start: starts(&got)})

	_, err := c.Start(t.Context(), testInput(), StartOptions{RequestID: "r1"})
	require.NoError(t, err)
	require.Equal(t, "r1", got.GetRequestId())

	_, err = c.Start(t.Context(), testInput(), StartOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, got.GetRequestId())
	require.NotEqual(t, "r1", got.GetRequestId())
}

func sentInput(t *testing.T, r *workflowservice.StartWorkflowExecutionRequest) workflows.Input {
	t.Helper()
	var in workflows.Input
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(r.GetInput(), &in))
	return in
}

func TestStartWithoutSearchAttributes(t *testing.T) {
	cases := map[string]struct {
		attrs func() (map[string]enumspb.IndexedValueType, error)
		want  string
	}{
		"none registered": {
			attrs: func() (map[string]enumspb.IndexedValueType, error) { return nil, nil },
			want:  "does not know our search attributes",
		},
		"wrong type": {
			attrs: func() (map[string]enumspb.IndexedValueType, error) {
				types := allAttributes()
				types["SluiceStep"] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
				return types, nil
			},
			want: "SluiceStep is Keyword, not Int",
		},
		"not readable": {
			attrs: func() (map[string]enumspb.IndexedValueType, error) { return nil, serviceerror.NewInternal("broken") },
			want:  "could not be read (broken)",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got *workflowservice.StartWorkflowExecutionRequest
			c := newClient(t, &frontend{start: starts(&got), attrs: tc.attrs})

			run, err := c.Start(t.Context(), testInput(), StartOptions{})

			require.NoError(t, err)
			require.Len(t, run.Warnings, 1)
			require.Contains(t, run.Warnings[0], tc.want)
			require.Empty(t, got.GetSearchAttributes().GetIndexedFields(), "an unknown attribute would fail the start")
			require.False(t, sentInput(t, got).SearchAttributes)
		})
	}
}

func TestStartWhileOneIsOpen(t *testing.T) {
	c := newClient(t, &frontend{start: func(*workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("open", "", testRun)
	}})

	_, err := c.Start(t.Context(), testInput(), StartOptions{})

	var open *AlreadyRunning
	require.ErrorAs(t, err, &open)
	require.Equal(t, Run{ID: testID, RunID: testRun}, open.Run)
	require.EqualError(t, err, "a rollout of Deployment/web in namespace shop of cluster here is open already (run "+testRun+")")
}

func TestStartRefusesADisabledDocument(t *testing.T) {
	c := newClient(t, &frontend{})
	in := testInput()
	in.Rollout.Disabled = true

	_, err := c.Start(t.Context(), in, StartOptions{})

	var refused *Refused
	require.ErrorAs(t, err, &refused)
}

func TestStartInAnUnknownNamespace(t *testing.T) {
	c := newClient(t, &frontend{start: func(*workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
		return nil, serviceerror.NewNamespaceNotFound("ops")
	}})

	_, err := c.Start(t.Context(), testInput(), StartOptions{})

	require.ErrorContains(t, err, `has no namespace "ops": make it with`)
}

func TestSummaryFitsTheServer(t *testing.T) {
	in := testInput()
	in.By = strings.Repeat("发布", 200)

	text := summary(in)

	require.LessOrEqual(t, len(text), maxSummary)
	require.True(t, strings.HasSuffix(text, "发") || strings.HasSuffix(text, "布"), "no character is cut in two")
}

func TestChangeText(t *testing.T) {
	cases := map[string]struct {
		change workload.Change
		want   string
	}{
		"images in order":       {workload.Change{Images: map[string]string{"web": "b:2", "main": "a:1"}}, "main=a:1, web=b:2"},
		"image of the only one": {workload.Change{Images: map[string]string{"": "a:1"}}, "a:1"},
		"values stay secret":    {workload.Change{Env: map[string]map[string]string{"main": {"TOKEN": "hunter2"}}}, "environment TOKEN"},
		"template":              {workload.Change{Template: []byte("{}")}, "the template of a manifest"},
		"present":               {workload.Change{Current: true}, "the present template"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, ChangeText(tc.change)) })
	}
}
