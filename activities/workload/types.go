// Package workload changes workloads: it holds a revision, runs canary pods
// beside the stable ones, promotes a revision under cover of the canary, and
// restores what it changed. Every activity is idempotent, reads the live state
// first, and returns only when what it did is published to the endpoints.
package workload

import (
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
)

// Change says how the pod template becomes a new revision. Exactly one way of
// changing it is used: images and environment, a whole template, or Current.
type Change struct {
	// Images by container name.
	Images map[string]string `json:"images,omitempty"`
	// Env by container name, then by variable.
	Env map[string]map[string]string `json:"env,omitempty"`
	// Template is a whole pod template as JSON, from a manifest.
	Template []byte `json:"template,omitempty"`
	// Current takes the template that the workload has now: somebody changed it
	// and it is held already.
	Current bool `json:"current,omitempty"`
}

// HoldRequest proposes a revision and holds it, in one write.
type HoldRequest struct {
	Ref      release.Ref      `json:"ref"`
	Change   Change           `json:"change"`
	Stable   string           `json:"stable"`
	Baseline release.Baseline `json:"baseline"`
	// Freeze keeps autoscalers from scaling the workload down.
	Freeze bool `json:"freeze,omitempty"`
}

// Held is a revision that is proposed and held.
type Held struct {
	// Revision is the hash of the held template.
	Revision string `json:"revision"`
	// Images of the held template by container.
	Images map[string]string `json:"images"`
	// Version is the resourceVersion of the workload after the hold.
	Version string `json:"version"`
	// Warnings for people.
	Warnings []string `json:"warnings,omitempty"`
}

// CanaryRequest asks for canary pods of one revision.
type CanaryRequest struct {
	Ref      release.Ref `json:"ref"`
	Revision string      `json:"revision"`
	Replicas int         `json:"replicas"`
	// Metadata is added to the pod template of the canary.
	Metadata config.Metadata `json:"metadata,omitzero"`
	// Serving says that canary pods may have requests: pods of the revision are not
	// replaced because their template has become another one in what requests cannot
	// tell, which would stop them.
	Serving bool `json:"serving,omitempty"`
}

// Pods is the state of one side's pods.
type Pods struct {
	// Total that exist, and Ready ones that are published to the endpoints.
	Total int `json:"total"`
	Ready int `json:"ready"`
	// Trouble says why pods are not ready, in the cluster's words.
	Trouble string `json:"trouble,omitempty"`
	// Kept names the fields of the workload that somebody else changed meanwhile
	// and that therefore keep their value: field, colon, what is so; a field of
	// another object follows its kind and name.
	Kept []string `json:"kept,omitempty"`
}

// PromoteRequest replaces the stable revision with the held one while no
// request is routed to the workload.
type PromoteRequest struct {
	Ref      release.Ref `json:"ref"`
	Revision string      `json:"revision"`
}

// HaltRequest pauses a workload whose pods are being replaced.
type HaltRequest struct {
	Ref release.Ref `json:"ref"`
}

// RestoreRequest puts the stable template back on the workload.
type RestoreRequest struct {
	Ref release.Ref `json:"ref"`
	// Stable is the ReplicaSet that holds the stable template.
	Stable string `json:"stable"`
	// Baseline of the fields that are restored.
	Baseline release.Baseline `json:"baseline"`
	// Settle waits until every pod of the workload runs the stable template: the
	// way back after a promotion has begun.
	Settle bool `json:"settle,omitempty"`
}

// ReleaseRequest ends the rollout on the workload: canary objects go, and every
// field that was changed has its previous value again.
type ReleaseRequest struct {
	Ref      release.Ref      `json:"ref"`
	Baseline release.Baseline `json:"baseline"`
}

// NarrowRequest lets the user's Service select the pods of one revision only.
type NarrowRequest struct {
	Ref release.Ref `json:"ref"`
	// Side whose pods the Service selects: those of ReplicaSet Stable, or those
	// of the workload that run Revision.
	Side     release.Side `json:"side"`
	Stable   string       `json:"stable,omitempty"`
	Revision string       `json:"revision,omitempty"`
	// Need is how many of those pods must be ready before the write.
	Need int `json:"need,omitempty"`
	// Keep waits until the write changes none of the ready endpoints.
	Keep bool `json:"keep,omitempty"`
	// Again overwrites what somebody else has set instead of the hash that the
	// Service was narrowed to.
	Again bool `json:"again,omitempty"`
}

// WidenRequest gives the user's Service its own selector back.
type WidenRequest struct {
	Ref release.Ref `json:"ref"`
}

// RemoveRequest stops the canary pods.
type RemoveRequest struct {
	Ref release.Ref `json:"ref"`
}

