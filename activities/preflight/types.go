// Package preflight looks at everything a release would touch before anything
// is touched, and refuses what cannot end well. It writes nothing.
package preflight

import (
	"fmt"
	"strings"

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
	// WorkloadUID and Revision are the workload and the template that the rollout
	// was started for; empty where it names its change itself.
	WorkloadUID string `json:"workloadUID,omitempty"`
	Revision    string `json:"revision,omitempty"`
}

// Observed is what the preflight found: the input of the planner.
type Observed struct {
	// Ref names the objects of the release; Seq is 0.
	Ref release.Ref `json:"ref"`
	// Replicas of the workload.
	Replicas int `json:"replicas"`
	// Ready pods of the workload.
	Ready int `json:"ready"`
	// Load is what all requests need; nil where it was not looked at.
	Load *Load `json:"load,omitempty"`
	// StableRevision and CanaryRevision are the hashes of the templates.
	StableRevision string `json:"stableRevision"`
	CanaryRevision string `json:"canaryRevision"`
	// StableReplicaSet runs the stable template.
	StableReplicaSet string `json:"stableReplicaSet"`
	// Images of both revisions, for people: container name to image.
	StableImages map[string]string `json:"stableImages"`
	CanaryImages map[string]string `json:"canaryImages"`
	// Selector of the user's Service.
	Selector map[string]string `json:"selector,omitempty"`
	// Baseline of the workload's fields.
	Baseline release.Baseline `json:"baseline"`
	// Autoscalers of the workload that are kept from scaling it down, and the Budget of
	// the user that covers canary pods, so that they get none of their own.
	Autoscalers []string `json:"autoscalers,omitempty"`
	Budget      string   `json:"budget,omitempty"`
	// Confirm says how changes of the route are confirmed, for people.
	Confirm string `json:"confirm,omitempty"`
	// Warnings that do not stop the release.
	Warnings []string `json:"warnings,omitempty"`
}

// Load is what all requests of a workload need.
type Load struct {
	// Pods that have carried them before the release.
	Pods int `json:"pods"`
	// Scaled by an autoscaler: fewer pods, while requests go to canary, say nothing
	// about what all of them need.
	Scaled bool `json:"scaled,omitempty"`
}

// RemainsRequest asks what an earlier rollout has left on a workload.
type RemainsRequest struct {
	Namespace string           `json:"namespace"`
	Workload  config.ObjectRef `json:"workload"`
	// WorkflowID that repairs; the record on the workload may name another run.
	WorkflowID string `json:"workflowId"`
}

// Remains is what a rollout whose workflow is gone has left, read from the
// cluster alone: the record on the workload and the objects with our labels.
type Remains struct {
	// Found is false if nothing is left.
	Found bool `json:"found"`
	// Observed as the preflight of that rollout saw it; Ref.Seq is the highest
	// number that was written. Warnings say what could not be read.
	Observed Observed `json:"observed"`
	// Held: the workload carries the record.
	Held bool `json:"held,omitempty"`
	// Promoting: the new template may run on the workload; Promoted: all its
	// pods run it.
	Promoting bool `json:"promoting,omitempty"`
	Promoted  bool `json:"promoted,omitempty"`
	// Returning: after Promoting, the workload has the stable template again;
	// Restored: all its pods run it.
	Returning bool `json:"returning,omitempty"`
	Restored  bool `json:"restored,omitempty"`
	// Canary: the canary Deployment, its budget or the canary Service exists, with
	// Replicas asked for.
	Canary   bool `json:"canary,omitempty"`
	Replicas int  `json:"replicas,omitempty"`
	// Metadata that the canary pods have besides that of the template.
	Metadata config.Metadata `json:"metadata,omitzero"`
	// Routed: the canary Ingress exists; Carries: it sends requests to canary.
	Routed  bool `json:"routed,omitempty"`
	Carries bool `json:"carries,omitempty"`
	// Backed: the canary Service, which it leads to, exists.
	Backed bool `json:"backed,omitempty"`
	// Weight of the route.
	Weight int `json:"weight,omitempty"`
	// Narrowed: the user's Service has our record, or selects one revision only:
	// Selects, empty where that is neither stable nor new.
	Narrowed bool         `json:"narrowed,omitempty"`
	Selects  release.Side `json:"selects,omitempty"`
}

// selection says what was done to the user's Service.
func (m Remains) selection() string {
	if m.Selects == "" {
		return "Service " + m.Observed.Ref.Service + " with its record"
	}
	return fmt.Sprintf("Service %s narrowed to the %s pods", m.Observed.Ref.Service, m.Selects)
}

// String says in one line what is left, for people.
func (m Remains) String() string {
	if !m.Found {
		return "nothing"
	}
	var parts []string
	add := func(is bool, text string) {
		if is {
			parts = append(parts, text)
		}
	}
	add(m.Held && !m.Promoting, "the held revision "+m.Observed.CanaryRevision)
	add(m.Promoted, "the new revision "+m.Observed.CanaryRevision+" on all pods")
	add(m.Promoting && !m.Promoted && !m.Returning, "a promotion under way")
	add(m.Returning && !m.Restored, "the return to stable under way")
	add(m.Restored, "stable on all pods again")
	add(m.Canary, fmt.Sprintf("a canary of size %d", m.Replicas))
	add(m.Routed, fmt.Sprintf("a route of weight %d", m.Weight))
	add(m.Carries && m.Weight == 0, "with a match")
	add(m.Narrowed, m.selection())
	return strings.Join(parts, ", ")
}
