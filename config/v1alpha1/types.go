// Package v1alpha1 is the Rollout document sluice.dev/v1alpha1, Sluice's own:
// the shape of the Kruise v1beta1 document plus deadlines, a failure policy,
// explicit holds, and cookies as a condition of their own.
package v1alpha1

import (
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/config/kruise"
	"sluice.dev/sluice/config/kruise/v1beta1"
)

// Group and APIVersion of the documents of this package.
const (
	Group      = "sluice.dev"
	APIVersion = Group + "/v1alpha1"
)

// Rollout is the document.
type Rollout struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Metadata   kruise.Metadata `json:"metadata,omitempty"`
	Spec       Spec            `json:"spec"`
	// Status is accepted and ignored.
	Status any `json:"status,omitempty"`
}

// Spec says what is released and how.
type Spec struct {
	WorkloadRef *kruise.ObjectRef `json:"workloadRef"`
	Strategy    Strategy          `json:"strategy"`
	Disabled    bool              `json:"disabled,omitempty"`
	// Deadline of every step that sets none.
	Deadline *Period `json:"deadline,omitempty"`
	// OnFailure is pause or rollback.
	OnFailure *string `json:"onFailure,omitempty"`
	// Prometheus servers; the first one is asked where a metric names none.
	Prometheus []Prometheus `json:"prometheus,omitempty"`
	// Analysis beside the whole rollout.
	Analysis *Analysis `json:"analysis,omitempty"`
	// OnDrift is pause, adopt or enforce.
	OnDrift *string `json:"onDrift,omitempty"`
	// Capacity says how many pods requests need.
	Capacity *Capacity `json:"capacity,omitempty"`
}

// Capacity says how many pods requests need.
type Capacity struct {
	// Headroom in percent, beyond the share of the requests.
	Headroom *int32 `json:"headroom,omitempty"`
}

// Strategy is either canary or blue-green.
type Strategy struct {
	Paused    bool               `json:"paused,omitempty"`
	Canary    *Canary            `json:"canary,omitempty"`
	BlueGreen *v1beta1.BlueGreen `json:"blueGreen,omitempty"`
}

// Canary releases in steps.
type Canary struct {
	Steps                    []Step              `json:"steps,omitempty"`
	TrafficRoutings          []TrafficRouting    `json:"trafficRoutings,omitempty"`
	FailureThreshold         *intstr.IntOrString `json:"failureThreshold,omitempty"`
	PatchPodTemplateMetadata *kruise.PodMetadata `json:"patchPodTemplateMetadata,omitempty"`
	// EnableExtraWorkloadForCanary is true when absent, unlike in Kruise.
	EnableExtraWorkloadForCanary *bool  `json:"enableExtraWorkloadForCanary,omitempty"`
	TrafficRoutingRef            string `json:"trafficRoutingRef,omitempty"`
	DisableGenerateCanaryService bool   `json:"disableGenerateCanaryService,omitempty"`
	// Bake follows the last step.
	Bake *Bake `json:"bake,omitempty"`
	// Isolation is label or selector.
	Isolation *string `json:"isolation,omitempty"`
}

// Step is one stage of a release.
type Step struct {
	// Traffic is a percentage of requests, such as "10%".
	Traffic               *kruise.Percent        `json:"traffic,omitempty"`
	RequestHeaderModifier *kruise.HeaderModifier `json:"requestHeaderModifier,omitempty"`
	Matches               []Match                `json:"matches,omitempty"`
	Replicas              *intstr.IntOrString    `json:"replicas,omitempty"`
	// Pause is the hold in Kruise's words; not together with Hold.
	Pause *Pause `json:"pause,omitempty"`
	// Hold says exactly what the step waits for.
	Hold *Hold `json:"hold,omitempty"`
	// Deadline of this step.
	Deadline *Period `json:"deadline,omitempty"`
	// Analysis of this step; without hold and pause it alone decides.
	Analysis *Analysis `json:"analysis,omitempty"`
}

// Match is a rule on requests; all its conditions must hold.
type Match struct {
	kruise.Match
	// Cookies compares cookies by name.
	Cookies []kruise.ValueMatch `json:"cookies,omitempty"`
}

// Pause is the hold of a step; without a duration it waits for a person.
type Pause struct {
	Duration *Period `json:"duration,omitempty"`
}

// TrafficRouting names the Service and the route in front of it.
type TrafficRouting struct {
	v1beta1.TrafficRouting
	// ConfirmTimeout bounds the wait for the gateway to confirm one change.
	ConfirmTimeout *Period `json:"confirmTimeout,omitempty"`
	// Confirm says how a change is confirmed.
	Confirm *Confirm `json:"confirm,omitempty"`
}

// Confirm pins the level of confirmation and says how to see which side answers.
type Confirm struct {
	// Level is state, probe or grace.
	Level string `json:"level,omitempty"`
	Probe *Probe `json:"probe,omitempty"`
}

// Probe is a request and how its answer tells canary from stable.
type Probe struct {
	Host     string `json:"host,omitempty"`
	Path     string `json:"path,omitempty"`
	Header   string `json:"header,omitempty"`
	JSON     string `json:"json,omitempty"`
	Equals   string `json:"equals,omitempty"`
	Contains string `json:"contains,omitempty"`
	// Metrics takes the place of the answer.
	Metrics bool `json:"metrics,omitempty"`
}
