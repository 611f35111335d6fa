package config

import "strconv"

// Rollout is the internal form of every accepted document. It is defaulted and
// valid when it comes from Parse; the workflow takes it as part of its input,
// so that its JSON form must stay readable by later releases.
type Rollout struct {
	// Source is the apiVersion that the document was written in.
	Source string `json:"source"`
	// Name of the document, and Namespace of the document and of all it names.
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// Workload is what is released.
	Workload ObjectRef `json:"workload"`
	// Disabled documents are accepted but never start a rollout.
	Disabled bool `json:"disabled,omitempty"`
	// Paused holds the rollout before its next operation until it is resumed.
	Paused bool `json:"paused,omitempty"`
	// Steps in order, at least one. After the last one follows an implicit
	// step to 100 %.
	Steps []Step `json:"steps"`
	// Traffic says which Service and route carry the requests.
	Traffic Traffic `json:"traffic"`
	// CanaryMetadata is added to the pod template of the canary only.
	CanaryMetadata Metadata `json:"canaryMetadata,omitzero"`
	// Isolation is how canary pods are kept out of the user's Service; empty in
	// inputs of releases that knew labels only.
	Isolation Isolation `json:"isolation,omitempty"`
	// Deadline bounds every step that does not set its own: the time for its
	// pods to become ready and its route to be confirmed, holds not counted.
	Deadline Duration `json:"deadline"`
	// OnFailure is what happens when a step meets its deadline or an error that
	// a retry cannot cure.
	OnFailure FailurePolicy `json:"onFailure"`
	// Prometheus servers that metrics are read from; the first one where a metric
	// names none, and that of the worker where there is none.
	Prometheus []Prometheus `json:"prometheus,omitempty"`
	// Analysis beside the whole rollout, from its starting step on.
	Analysis *Analysis `json:"analysis,omitempty"`
	// Bake before the new revision becomes stable.
	Bake *Bake `json:"bake,omitempty"`
	// OnDrift is what happens when somebody else changes an object of the rollout;
	// empty in inputs of releases that did not look.
	OnDrift DriftPolicy `json:"onDrift,omitempty"`
	// Headroom in percent, 0 to 100, that both sides get beyond their share of the
	// requests; DefaultHeadroom where nil, as in inputs of releases in which it was
	// a constant.
	Headroom *int `json:"headroom,omitempty"`
}

// ObjectRef names an object in the namespace of the document.
type ObjectRef struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
}

// Step is one stage of a rollout: how many canary pods, which requests they
// get, and what must happen before the next step.
type Step struct {
	// Weight is the percentage of requests for canary, 0 to 100; nil where only
	// Matches decide.
	Weight *int `json:"weight,omitempty"`
	// Matches send requests to canary whatever the weight is; a request that
	// fits any of them is matched.
	Matches []Match `json:"matches,omitempty"`
	// Replicas of canary in this step.
	Replicas Amount `json:"replicas"`
	// Hold is what the step waits for after its requests are routed.
	Hold Hold `json:"hold"`
	// Deadline of this step; the document's where zero.
	Deadline Duration `json:"deadline,omitempty"`
	// Analysis of this step: it has to pass before the next one begins.
	Analysis *Analysis `json:"analysis,omitempty"`
}

// Hold is what a step waits for before the next one begins.
type Hold struct {
	// Mode says whether it waits for a person, for a time, or not at all.
	Mode HoldMode `json:"mode"`
	// Duration of a timed hold, counted from the moment that the step's route
	// is confirmed.
	Duration Duration `json:"duration,omitempty"`
}

// HoldMode is the kind of a hold.
type HoldMode string

// The kinds of holds.
const (
	// HoldNone goes on at once.
	HoldNone HoldMode = "none"
	// HoldApproval waits for promote.
	HoldApproval HoldMode = "approval"
	// HoldTimed waits for promote or for the end of a duration.
	HoldTimed HoldMode = "timed"
)

// FailurePolicy is what happens when a step fails.
type FailurePolicy string

// The failure policies.
const (
	// FailurePause keeps everything as it is until a person decides.
	FailurePause FailurePolicy = "pause"
	// FailureRollback returns to stable.
	FailureRollback FailurePolicy = "rollback"
)

