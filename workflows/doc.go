// Package workflows is the deterministic part of Sluice: the Rollout workflow,
// its messages and its planner (package plan). Read rollout.go first; it reads
// like the process.
//
// Rules of this package, enforced by `make lint`: no goroutines, no native
// channels or selects, no time.Now, no map ranges, no I/O and no imports of
// client libraries; only the standard library's pure parts, the Temporal SDK,
// package config and the request types of the activities. A change that alters
// the order of commands needs a patch ID in versions.go, and the histories under
// tests/replay must keep replaying.
package workflows
