package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/config/settings"
)

//go:generate go run sluice.dev/sluice/worker docs ../docs/worker.md

// newDocs is the hidden command that writes docs/worker.md.
func newDocs() *cobra.Command {
	return &cobra.Command{
		Use: "docs FILE", Short: "Write the reference of the settings", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := os.WriteFile(args[0], []byte(reference()), 0o644); err != nil {
				return fmt.Errorf("writing the reference: %w", err)
			}
			return nil
		},
	}
}

const referenceHead = `# sluice-worker

<!-- Made by ` + "`go generate ./worker`" + `; a test checks that it is up to date. -->

sluice-worker executes rollouts against one cluster: it runs the workflows of the task queue
` + "`sluice` and the activities of `sluice-<cluster>`" + `. Run two or more; any of them goes on where another
has stopped. It needs the rights of deploy/rbac/worker.yaml.

Whoever may start a rollout chooses to which address the files below ` + "`--prometheus-credentials`" + ` are
sent: put nothing there but what all of them may use. The token and the password of the worker's own
Prometheus have to be there, too, and no document may name them.

## What it serves

| path | on | answer |
| --- | --- | --- |
| ` + "`/healthz`" + ` | both addresses | 200 for as long as the process lives, also while it stops |
| ` + "`/readyz`" + ` | both addresses | 200 while it takes work, 503 before and while it stops |
| ` + "`/metrics`" + ` | both addresses | Prometheus: ` + "`sluice_*`, `temporal_*`, `go_*`, `process_*`" + ` |
| ` + "`/debug/pprof/`" + ` | ` + "`--profiling-address`" + ` | Go's profiles |

## What to alert on

| metric | meaning |
| --- | --- |
| ` + "`sluice_operation_failing_seconds`" + ` | how long ago the oldest operation was asked for whose last try here has failed and is made again; 0 where none is. A return to stable is tried every 5 s without end, as while the API server is away, and serving is safe meanwhile; over a minute or two somebody should look (` + "`sluice status`" + ` tells what is waited for) |
| ` + "`sluice_operations_failing`" + ` | how many such operations there are. Tries of one operation may go to several workers, each of which counts it for a minute: take the largest, not the sum |
| ` + "`sluice_operation_failures_total{operation}`" + ` | tries that have failed and are made again |
| ` + "`sluice_compensation_failures`" + ` | operations of a return that have failed for good and are begun anew, with growing pauses |
| ` + "`sluice_lost_rollouts`" + ` | rollouts whose workflow is gone (` + "`--janitor`" + `) |
| ` + "`sluice_long_histories`" + ` | rollouts whose history grows long |

## How it stops

At SIGTERM or SIGINT it takes no more work. Activities that only wait are given back at once, for
another worker to take over; those in the middle of a write have the time of ` + "`--stop-timeout`" + `, all of
them together, and are given back then, too. Nothing has to be repaired: each reads the live state
first. In a cluster, let ` + "`terminationGracePeriodSeconds`" + ` be some seconds longer. The exit code is 0,
or 1 with the reason on standard error if it could not start or failed.

## Settings

A flag counts before a variable, and a variable before the file. Unknown keys in the file are refused.
Temporal is found as its own tools find it (` + "`TEMPORAL_*`" + ` variables and profiles), Kubernetes as kubectl
does or, in the cluster, by the service account.

| flag | variable | key in sluice.yaml | default | meaning |
| --- | --- | --- | --- | --- |
`

// reference is the documentation of the worker, with the table of its settings.
func reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, s := range settings.OfWorker() {
		flag := s.Flag
		if flag != "" {
			flag = "--" + flag
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", code(flag), code(s.Env), code(s.Key), code(s.Default), s.Usage)
	}
	return b.String()
}

// code marks a text as one that is typed.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
