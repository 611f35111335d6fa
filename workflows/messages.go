package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
)

// Names of what is registered with and sent through Temporal.
const (
	// WorkflowType is the type name of the Rollout workflow.
	WorkflowType = "Rollout"
	// TaskQueue of workflows; activities have one per cluster.
	TaskQueue = "sluice"
	// StatusQuery answers with a Status.
	StatusQuery = "status"
)

// ActivityTaskQueue is the queue whose workers can reach the named cluster, so
// that one Temporal serves many clusters.
func ActivityTaskQueue(cluster string) string { return TaskQueue + "-" + cluster }

// idPrefix begins every workflow ID of ours.
const idPrefix = "rollout"

// WorkflowID names the one open rollout of a workload. Its parts cannot contain
// a colon, and it has no slash because proxies decode slashes.
func WorkflowID(cluster, namespace string, w config.ObjectRef) string {
	return strings.Join([]string{idPrefix, cluster, namespace, w.Kind, w.Name}, ":")
}

// ParseWorkflowID returns the parts of a workflow ID, or an error if it is not
// one of ours.
func ParseWorkflowID(id string) (cluster, namespace, kind, name string, err error) {
	parts := strings.Split(id, ":")
	if len(parts) != 5 || parts[0] != idPrefix {
		return "", "", "", "", fmt.Errorf("%q is not the ID of a rollout: want %s:<cluster>:<namespace>:<Kind>:<name>", id, idPrefix)
	}
	return parts[1], parts[2], parts[3], parts[4], nil
}

// Verb is a message to a rollout. Each verb exists as a Signal, which always
// arrives, and as an Update, which is answered: it is refused at once, with the
// reason, if it is illegal now.
type Verb string

// The verbs.
const (
	// VerbPromote releases the hold of a step.
	VerbPromote Verb = "promote"
	// VerbPause stops before the next operation.
	VerbPause Verb = "pause"
	// VerbResume ends a pause.
	VerbResume Verb = "resume"
	// VerbAbort returns to stable.
	VerbAbort Verb = "abort"
	// VerbRetry tries a failed step again.
	VerbRetry Verb = "retry"
	// VerbJump goes to another step.
	VerbJump Verb = "jump"
	// VerbRevise replaces the revision that is being released by another one.
	VerbRevise Verb = "revise"
	// verbVerdict is no message: metrics interrupt the main line with it.
	verbVerdict Verb = "verdict"
	// VerbReplan goes on by an edited document.
	VerbReplan Verb = "replan"
)

// Verbs are all verbs in the order in which they are documented.
var Verbs = []Verb{VerbPromote, VerbPause, VerbResume, VerbAbort, VerbRetry, VerbJump, VerbRevise, VerbReplan}

// describe says in the Temporal UI what a verb does and takes.
func (v Verb) describe() string {
	switch v {
	case VerbPromote:
		return `Releases the present hold; no payload is needed. Optional: {"step":1,"by":"...","reason":"..."}; {"full":true} for all remaining steps. A step that its metrics have stopped needs a reason; {"skipAnalysis":true} ends the analysis of the whole rollout, too.`
	case VerbPause:
		return "Stops before the next operation; nothing is undone."
	case VerbResume:
		return `Ends a pause. {"adopt":true} keeps what somebody else has changed.`
	case VerbAbort:
		return "Returns all requests to stable and removes the canary."
	case VerbRetry:
		return "Tries the failed step again, or what is undone, without waiting."
	case VerbJump:
		return `Goes to another step. Payload: {"step":2}`
	case VerbRevise:
		return `Releases another revision instead. Payload: {"change":{"images":{"main":"shop:v3"}}}`
	case VerbReplan:
		return "Goes on by an edited document. Sent by `sluice watch` when a Rollout object is edited."
	}
	return ""
}

