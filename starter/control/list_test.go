package control

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"sluice.dev/sluice/workflows"
)

func TestListQuery(t *testing.T) {
	cases := map[string]struct {
		filter  Filter
		byPhase bool
		want    string
	}{
		"everything":   {Filter{Closed: true}, false, "WorkflowType = 'Rollout'"},
		"open":         {Filter{}, false, "WorkflowType = 'Rollout' AND CloseTime IS NULL"},
		"a cluster":    {Filter{Cluster: "here", Closed: true}, false, "WorkflowType = 'Rollout' AND WorkflowId STARTS_WITH 'rollout:here:'"},
		"a namespace":  {Filter{Cluster: "here", Namespace: "shop", Closed: true}, false, "WorkflowType = 'Rollout' AND WorkflowId STARTS_WITH 'rollout:here:shop:'"},
		"a phase":      {Filter{Closed: true, Phase: "Holding"}, true, "WorkflowType = 'Rollout' AND SluicePhase = 'Holding'"},
		"quoted phase": {Filter{Closed: true, Phase: `a'b\`}, true, `WorkflowType = 'Rollout' AND SluicePhase = 'a\'b\\'`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, listQuery(tc.filter, tc.byPhase)) })
	}
}

// lists answers with executions, and keeps the queries.
func lists(queries *[]string, executions ...*workflowpb.WorkflowExecutionInfo) func(*workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	return func(r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
		*queries = append(*queries, r.GetQuery())
		return &workflowservice.ListWorkflowExecutionsResponse{Executions: executions}, nil
	}
}

func TestListTakesRowsFromSearchAttributes(t *testing.T) {
	var queries []string
	open := described(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, workflows.PhaseHolding, 2).WorkflowExecutionInfo
	foreign := described(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, "", 0).WorkflowExecutionInfo
	foreign.Execution.WorkflowId = "somebody-elses"
	c := newClient(t, &frontend{list: lists(&queries, open, foreign)})

	rows, err := c.List(t.Context(), Filter{Cluster: "here", Phase: workflows.PhaseHolding})

	require.NoError(t, err)
	require.Equal(t, []Row{{
		WorkflowID: testID, Run: testRun, Cluster: "here", Namespace: "shop", Workload: "Deployment/web",
		Phase: workflows.PhaseHolding, Step: 2, Revision: "rev2", Started: began,
	}}, rows)
	require.Contains(t, queries[0], "SluicePhase = 'Holding'")
}

func TestListAsksWhereAttributesAreUnknown(t *testing.T) {
	var queries []string
	run := described(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, "", 0)
	c := newClient(t, &frontend{
		attrs: func() (map[string]enumspb.IndexedValueType, error) { return nil, nil },
		list:  lists(&queries, run.WorkflowExecutionInfo), describe: describes(run),
		query: answers(t, workflows.Status{Phase: workflows.PhaseStuck, Step: 1, Revision: "rev9"}),
	})

	stuck, err := c.List(t.Context(), Filter{Phase: workflows.PhaseStuck})
	require.NoError(t, err)
	require.Len(t, stuck, 1)
	require.Equal(t, "rev9", stuck[0].Revision)
	require.NotContains(t, queries[0], "SluicePhase", "an unknown attribute would fail the list")

	holding, err := c.List(t.Context(), Filter{Phase: workflows.PhaseHolding})
	require.NoError(t, err)
	require.Empty(t, holding)
}

func TestListDoesNotBelieveAttributesOfATerminatedRun(t *testing.T) {
	var queries []string
	run := described(t, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, workflows.PhaseHolding, 1)
	c := newClient(t, &frontend{
		list: lists(&queries, run.WorkflowExecutionInfo), describe: describes(run), query: answers(t, workflows.Status{Phase: workflows.PhaseHolding}),
	})

	rows, err := c.List(t.Context(), Filter{Closed: true})

	require.NoError(t, err)
	require.Equal(t, PhaseTerminated, rows[0].Phase)
}

func TestListPages(t *testing.T) {
	run := described(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, workflows.PhaseHolding, 1).WorkflowExecutionInfo
	pages := 0
	c := newClient(t, &frontend{list: func(*workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
		pages++
		return &workflowservice.ListWorkflowExecutionsResponse{Executions: []*workflowpb.WorkflowExecutionInfo{run, run}, NextPageToken: []byte("more")}, nil
	}})

	rows, err := c.List(t.Context(), Filter{Limit: 3})

	require.NoError(t, err)
	require.Len(t, rows, 3)
	require.Equal(t, 2, pages)
}

func TestHistory(t *testing.T) {
	var queries []string
	run := described(t, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, "", 0)
	c := newClient(t, &frontend{
		describe: describes(run), list: lists(&queries, run.WorkflowExecutionInfo), history: recorded(t, nil),
		query: answers(t, workflows.Status{Run: testRun, Phase: workflows.PhasePromoted, Decisions: []workflows.Decision{{Verb: workflows.VerbPromote, By: "bob", Accepted: true}}}),
	})

	past, err := c.History(t.Context(), testID, 0)

	require.NoError(t, err)
	require.Len(t, past, 1, "the latest run is listed once")
	require.Equal(t, "alice", past[0].By)
	require.Equal(t, "release", past[0].Reason)
	require.Equal(t, "main=shop/web:v2", past[0].Change)
	require.Equal(t, "bob", past[0].Decisions[0].By)
	require.Equal(t, []string{"WorkflowId = '" + testID + "'"}, queries)
}

func TestHistoryOfNothing(t *testing.T) {
	_, err := newClient(t, &frontend{}).History(context.Background(), testID, 0)
	require.True(t, IsNotFound(err))
}
