package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Register makes the workflows known to a worker or to a replayer; both use it,
// so that what is replayed in tests is what runs.
func Register(registry worker.WorkflowRegistry) {
	registry.RegisterWorkflowWithOptions(Rollout, workflow.RegisterOptions{Name: WorkflowType})
	registry.RegisterWorkflowWithOptions(Janitor, workflow.RegisterOptions{Name: JanitorType})
}
