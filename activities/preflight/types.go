// Package preflight looks at everything a release would touch before anything
// is touched, and refuses what cannot end well. It writes nothing.
package preflight

import (
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
)

// InspectRequest asks whether a release can be made.
type InspectRequest struct {
	// ID of the rollout that asks: what carries it already is its own work.
	ID         string          `json:"id"`
	WorkflowID string          `json:"workflowId"`
	Rollout    config.Rollout  `json:"rollout"`
	Change     workload.Change `json:"change"`
}

// Observed is what the preflight found: the input of the planner.
type Observed struct {
	// Ref names the objects of the release; Seq is 0.
	Ref release.Ref `json:"ref"`
	// Replicas of the workload.
	Replicas int `json:"replicas"`
	// Ready pods of the workload.
	Ready int `json:"ready"`
	// StableRevision and CanaryRevision are the hashes of the templates.
	StableRevision string `json:"stableRevision"`
	CanaryRevision string `json:"canaryRevision"`
	// StableReplicaSet runs the stable template.
	StableReplicaSet string `json:"stableReplicaSet"`
	// Images of both revisions, for people: container name to image.
	StableImages map[string]string `json:"stableImages"`
	CanaryImages map[string]string `json:"canaryImages"`
	// Baseline of the workload's fields.
	Baseline release.Baseline `json:"baseline"`
	// Warnings that do not stop the release.
	Warnings []string `json:"warnings,omitempty"`
}
