package workflows

import "go.temporal.io/sdk/workflow"

// Patch IDs of workflow.GetVersion belong here: one constant each, named as a
// sentence in kebab case, with why it exists, since which release, and what has
// to be gone before it may be removed.

// confirmRefill: when one canary revision has replaced another, the route is
// confirmed at weight 0 before it carries requests again. Without that a gateway
// that is slower with endpoints than with routes sends the first requests to pods
// of the superseded revision, which are gone. Since v0.2.0; rollouts of v0.1.0
// that were revised have to be gone before it may be removed.
const confirmRefill = "confirm-the-canary-of-a-new-revision"

// confirmsRefill says that a rollout does so.
func confirmsRefill(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, confirmRefill, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}
