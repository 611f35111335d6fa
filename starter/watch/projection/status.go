// Package projection turns what a rollout says of itself into the status of a
// Rollout object, in the words of Kruise Rollouts: phases, conditions, states of
// steps and messages as its users and their tools know them. It is pure, so that
// every turn of the story is a row of a table.
package projection

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Status is the status of a Rollout object.
type Status struct {
	ObservedGeneration int64         `json:"observedGeneration,omitempty"`
	CanaryStatus       *CanaryStatus `json:"canaryStatus,omitempty"`
	Conditions         []Condition   `json:"conditions,omitempty"`
	// Phase is one of the Phase constants.
	Phase string `json:"phase,omitempty"`
	// Message says what happens or what is waited for.
	Message string `json:"message,omitempty"`
	// CurrentStepIndex and CurrentStepState are those of CanaryStatus, for the
	// columns of kubectl.
	CurrentStepIndex int32  `json:"currentStepIndex"`
	CurrentStepState string `json:"currentStepState"`
	// Relayed identifies the last message that was made of a patch of this status,
	// while the rollout is open: what is patched after it is another message.
	Relayed string `json:"relayed,omitempty"`
}

// CanaryStatus is how far the canary is.
type CanaryStatus struct {
	ObservedWorkloadGeneration int64  `json:"observedWorkloadGeneration,omitempty"`
	ObservedRolloutID          string `json:"observedRolloutID,omitempty"`
	RolloutHash                string `json:"rolloutHash,omitempty"`
	StableRevision             string `json:"stableRevision,omitempty"`
	PodTemplateHash            string `json:"podTemplateHash"`
	// CurrentStepIndex counts from 1; NextStepIndex is -1 after the last step and
	// may be patched in order to jump.
	CurrentStepIndex int32 `json:"currentStepIndex"`
	NextStepIndex    int32 `json:"nextStepIndex"`
	// CurrentStepState may be patched from StepPaused to StepReady in order to
	// promote.
	CurrentStepState    string       `json:"currentStepState"`
	FinalisingStep      string       `json:"finalisingStep"`
	Message             string       `json:"message,omitempty"`
	LastUpdateTime      *metav1.Time `json:"lastUpdateTime,omitempty"`
	CanaryRevision      string       `json:"canaryRevision"`
	CanaryReplicas      int32        `json:"canaryReplicas"`
	CanaryReadyReplicas int32        `json:"canaryReadyReplicas"`
}

// Condition is one aspect of a Rollout.
type Condition struct {
	Type               string      `json:"type"`
	Status             string      `json:"status"`
	LastUpdateTime     metav1.Time `json:"lastUpdateTime,omitempty"`
	LastTransitionTime metav1.Time `json:"lastTransitionTime,omitempty"`
	Reason             string      `json:"reason"`
	Message            string      `json:"message"`
}

// The phases.
const (
	PhaseInitial     = "Initial"
	PhaseHealthy     = "Healthy"
	PhaseProgressing = "Progressing"
	PhaseTerminating = "Terminating"
	PhaseDisabled    = "Disabled"
	PhaseDisabling   = "Disabling"
)

// The types of conditions.
const (
	Progressing = "Progressing"
	Succeeded   = "Succeeded"
	Terminating = "Terminating"
)

// The reasons of conditions.
const (
	ReasonInitializing  = "Initializing"
	ReasonInRolling     = "InRolling"
	ReasonPaused        = "Paused"
	ReasonCancelling    = "Cancelling"
	ReasonFinalising    = "Finalising"
	ReasonCompleted     = "Completed"
	ReasonInTerminating = "InTerminating"
)

// The states of a step that the workflow has no word for.
const (
	StepBeforeUpgrade   = "BeforeStepUpgrade"
	StepMetricsAnalysis = "StepMetricsAnalysis"
	StepPaused          = "StepPaused"
	StepReady           = "StepReady"
	StepCompleted       = "Completed"
)

// The finalising steps that are told.
const (
	finalisingPromote  = "ResumeWorkload"
	finalisingRollback = "FinalisingStepRouteTrafficToStable"
	finalisingEnd      = "END"
)