// Isolation is how canary pods are kept out of the Service of the workload.
type Isolation string

// The ways to isolate.
const (
	// IsolateByLabel gives canary pods another value of one label that the
	// Service selects by; the Service is never written.
	IsolateByLabel Isolation = "label"
	// IsolateBySelector leaves canary pods all labels of the workload and narrows
	// the selector of the Service to the pods of one revision.
	IsolateBySelector Isolation = "selector"
)

// BySelector reports whether the Service is narrowed instead of a label changed.
func (r *Rollout) BySelector() bool { return r.Isolation == IsolateBySelector }

// DriftPolicy is what happens when somebody else changes what a rollout has
// written. What would lose requests is put right at once under every policy.
type DriftPolicy string

// The drift policies.
const (
	// DriftPause leaves the change and asks a person.
	DriftPause DriftPolicy = "pause"
	// DriftAdopt takes the change over and goes on, where that is possible.
	DriftAdopt DriftPolicy = "adopt"
	// DriftEnforce undoes the change, once; a change that comes again pauses.
	DriftEnforce DriftPolicy = "enforce"
)

// Match is a rule on requests; all its conditions must hold.
type Match struct {
	Headers []ValueMatch `json:"headers,omitempty"`
	Cookies []ValueMatch `json:"cookies,omitempty"`
	Query   []ValueMatch `json:"query,omitempty"`
	Path    *ValueMatch  `json:"path,omitempty"`
}

// ValueMatch compares one named value of a request.
type ValueMatch struct {
	// Name of the header, cookie or query parameter; empty for a path.
	Name string `json:"name,omitempty"`
	// Type of comparison.
	Type MatchType `json:"type"`
	// Value or regular expression to compare with.
	Value string `json:"value"`
}

// MatchType is the way in which a value is compared.
type MatchType string

// The ways to compare.
const (
	MatchExact  MatchType = "Exact"
	MatchRegex  MatchType = "RegularExpression"
	MatchPrefix MatchType = "PathPrefix"
)

// Traffic names the Service of the workload and the route in front of it.
type Traffic struct {
	// Service that selects the workload's pods.
	Service string `json:"service"`
	// Ingress that routes to Service.
	Ingress IngressRef `json:"ingress"`
	// Grace is waited after the gateway has confirmed a change and before a pod
	// that could have been chosen before it is stopped: long enough for the
	// longest request in flight. Kruise: gracePeriodSeconds.
	Grace Duration `json:"grace"`
	// ConfirmTimeout bounds the wait for the gateway to confirm one change.
	ConfirmTimeout Duration `json:"confirmTimeout"`
	// Confirm says how a change of the route is confirmed.
	Confirm Confirm `json:"confirm,omitzero"`
}

// IngressRef names an Ingress and the class of annotations that it understands.
type IngressRef struct {
	Name string `json:"name"`
	// Class is the annotation dialect, for example nginx.
	Class string `json:"class"`
}

// Metadata is labels and annotations.
type Metadata struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Amount is a number of pods: absolute, or a percentage of the workload.
type Amount struct {
	Value   int  `json:"value"`
	Percent bool `json:"percent,omitempty"`
	// Implied says that the document names a weight only: there are as many pods
	// as the weight needs.
	Implied bool `json:"implied,omitempty"`
}

// Of returns how many pods the amount means for a workload of total pods:
// percentages are rounded up, as Kruise does, and the result is between 0 and
// total.
func (a Amount) Of(total int) int {
	n := a.Value
	if a.Percent {
		n = (total*a.Value + 99) / 100
	}
	return max(0, min(n, total))
}

// all says that the amount is the whole workload, whatever its size.
func (a Amount) all() bool { return a.Percent && a.Value == 100 }

// String returns the amount as it is written in a document: "3" or "30%".
func (a Amount) String() string {
	if a.Percent {
		return strconv.Itoa(a.Value) + "%"
	}
	return strconv.Itoa(a.Value)
}

// StepDeadline returns the deadline of step i (from 0), its own or the
// document's. The implicit last step has the document's.
func (r *Rollout) StepDeadline(i int) Duration {
	if i >= 0 && i < len(r.Steps) && r.Steps[i].Deadline > 0 {
		return r.Steps[i].Deadline
	}
	return r.Deadline
}
