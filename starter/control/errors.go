package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/workflows"
)

// AlreadyRunning is the error of Start where the workload has an open rollout.
type AlreadyRunning struct {
	// Run that is open.
	Run Run
}

// Error names the workload and the run.
func (e *AlreadyRunning) Error() string {
	return fmt.Sprintf("a rollout of %s is open already (run %s)", Subject(e.Run.ID), e.Run.RunID)
}

// Refused is the error of Send where the rollout does not do what is asked.
type Refused struct {
	// Text says why.
	Text string
}

// Error returns the reason.
func (e *Refused) Error() string { return "refused: " + e.Text }

// NotFound is the error where a workload has no rollout that Temporal knows.
type NotFound struct {
	// ID of the workflow.
	ID string
}

// Error names the workload and where to look for it.
func (e *NotFound) Error() string {
	return fmt.Sprintf("no rollout of %s is known to Temporal: name another namespace with -n; `sluice list -A --closed` shows all", Subject(e.ID))
}

// Ended is the error of Send where the rollout is closed.
type Ended struct {
	// ID of the workflow.
	ID string
	// How it ended, in Temporal's word, and At which time; both may be unknown.
	How string
	At  time.Time
}

// Error names the workload and how the rollout ended.
func (e *Ended) Error() string {
	text := fmt.Sprintf("the rollout of %s has ended", Subject(e.ID))
	if e.How != "" {
		text += fmt.Sprintf(" (%s at %s)", e.How, e.At.UTC().Format(time.RFC3339))
	}
	return text + ": start a new one"
}

// Unreachable is the error where Temporal does not answer.
type Unreachable struct {
	// Address that was tried, and From, the setting that it came from.
	Address, From string
	// Cause is what the connection said.
	Cause error
}

// Error names the address and where it came from.
func (e *Unreachable) Error() string {
	from := ""
	if e.From != "" {
		from = " (" + e.From + ")"
	}
	return fmt.Sprintf("Temporal cannot be reached at %s%s: %s", e.Address, from, rootText(e.Cause))
}

// Unwrap returns the cause.
func (e *Unreachable) Unwrap() error { return e.Cause }

// Subject says in words which workload a workflow ID means.
func Subject(id string) string {
	cluster, namespace, kind, name, err := workflows.ParseWorkflowID(id)
	if err != nil {
		return id
	}
	return fmt.Sprintf("%s/%s in namespace %s of cluster %s", kind, name, namespace, cluster)
}

// explain adds to an error what was being done, and turns the errors that a
// person meets every day into sentences with a remedy.
func (c *Client) explain(doing string, err error) error {
	var (
		unavailable *serviceerror.Unavailable
		late        *serviceerror.DeadlineExceeded
		denied      *serviceerror.PermissionDenied
		noNamespace *serviceerror.NamespaceNotFound
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unavailable), errors.As(err, &late), errors.Is(err, context.DeadlineExceeded):
		return &Unreachable{Address: c.opts.Address, From: c.opts.AddressFrom, Cause: err}
	case errors.As(err, &noNamespace):
		return fmt.Errorf("%s: Temporal at %s has no namespace %q: make it with `sluice bootstrap`, or name another with --temporal-namespace: %w",
			doing, c.opts.Address, c.opts.Namespace, err)
	case errors.As(err, &denied):
		return fmt.Errorf("%s: Temporal at %s does not allow it in namespace %q: check the API key or certificate: %w",
			doing, c.opts.Address, c.opts.Namespace, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// dialError explains why the first contact failed.
func (c *Client) dialError(err error) error {
	var denied *serviceerror.PermissionDenied
	if errors.As(err, &denied) {
		return c.explain("connecting to Temporal", err)
	}
	return &Unreachable{Address: c.opts.Address, From: c.opts.AddressFrom, Cause: err}
}

// rootText is the last sentence of an error chain, which is the one that says
// what happened ("connection refused").
func rootText(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	text := err.Error()
	for _, mark := range []string{"desc = ", "last connection error: ", "Error while dialing: "} {
		if i := strings.LastIndex(text, mark); i >= 0 {
			text = text[i+len(mark):]
		}
	}
	return strings.Trim(text, `"`)
}

// isNotFound says that Temporal knows no such workflow, or no open one.
func isNotFound(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}

// isTimeout says that nobody answered in time.
func isTimeout(err error) bool {
	var update *client.WorkflowUpdateServiceTimeoutOrCanceledError
	var late *serviceerror.DeadlineExceeded
	return errors.As(err, &update) || errors.As(err, &late) || errors.Is(err, context.DeadlineExceeded)
}

// Permanent says that trying again will not help.
func Permanent(err error) bool {
	var unreachable *Unreachable
	var busy *serviceerror.ResourceExhausted
	return !errors.As(err, &unreachable) && !errors.As(err, &busy)
}
