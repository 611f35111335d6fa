// Package preview tells what a rollout would do, writing nothing: the preflight
// looks at the workload, and the planner of the workflow is asked for operation
// after operation as the workflow asks it, each taken as done.
package preview
