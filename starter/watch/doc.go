// Package watch is the bypass mode: it follows Rollout objects and the workloads
// that they name, starts a rollout where somebody changes a pod template, turns
// what people write to Rollout objects into messages, and tells in their status
// where the rollout stands. All of it is level-triggered: what was missed while
// the process was away is found when it is back, because the memory of a rollout
// is in Temporal and the memory of a held change is on the workload.
package watch
