package workflows

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/config"
)

// TestOrderOvertakesAVerdict: both come in one workflow task, and the main line sees
// only the order. What the verdict has stopped begins again then.
func TestOrderOvertakesAVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		version workflow.Version
		policy  config.FailurePolicy
		verb    Verb
		blamed  bool
	}{
		"paused, jump":          {1, config.FailurePause, VerbJump, false},
		"returned, revise":      {1, config.FailureRollback, VerbRevise, false},
		"of an earlier release": {workflow.DefaultVersion, config.FailurePause, VerbJump, true},
	} {
		t.Run(name, func(t *testing.T) {
			var suite testsuite.WorkflowTestSuite
			env := suite.NewTestWorkflowEnvironment()
			env.OnGetVersion(overtakenVerdict, workflow.DefaultVersion, workflow.Version(1)).Return(c.version)
			env.ExecuteWorkflow(func(ctx workflow.Context) error {
				r := &run{}
				r.phase = PhaseHolding
				r.blame(ctx, &verdictFailure{policy: c.policy, reason: "errors"})
				require.Equal(t, verbVerdict, r.order.verb)
				require.NotNil(t, r.blamed)
				r.act(ctx, c.verb, Message{Step: 1})
				require.Equal(t, c.verb, r.order.verb)
				require.Equal(t, c.blamed, r.blamed != nil)
				return nil
			})
			require.True(t, env.IsWorkflowCompleted())
			require.NoError(t, env.GetWorkflowError())
		})
	}
}