// Message is the payload of every verb; all fields are optional, and a message
// whose present fields do not fit the rollout does nothing and says so.
type Message struct {
	// Step that is meant, from 1.
	Step int `json:"step,omitempty"`
	// Revision that is meant.
	Revision string `json:"revision,omitempty"`
	// Run is the Temporal run that is meant; after a reset it is required, so
	// that approvals given before the reset do not act again.
	Run string `json:"run,omitempty"`
	// By is who acts, and Reason why; both are kept in the history.
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Full promotes through all remaining steps.
	Full bool `json:"full,omitempty"`
	// SkipAnalysis, with a promote, ends the analysis of the whole rollout, too.
	SkipAnalysis bool `json:"skipAnalysis,omitempty"`
	// Adopt lets resume keep what somebody else has changed, for which the rollout
	// was paused; without it, resume undoes that.
	Adopt bool `json:"adopt,omitempty"`
	// Change is the new revision of a revise.
	Change *workload.Change `json:"change,omitempty"`
	// ID makes a message that arrives more than once, as an Update and as a
	// Signal perhaps, act once.
	ID string `json:"id,omitempty"`
	// Rollout is the edited document of a replan.
	Rollout *config.Rollout `json:"rollout,omitempty"`
}

// Answer is the result of an Update.
type Answer struct {
	// Text says what will happen.
	Text string `json:"text"`
	// Step at which the message was taken, from 1.
	Step int `json:"step"`
	// Run that took it.
	Run string `json:"run"`
}

// Types of application errors.
const (
	// ErrorRefused is the failure of a rollout that was refused before anything
	// was touched.
	ErrorRefused = "Refused"
	// ErrorNotNow is the refusal of an Update.
	ErrorNotNow = "NotNow"
	// ErrorSuperseded says that a later operation has taken over.
	ErrorSuperseded = "Superseded"
)

// Input starts a rollout.
type Input struct {
	// Cluster whose task queue does the activities.
	Cluster string `json:"cluster"`
	// Rollout is the document.
	Rollout config.Rollout `json:"rollout"`
	// Change is the new revision.
	Change workload.Change `json:"change"`
	// By and Reason say who started it and why.
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	// SearchAttributes says that the namespace knows ours; without them a
	// rollout works the same but cannot be searched for.
	SearchAttributes bool `json:"searchAttributes,omitempty"`
	// Repair ends what an earlier rollout of the workload has left, instead of
	// starting one. Of the document, only the names and the graces are used.
	Repair bool `json:"repair,omitempty"`
	// Origin is the Rollout object that the rollout was started for, if any.
	Origin *Origin `json:"origin,omitempty"`
}

// Origin names the Rollout object in the cluster that a rollout belongs to.
type Origin struct {
	// Object is the apiVersion and the name of the Rollout.
	Object string `json:"object"`
	// WorkloadUID tells a workload from a later one of the same name.
	WorkloadUID string `json:"workloadUID"`
	// Revision of the template that was found held.
	Revision string `json:"revision"`
}

// Of says whether it is the Rollout of a group and a name, in whatever version.
func (o *Origin) Of(group, name string) bool {
	if o == nil {
		return false
	}
	version, object, _ := strings.Cut(o.Object, " ")
	theirs, _, _ := strings.Cut(version, "/")
	return theirs == group && object == name
}

// Outcome is how a rollout ended.
type Outcome string

// The outcomes.
const (
	// Promoted means that the new revision is stable now.
	Promoted Outcome = "Promoted"
	// RolledBack means that the old revision serves all requests again.
	RolledBack Outcome = "RolledBack"
)

// Result of a rollout.
type Result struct {
	Outcome Outcome `json:"outcome"`
	// Reason of a rollback.
	Reason string `json:"reason,omitempty"`
	// Revision that was released, and Stable that was there before.
	Revision string `json:"revision"`
	Stable   string `json:"stable"`
	// Decisions that were taken or refused.
	Decisions []Decision `json:"decisions,omitempty"`
	// Kept are fields of the user's objects that did not come back, since somebody
	// else had changed them meanwhile.
	Kept []string `json:"kept,omitempty"`
}

// The search attributes: five keywords and one number, within what SQL
// visibility stores preallocate.
var (
	AttrWorkload  = temporal.NewSearchAttributeKeyKeyword("SluiceWorkload")
	AttrNamespace = temporal.NewSearchAttributeKeyKeyword("SluiceNamespace")
	AttrCluster   = temporal.NewSearchAttributeKeyKeyword("SluiceCluster")
	AttrPhase     = temporal.NewSearchAttributeKeyKeyword("SluicePhase")
	AttrRevision  = temporal.NewSearchAttributeKeyKeyword("SluiceRevision")
	AttrStep      = temporal.NewSearchAttributeKeyInt64("SluiceStep")
)
