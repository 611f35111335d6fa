// Package release names the objects and marks of one release, so that every
// activity, the planner and the repair tool agree on them. It is pure.
package release

import (
	"crypto/sha256"
	"encoding/hex"

	"sluice.dev/sluice/config"
)

// The marks that Sluice leaves on objects. They are the only memory of a
// rollout in the cluster and are gone when it has ended.
const (
	// LabelRollout names the rollout that owns an object of ours.
	LabelRollout = "sluice.dev/rollout"
	// LabelWorkload names the workload that an object of ours serves.
	LabelWorkload = "sluice.dev/workload"
	// LabelTrack tells canary pods from stable ones; the canary Deployment and
	// the canary Service select by it.
	LabelTrack = "sluice.dev/track"
	// LabelRevision carries the revision of a canary pod.
	LabelRevision = "sluice.dev/revision"
	// AnnotationSeq fences writes to objects of ours: an operation never
	// overwrites what a later one wrote.
	AnnotationSeq = "sluice.dev/seq"
	// AnnotationBefore on the canary Ingress says which routes may be in force
	// until the present one is confirmed, for probes.
	AnnotationBefore = "sluice.dev/before"
	// AnnotationMark is what an object of ours said when it was last written: a
	// hash by which somebody else's change is told.
	AnnotationMark = "sluice.dev/mark"
	// AnnotationRelease is the one annotation on the user's workload: a Record
	// as JSON, from the hold to the end of the rollout. On a Service whose
	// selector is narrowed it is a ServiceRecord, on an autoscaler that may not
	// scale down an AutoscalerRecord.
	AnnotationRelease = "sluice.dev/release"
	// LabelSelected is on a Service whose selector was written: the number of the
	// operation. The endpoint controller copies labels of Services to their
	// EndpointSlices, which proves that it has seen the selector.
	LabelSelected = "sluice.dev/selected"
	// AnnotationIgnoredBy is a user's promise on a Service: the named managers,
	// separated by commas, leave its selector alone (Flux: spec.ignore, Argo CD:
	// ignoreDifferences).
	AnnotationIgnoredBy = "sluice.dev/ignored-by"

	// TrackCanary is the value of LabelTrack.
	TrackCanary = "canary"
	// FieldManager is the name under which Sluice writes.
	FieldManager = "sluice"
)

// Ref names everything that one release touches. The workflow builds it once
// from the preflight and hands it to every activity.
type Ref struct {
	// ID of the rollout: value of LabelRollout on what it owns.
	ID string `json:"id"`
	// WorkflowID for the record on the workload.
	WorkflowID string `json:"workflowId"`
	// Namespace of all objects.
	Namespace string `json:"namespace"`
	// Workload that is released.
	Workload config.ObjectRef `json:"workload"`
	// Service and Ingress of the user.
	Service string `json:"service"`
	Ingress string `json:"ingress"`
	// Class of the Ingress: the dialect of its annotations.
	Class string `json:"class"`
	// Isolation is the label that keeps canary pods out of Service.
	Isolation Isolation `json:"isolation"`
	// Seq orders operations: it grows with every operation of the workflow.
	Seq int64 `json:"seq"`
	// Confirm says how changes of the route are confirmed.
	Confirm config.Confirm `json:"confirm,omitzero"`
	// StableAnswer is what the probe of Confirm saw before anything was changed;
	// nil where it was not sent.
	StableAnswer *string `json:"stableAnswer,omitempty"`
	// Grace is how long requests in flight may take, for the record; nil where the
	// rollout was begun by a release that did not record it.
	Grace *config.Duration `json:"grace,omitempty"`
}

// Isolation is the override of one label of the pod template on canary pods, so
// that neither the user's Service nor its workload nor a HorizontalPodAutoscaler
// counts them; or, with Mode, the narrowing of the Service's selector.
type Isolation struct {
	// Key of the label: one that the Service selects by.
	Key string `json:"key"`
	// Value that canary pods have instead of the stable one.
	Value string `json:"value"`
	// Mode is config.IsolateBySelector, with no Key and no Value; empty where a
	// label is overridden.
	Mode config.Isolation `json:"mode,omitempty"`
}

