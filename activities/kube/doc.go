// Package kube is the one doorway to a Kubernetes cluster. Reads come from
// shared informers, waits are woken by them, writes are fenced and carry an
// optimistic lock, and every error of the API becomes one that Temporal retries
// or does not. It knows the marks of package release and nothing of the order
// in which a rollout uses them.
package kube
