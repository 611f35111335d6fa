package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/workflows/plan"
)

// scaled follows a workload that somebody else has given another size.
func (r *run) scaled(ctx workflow.Context, pods int) {
	r.note(ctx, fmt.Sprintf("the workload was scaled from %d to %d", r.world.Replicas, pods))
	r.world = r.world.Scaled(pods)
	if have, need := plan.Short(r.doc(), r.world, r.step); have < need {
		r.note(ctx, fmt.Sprintf("warning: the requests of step %d need %d canary pods now; the document asks for %d", r.step+1, need, have))
	}
}

// sizePlanned is the size of the workload that a route was planned for, or 0 where
// it does not matter: the way back waits for nobody.
func (r *run) sizePlanned() int {
	if r.final {
		return 0
	}
	return r.world.Replicas
}

// scaledMeanwhile says that an operation was not done since the workload has
// another size than it was planned for, which the watch has not told: its worker
// may have died, and then it begins anew here. No earlier release asks for it, so
// that no history needs to be told apart by a patch.
func (r *run) scaledMeanwhile(ctx workflow.Context, err error) bool {
	size, is := kube.ScaledTo(err)
	if !is {
		return false
	}
	if size.Pods != r.world.Replicas {
		r.scaled(ctx, size.Pods)
	}
	r.held.Version = size.Version
	return true
}
