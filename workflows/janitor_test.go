package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/janitor"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// sweep stands in for the janitor's activities: one workload is lost, one is not.
type sweep struct{ asked []string }

func (s *sweep) FindMarked(context.Context) (janitor.Marked, error) {
	marked := func(name string) preflight.Marked {
		return preflight.Marked{Namespace: "shop", Workload: config.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: name}}
	}
	return janitor.Marked{Workloads: []preflight.Marked{marked("web"), marked("open")}}, nil
}

func (s *sweep) Examine(_ context.Context, q janitor.Question) (janitor.Finding, error) {
	s.asked = append(s.asked, q.WorkflowID)
	if q.Workload.Name == "open" {
		return janitor.Finding{}, nil
	}
	last := seed()
	last.Traffic.Grace = config.Duration(7 * time.Second)
	return janitor.Finding{Lost: true, Left: "a route of weight 30", Document: &last}, nil
}

func TestJanitor(t *testing.T) {
	for _, repair := range []bool{false, true} {
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestWorkflowEnvironment()
		s := &sweep{}
		env.RegisterActivity(s)
		env.RegisterWorkflowWithOptions(workflows.Janitor, workflow.RegisterOptions{Name: workflows.JanitorType})
		var repairs []workflows.Input
		env.RegisterWorkflowWithOptions(func(_ workflow.Context, in workflows.Input) (workflows.Result, error) {
			repairs = append(repairs, in)
			return workflows.Result{}, nil
		}, workflow.RegisterOptions{Name: workflows.WorkflowType})
		env.ExecuteWorkflow(workflows.JanitorType, workflows.JanitorInput{Cluster: "east", Repair: repair})
		require.NoError(t, env.GetWorkflowError())
		var result workflows.JanitorResult
		require.NoError(t, env.GetWorkflowResult(&result))
		require.Equal(t, []string{"rollout:east:shop:Deployment:web", "rollout:east:shop:Deployment:open"}, s.asked)
		require.Len(t, result.Lost, 1)
		require.Equal(t, "rollout:east:shop:Deployment:web", result.Lost[0].WorkflowID)
		require.Equal(t, "a route of weight 30", result.Lost[0].Left)
		if !repair {
			require.Empty(t, repairs)
			require.Empty(t, result.Lost[0].Repair)
			continue
		}
		require.Contains(t, result.Lost[0].Repair, "started")
		require.Len(t, repairs, 1)
		in := repairs[0]
		require.True(t, in.Repair)
		require.Equal(t, "web", in.Rollout.Workload.Name)
		require.Equal(t, "shop", in.Rollout.Namespace)
		require.Equal(t, 7*time.Second, in.Rollout.Traffic.Grace.Std())
		require.Empty(t, in.Rollout.Steps)
	}
}
