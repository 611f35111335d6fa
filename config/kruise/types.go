package kruise

import "cmp"

// Group is the API group of both versions.
const Group = "rollouts.kruise.io"

// Annotations of a Rollout that change what it means.
const (
	// AnnotationRollingStyle chooses canary or partition in v1alpha1.
	AnnotationRollingStyle = Group + "/rolling-style"
	// AnnotationTrafficRouting names a TrafficRouting object in v1alpha1.
	AnnotationTrafficRouting = Group + "/trafficrouting"
)

// RolloutID is an annotation of a workload that numbers its releases: where it is
// set, only a change of it makes a new template a release. As a label of the
// workload it is told in the status only.
const RolloutID = Group + "/rollout-id"

// RolloutIDOf returns the number of the release that a workload is at; empty where
// it has none.
func RolloutIDOf(annotations, labels map[string]string) string {
	return cmp.Or(annotations[RolloutID], labels[RolloutID])
}

// CookieHeader is the name of the header match that stands for a cookie in
// Kruise documents: its value is the name of the cookie.
const CookieHeader = "canary-by-cookie"

// Metadata is the metadata of a document. What the API server fills in is
// accepted and ignored, because people pipe `kubectl get -o yaml`.
type Metadata struct {
	Name        string            `json:"name,omitempty"`
	Namespace   string            `json:"namespace,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`

	CreationTimestamp          any `json:"creationTimestamp,omitempty"`
	DeletionGracePeriodSeconds any `json:"deletionGracePeriodSeconds,omitempty"`
	DeletionTimestamp          any `json:"deletionTimestamp,omitempty"`
	Finalizers                 any `json:"finalizers,omitempty"`
	GenerateName               any `json:"generateName,omitempty"`
	Generation                 any `json:"generation,omitempty"`
	ManagedFields              any `json:"managedFields,omitempty"`
	OwnerReferences            any `json:"ownerReferences,omitempty"`
	ResourceVersion            any `json:"resourceVersion,omitempty"`
	SelfLink                   any `json:"selfLink,omitempty"`
	UID                        any `json:"uid,omitempty"`
}

// ObjectRef names an object in the namespace of the document.
type ObjectRef struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
}

// Percent is a percentage, written as "10%". Whatever else stands there is kept
// for validation to answer.
type Percent string

// UnmarshalText keeps the text as it is.
func (p *Percent) UnmarshalText(text []byte) error {
	*p = Percent(text)
	return nil
}

// Pause is the hold of a step; without a duration it waits for a person.
type Pause struct {
	// Duration in seconds.
	Duration *int32 `json:"duration,omitempty"`
}

// PodMetadata is added to the pod template of the canary.
type PodMetadata struct {
	Annotations map[string]string `json:"annotations,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
}

// ValueMatch compares one named value of a request: a header or a query
// parameter.
type ValueMatch struct {
	// Type is Exact (also when absent) or RegularExpression.
	Type  *string `json:"type,omitempty"`
	Name  string  `json:"name"`
	Value string  `json:"value"`
}

// PathMatch compares the path of a request.
type PathMatch struct {
	// Type is PathPrefix (also when absent), Exact or RegularExpression.
	Type *string `json:"type,omitempty"`
	// Value is "/" when absent.
	Value *string `json:"value,omitempty"`
}

// Match is a rule on requests; all its conditions must hold.
type Match struct {
	Path        *PathMatch   `json:"path,omitempty"`
	Headers     []ValueMatch `json:"headers,omitempty"`
	QueryParams []ValueMatch `json:"queryParams,omitempty"`
}

// Header is a request header with the value to give it.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// HeaderModifier changes request headers on their way to the canary.
type HeaderModifier struct {
	Set    []Header `json:"set,omitempty"`
	Add    []Header `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// Ingress names an Ingress and the class of annotations that it understands.
type Ingress struct {
	ClassType string `json:"classType,omitempty"`
	Name      string `json:"name"`
}

// Gateway names a route of the Gateway API.
type Gateway struct {
	HTTPRouteName *string `json:"httpRouteName,omitempty"`
}
