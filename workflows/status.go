package workflows

import (
	"time"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
)

// Phase is where a rollout stands.
type Phase string

// The phases.
const (
	// PhaseChecking looks whether the release can be made; nothing is touched.
	PhaseChecking Phase = "Checking"
	// PhaseProgressing is on its way to the next hold.
	PhaseProgressing Phase = "Progressing"
	// PhaseHolding waits for a person or a time.
	PhaseHolding Phase = "Holding"
	// PhasePaused was paused by a person.
	PhasePaused Phase = "Paused"
	// PhaseStuck is a failed step that waits for retry, jump, revise or abort.
	PhaseStuck Phase = "Stuck"
	// PhaseBaking has all requests on the new revision, with the old one kept ready.
	PhaseBaking Phase = "Baking"
	// PhasePromoting makes the new revision stable.
	PhasePromoting Phase = "Promoting"
	// PhaseRollingBack returns to stable.
	PhaseRollingBack Phase = "RollingBack"
	// PhasePromoted and PhaseRolledBack are the endings.
	PhasePromoted   Phase = "Promoted"
	PhaseRolledBack Phase = "RolledBack"
	// PhaseRefused was refused before anything was touched.
	PhaseRefused Phase = "Refused"
)

// Phases are all phases in the order in which they are documented.
var Phases = []Phase{
	PhaseChecking, PhaseProgressing, PhaseHolding, PhasePaused, PhaseStuck, PhaseBaking,
	PhasePromoting, PhaseRollingBack, PhasePromoted, PhaseRolledBack, PhaseRefused,
}

// Ended says whether nothing more will happen.
func (p Phase) Ended() bool {
	return p == PhasePromoted || p == PhaseRolledBack || p == PhaseRefused
}

// StepState is where one step stands, in the words of Kruise Rollouts.
type StepState string

// The states of a step.
const (
	StepPending        StepState = "Pending"
	StepUpgrade        StepState = "StepUpgrade"
	StepTrafficRouting StepState = "StepTrafficRouting"
	StepPaused         StepState = "StepPaused"
	StepReady          StepState = "StepReady"
	StepCompleted      StepState = "Completed"
)

// Status is the answer of the status query: everything that a person or a
// program may want to know about a rollout.
type Status struct {
	Name       string `json:"name"`
	Cluster    string `json:"cluster"`
	Namespace  string `json:"namespace"`
	Workload   string `json:"workload"`
	WorkflowID string `json:"workflowId"`
	Run        string `json:"run"`

	Phase Phase `json:"phase"`
	// Message says in one sentence what happens or what is waited for.
	Message string `json:"message"`
	// Since when the phase lasts.
	Since   time.Time `json:"since"`
	Started time.Time `json:"started"`
	// Working is since when the operation that was begun last is worked on.
	Working time.Time `json:"working,omitzero"`
	// By is who started the rollout, and Reason why.
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Until is the end of a timed hold.
	Until *time.Time `json:"until,omitempty"`

	// Step that is being worked on, from 1, of Steps; Steps counts the implicit
	// last one.
	Step  int          `json:"step"`
	Steps []StepStatus `json:"steps"`

	StableRevision string            `json:"stableRevision"`
	Revision       string            `json:"revision"`
	StableImages   map[string]string `json:"stableImages,omitempty"`
	Images         map[string]string `json:"images,omitempty"`

	// Asked and Confirmed routes: what was written last, and what every gateway
	// replica is known to follow.
	Asked        traffic.Route         `json:"asked"`
	Confirmed    traffic.Route         `json:"confirmed"`
	Confirmation *traffic.Confirmation `json:"confirmation,omitempty"`
	// Unsure says that another route was written since the last was confirmed, by
	// the rollout or by somebody else, so that nobody knows yet which is followed.
	Unsure bool `json:"unsure,omitempty"`

	// Isolation of canary pods; Selects is which revision the user's Service is
	// narrowed to where that is by its selector: "stable", "new", "all" or
	// "changing".
	Isolation config.Isolation `json:"isolation,omitempty"`
	Selects   string           `json:"selects,omitempty"`

	// Replicas of the workload, and pods of the canary.
	Replicas int           `json:"replicas"`
	Canary   workload.Pods `json:"canary"`

	// Paused by a person.
	Paused bool `json:"paused,omitempty"`
	// Drift is what somebody else has changed, for which the rollout is paused.
	Drift *OpenDrift `json:"drift,omitempty"`
	// Failure of the step that is stuck, or of the last try of a return to stable.
	Failure string `json:"failure,omitempty"`

	Warnings  []string   `json:"warnings,omitempty"`
	Decisions []Decision `json:"decisions,omitempty"`
	Timeline  []Event    `json:"timeline,omitempty"`
	Result    *Result    `json:"result,omitempty"`
	// Analyses that have begun, in order.
	Analyses []AnalysisStatus `json:"analyses,omitempty"`
}

// statusSamples is how many samples of each metric a status carries.
const statusSamples = 20

// AnalysisStatus is one analysis. While it runs, its state is in the heartbeats of
// its activity and not known to the workflow.
type AnalysisStatus struct {
	// Where it belongs, in words, and the step, from 1, that it is about: of the
	// whole rollout the present one, while it runs.
	Where string `json:"where"`
	Step  int    `json:"step"`
	// Since when it is measured, and when that ended.
	Since time.Time `json:"since"`
	Ended time.Time `json:"ended,omitzero"`
	// Running says that it goes on; Guard that only a bad verdict ends it.
	Running bool `json:"running,omitempty"`
	Guard   bool `json:"guard,omitempty"`
	// Activity is the ID of the activity that measures.
	Activity string `json:"activity"`
	// State with the verdict and the numbers that it rests on.
	State analysis.State `json:"state,omitzero"`
}

// StepStatus is one step of the plan.
type StepStatus struct {
	// Weight in percent, Matches as text, Replicas of the canary as written.
	Weight   int    `json:"weight"`
	Matches  string `json:"matches,omitempty"`
	Replicas string `json:"replicas"`
	// Hold as text: "approval", "30s", "none", or "metrics" where they alone decide.
	Hold string `json:"hold"`
	// Metrics of the step, by name.
	Metrics string    `json:"metrics,omitempty"`
	State   StepState `json:"state"`
}

// Decision is one message and what became of it.
type Decision struct {
	At   time.Time `json:"at"`
	Verb Verb      `json:"verb"`
	// Via is "signal", "update", "workload" (a change of the workload), "drift" (a
	// change of another object of the rollout) or "history" (it is nearly full).
	Via    string `json:"via"`
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	Step   int    `json:"step,omitempty"`
	// Accepted, or refused for the reason in Text.
	Accepted bool   `json:"accepted"`
	Text     string `json:"text"`
}

// Event is one line of the timeline.
type Event struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}
