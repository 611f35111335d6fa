// Package v1beta1 is the Rollout document rollouts.kruise.io/v1beta1 as people
// write it.
package v1beta1

import (
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/config/kruise"
)

// APIVersion of the documents of this package.
const APIVersion = kruise.Group + "/v1beta1"

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
}

// Strategy is either canary or blue-green.
type Strategy struct {
	Paused    bool       `json:"paused,omitempty"`
	Canary    *Canary    `json:"canary,omitempty"`
	BlueGreen *BlueGreen `json:"blueGreen,omitempty"`
}

// Canary releases in steps, with an extra Deployment or, without
// EnableExtraWorkloadForCanary, by partition of the workload itself.
type Canary struct {
	Steps                        []Step              `json:"steps,omitempty"`
	TrafficRoutings              []TrafficRouting    `json:"trafficRoutings,omitempty"`
	FailureThreshold             *intstr.IntOrString `json:"failureThreshold,omitempty"`
	PatchPodTemplateMetadata     *kruise.PodMetadata `json:"patchPodTemplateMetadata,omitempty"`
	EnableExtraWorkloadForCanary bool                `json:"enableExtraWorkloadForCanary,omitempty"`
	TrafficRoutingRef            string              `json:"trafficRoutingRef,omitempty"`
	DisableGenerateCanaryService bool                `json:"disableGenerateCanaryService,omitempty"`
}

// BlueGreen releases with both versions at full size.
type BlueGreen struct {
	Steps                        []Step              `json:"steps,omitempty"`
	TrafficRoutings              []TrafficRouting    `json:"trafficRoutings,omitempty"`
	FailureThreshold             *intstr.IntOrString `json:"failureThreshold,omitempty"`
	TrafficRoutingRef            string              `json:"trafficRoutingRef,omitempty"`
	DisableGenerateCanaryService bool                `json:"disableGenerateCanaryService,omitempty"`
}

// Step is one stage of a release.
type Step struct {
	// Traffic is a percentage of requests, such as "10%".
	Traffic               *kruise.Percent        `json:"traffic,omitempty"`
	RequestHeaderModifier *kruise.HeaderModifier `json:"requestHeaderModifier,omitempty"`
	Matches               []kruise.Match         `json:"matches,omitempty"`
	Replicas              *intstr.IntOrString    `json:"replicas,omitempty"`
	Pause                 kruise.Pause           `json:"pause,omitempty"`
}

// TrafficRouting names the Service and the route in front of it.
type TrafficRouting struct {
	Service            string             `json:"service"`
	GracePeriodSeconds *int32             `json:"gracePeriodSeconds,omitempty"`
	Ingress            *kruise.Ingress    `json:"ingress,omitempty"`
	Gateway            *kruise.Gateway    `json:"gateway,omitempty"`
	CustomNetworkRefs  []kruise.ObjectRef `json:"customNetworkRefs,omitempty"`
	AdditionalParams   map[string]string  `json:"additionalParams,omitempty"`
}
