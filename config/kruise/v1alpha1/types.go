// Package v1alpha1 is the Rollout document rollouts.kruise.io/v1alpha1 as
// people write it, with the fields of its first releases.
package v1alpha1

import (
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/config/kruise"
)

// APIVersion of the documents of this package.
const APIVersion = kruise.Group + "/v1alpha1"

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
	ObjectRef Target   `json:"objectRef"`
	Strategy  Strategy `json:"strategy"`
	Disabled  bool     `json:"disabled,omitempty"`
	// RolloutID is accepted and ignored, as Kruise does.
	RolloutID string `json:"rolloutID,omitempty"`
}

// Target holds the reference to the workload.
type Target struct {
	// Type is a field of the first releases: workloadRef or absent.
	Type        string            `json:"type,omitempty"`
	WorkloadRef *kruise.ObjectRef `json:"workloadRef,omitempty"`
}

// Strategy is always canary.
type Strategy struct {
	Paused bool `json:"paused,omitempty"`
	// Type is a field of the first releases: canary or absent.
	Type   string  `json:"type,omitempty"`
	Canary *Canary `json:"canary,omitempty"`
}

// Canary releases in steps.
type Canary struct {
	Steps                        []Step              `json:"steps,omitempty"`
	TrafficRoutings              []TrafficRouting    `json:"trafficRoutings,omitempty"`
	FailureThreshold             *intstr.IntOrString `json:"failureThreshold,omitempty"`
	PatchPodTemplateMetadata     *kruise.PodMetadata `json:"patchPodTemplateMetadata,omitempty"`
	DisableGenerateCanaryService bool                `json:"disableGenerateCanaryService,omitempty"`
}

// Step is one stage of a release.
type Step struct {
	// Weight is a percentage of requests, and of pods where Replicas is absent.
	Weight                *int32                 `json:"weight,omitempty"`
	RequestHeaderModifier *kruise.HeaderModifier `json:"requestHeaderModifier,omitempty"`
	Matches               []Match                `json:"matches,omitempty"`
	Replicas              *intstr.IntOrString    `json:"replicas,omitempty"`
	Pause                 kruise.Pause           `json:"pause,omitempty"`
}

// Match is a rule on the headers of a request; all must hold.
type Match struct {
	Headers []kruise.ValueMatch `json:"headers,omitempty"`
}

// TrafficRouting names the Service and the route in front of it.
type TrafficRouting struct {
	Service            string `json:"service"`
	GracePeriodSeconds *int32 `json:"gracePeriodSeconds,omitempty"`
	// Type is a field of the first releases, the class of the Ingress.
	Type              string             `json:"type,omitempty"`
	Ingress           *kruise.Ingress    `json:"ingress,omitempty"`
	Gateway           *kruise.Gateway    `json:"gateway,omitempty"`
	CustomNetworkRefs []kruise.ObjectRef `json:"customNetworkRefs,omitempty"`
}
