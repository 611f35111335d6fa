// Package control is how everything outside the workflow talks to rollouts: it
// starts them, sends them messages, asks for their status, follows them and
// lists them. The command line tool, the watcher and the chat bots share it.
//
// It needs Temporal alone, never the cluster, and it works, with less detail,
// while no worker answers.
package control
