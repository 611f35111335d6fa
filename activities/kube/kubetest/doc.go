// Package kubetest is a Kubernetes API in memory for unit tests: client-go's
// fake clientset, made to behave as the API server does where Sluice depends on
// it (versions, conflicts, JSON patches with a test, dry runs, preconditions),
// and the controllers of Deployments, ReplicaSets and EndpointSlices in the few
// lines that a release can see. Nothing happens later: when a write returns,
// its consequences are stored.
package kubetest
