package cli

import (
	"errors"
	"fmt"
	"io"
)

// The exit codes of sluice. Scripts rely on them; they are part of the
// reference in docs/cli.md.
const (
	// ExitOK: what was asked for was done; `start --wait` also says that the
	// rollout was promoted.
	ExitOK = 0
	// ExitError: wrong usage, a refusal, or Temporal or the cluster could not be
	// reached; the message says which.
	ExitError = 1
	// ExitRolledBack: `start --wait` saw the rollout return to stable.
	ExitRolledBack = 3
	// ExitWaiting: `start --wait` met its timeout; the rollout goes on, and most
	// likely holds until a person promotes it.
	ExitWaiting = 4
	// ExitInterrupted: Ctrl-C ended the command; a rollout goes on.
	ExitInterrupted = 130
)

// exitCodes explains the codes for the help and the reference.
const exitCodes = `  0    done; with --wait: promoted
  1    wrong usage, refused, or Temporal or the cluster cannot be reached
  3    with --wait: rolled back
  4    with --wait: the timeout passed and the rollout has not ended
  130  interrupted; a rollout goes on
`

// exitError ends a command with a code of its own.
type exitError struct {
	code int
	text string
}

// Error returns the text.
func (e *exitError) Error() string { return e.text }

// exitCode prints what went wrong and returns the code for it.
func exitCode(out io.Writer, err error) int {
	if err == nil {
		return ExitOK
	}
	fmt.Fprintf(out, "sluice: %s\n", err)
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return ExitError
}