// BySelector reports whether the Service is narrowed instead of a label changed.
func (i Isolation) BySelector() bool { return i.Mode == config.IsolateBySelector }

// CanaryDeployment is the name of the extra Deployment.
func (r Ref) CanaryDeployment() string { return CanaryName(r.Workload.Name) }

// CanaryBudget is the name of the PodDisruptionBudget of canary pods.
func (r Ref) CanaryBudget() string { return CanaryName(r.Workload.Name) }

// CanaryService is the name of the Service that selects canary pods.
func (r Ref) CanaryService() string { return CanaryName(r.Service) }

// CanaryIngress is the name of the Ingress that routes to the canary Service.
func (r Ref) CanaryIngress() string { return CanaryName(r.Ingress) }

// maxName is the longest name that leaves room for the suffixes which
// ReplicaSets and pods add to a Deployment's name and that a Service accepts.
const maxName = 63

// CanaryName derives the name of a canary object. Names that would become too
// long are cut and made unique by a hash, so that the result is deterministic
// and a valid DNS label for every valid input.
func CanaryName(name string) string {
	const suffix = "-canary"
	if len(name)+len(suffix) <= maxName {
		return name + suffix
	}
	sum := sha256.Sum256([]byte(name))
	mark := "-" + hex.EncodeToString(sum[:4])
	return name[:maxName-len(suffix)-len(mark)] + mark + suffix
}

// Record is what AnnotationRelease holds: enough to restore the workload from
// the cluster alone when the workflow is gone.
type Record struct {
	ID         string `json:"id"`
	WorkflowID string `json:"workflowId"`
	Seq        int64  `json:"seq"`
	// Stable is the name of the ReplicaSet whose template is the stable one.
	Stable string `json:"stable"`
	// Revision that is being released.
	Revision string `json:"revision"`
	// Promoting says that the new template may already run on the workload.
	Promoting bool `json:"promoting,omitempty"`
	// Baseline is the exact previous state of the fields that are changed.
	Baseline Baseline `json:"baseline"`
	// Service, Ingress and Class of the release, for repair.
	Service string `json:"service"`
	Ingress string `json:"ingress"`
	Class   string `json:"class"`
	// Isolation of canary pods, for repair.
	Isolation Isolation `json:"isolation"`
	// Grace is how long requests in flight may take, for repair; nil where a release
	// that did not record it has written the record.
	Grace *config.Duration `json:"grace,omitempty"`
}

// Renew notes an operation of the rollout: a person may have edited the document
// since the one before.
func (r *Record) Renew(ref Ref) {
	r.Seq = ref.Seq
	if ref.Grace != nil {
		r.Grace = ref.Grace
	}
}

// Side is a revision whose pods the user's Service selects while it is narrowed.
type Side string

// The sides.
const (
	// SideStable is the revision that was there before.
	SideStable Side = "stable"
	// SideNew is the revision that is released, on the pods of the workload.
	SideNew Side = "new"
)

// ServiceRecord is what AnnotationRelease holds on the user's Service while its
// selector may be narrowed: what was there before, and what was written last.
type ServiceRecord struct {
	ID         string `json:"id"`
	WorkflowID string `json:"workflowId"`
	// Workload is the name of the workload that is released.
	Workload string `json:"workload"`
	// Seq fences writes: an earlier operation never overwrites a later one.
	Seq int64 `json:"seq"`
	// Hash is the value of pod-template-hash that the selector was narrowed to;
	// empty since it was widened. The selector did not have this key before.
	Hash string `json:"hash,omitempty"`
}

// AutoscalerRecord is what AnnotationRelease holds on a HorizontalPodAutoscaler
// of the user that may not scale the workload down during the rollout.
type AutoscalerRecord struct {
	ID         string `json:"id"`
	WorkflowID string `json:"workflowId"`
	// Before is the previous value of spec.behavior.scaleDown.selectPolicy; empty
	// where there was none.
	Before string `json:"before,omitempty"`
}

// Baseline is the previous state of the fields of the user's workload that a
// rollout changes. A nil pointer means that the field was absent.
type Baseline struct {
	Paused         *bool   `json:"paused,omitempty"`
	MaxSurge       *string `json:"maxSurge,omitempty"`
	MaxUnavailable *string `json:"maxUnavailable,omitempty"`
}
