// Package settings holds how a process of ours runs: which cluster it serves,
// how it reaches Kubernetes and Temporal, how it logs. A setting comes from, in
// this order, a flag, a SLUICE_* environment variable, the file sluice.yaml, or
// its default. Workflow code does not import this package.
package settings