// Selection is what the user's Service selects.
type Selection struct {
	// Hash of the revision that it is narrowed to; empty where it is not.
	Hash string `json:"hash,omitempty"`
	// Kept names the fields that somebody else changed meanwhile and that
	// therefore keep their value: field, colon, what is so.
	Kept []string `json:"kept,omitempty"`
}

// WatchRequest names what the workflow knows about the workload.
type WatchRequest struct {
	Ref      release.Ref `json:"ref"`
	Replicas int         `json:"replicas"`
	// Revision that is held, and StableRevision that is running.
	Revision       string `json:"revision"`
	StableRevision string `json:"stableRevision"`
	Paused         bool   `json:"paused"`
	// Version is a resourceVersion of the workload; older states are not looked
	// at, so that a worker whose view lags behind reports no change that was
	// undone long ago.
	Version string `json:"version,omitempty"`
	// Objects asks for changes of the other objects of the rollout, too.
	Objects bool `json:"objects,omitempty"`
	// Selector that the user's Service had; empty does not look at it.
	Selector map[string]string `json:"selector,omitempty"`
	// Routed and Canary say that the canary Ingress, and Service and Deployment of
	// the canary exist, so that it is a change if they do not.
	Routed bool `json:"routed,omitempty"`
	Canary bool `json:"canary,omitempty"`
	// Known are changes that were reported already, by their kind: the content
	// that was reported. They are not reported again until they were undone.
	Known map[DriftKind]string `json:"known,omitempty"`
}

// DriftKind says what somebody else has done to an object of the rollout beside
// the workload.
type DriftKind string

// The kinds of drift.
const (
	// DriftRoute: the weight or the matches of the canary Ingress were edited.
	DriftRoute DriftKind = "route"
	// DriftRouteGone: the canary Ingress was deleted.
	DriftRouteGone DriftKind = "route-gone"
	// DriftRules: the user's Ingress has other rules for the Service, or the rules
	// of the canary Ingress were edited.
	DriftRules DriftKind = "rules"
	// DriftShadow: the canary takes requests of another path, which the user's
	// Ingress or another one has got.
	DriftShadow DriftKind = "shadow"
	// DriftIngressGone: the user's Ingress was deleted.
	DriftIngressGone DriftKind = "ingress-gone"
	// DriftSelector: the user's Service selects by other labels.
	DriftSelector DriftKind = "selector"
	// DriftNarrowed: the user's Service is not narrowed to the pods that it was
	// narrowed to, or is although it was widened.
	DriftNarrowed DriftKind = "narrowed"
	// DriftService: the canary Service was deleted or edited.
	DriftService DriftKind = "canary-service"
	// DriftCanary: the canary Deployment was deleted, or other images were set.
	DriftCanary DriftKind = "canary"
	// DriftCanarySize: the canary Deployment was scaled.
	DriftCanarySize DriftKind = "canary-size"
)

// Drift is one change by somebody else of an object beside the workload.
type Drift struct {
	Kind DriftKind `json:"kind"`
	// Object is its kind and name, What the change in words, By the field manager
	// that wrote last, where it can be told.
	Object string `json:"object"`
	What   string `json:"what"`
	By     string `json:"by,omitempty"`
	// Content names what was seen, for WatchRequest.Known.
	Content string `json:"content"`
	// Route that is written now, for DriftRoute; nil where it cannot be read.
	Route *traffic.Route `json:"route,omitempty"`
	// Replicas that are asked for now, for DriftCanarySize.
	Replicas int `json:"replicas,omitempty"`
	// Selector of the Service now, for DriftSelector, and whether it finds the
	// pods of the canary, which are to be kept out of it.
	Selector map[string]string `json:"selector,omitempty"`
	Reaches  bool              `json:"reaches,omitempty"`
}

// String says in one line who has done what.
func (d Drift) String() string {
	text := d.Object + ": " + d.What
	if d.By != "" {
		text += " (" + d.By + ")"
	}
	return text
}

// Changed is what somebody else changed on the workload; Revision is empty where
// nothing was.
type Changed struct {
	Replicas int    `json:"replicas"`
	Revision string `json:"revision"`
	Paused   bool   `json:"paused"`
	// Gone says that the workload was deleted.
	Gone bool `json:"gone,omitempty"`
	// Version is the resourceVersion at which this was seen.
	Version string `json:"version,omitempty"`
	// Images of the changed revision by container.
	Images map[string]string `json:"images,omitempty"`
	// By is the field manager of the change, where it can be told.
	By string `json:"by,omitempty"`
	// Drifts are changes of the other objects, which were asked for.
	Drifts []Drift `json:"drifts,omitempty"`
}
