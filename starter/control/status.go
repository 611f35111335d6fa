package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"sluice.dev/sluice/workflows"
)

// Status is what is known about a rollout: its own answer, and what only
// Temporal knows.
type Status struct {
	workflows.Status
	// Progress of the operations that run now.
	Progress []Progress `json:"progress,omitempty"`
	// Closed is when the workflow ended, and How in Temporal's word (Completed,
	// Failed, Canceled, Terminated); empty while it is open.
	Closed *time.Time `json:"closed,omitempty"`
	How    string     `json:"how,omitempty"`
	// Note says what is missing where no worker has answered; the status is then
	// pieced together from what Temporal keeps.
	Note string `json:"note,omitempty"`
}

// The phases that are not the workflow's own.
const (
	// PhaseTerminated is a rollout that was terminated; nothing was restored.
	PhaseTerminated workflows.Phase = "Terminated"
	// PhaseFailed is a rollout whose workflow failed in another way than by
	// being refused.
	PhaseFailed workflows.Phase = "Failed"
	// PhaseUnknown is a rollout that is open, while no worker tells more.
	PhaseUnknown workflows.Phase = "Unknown"
)

// Over says whether nothing more will happen.
func (s *Status) Over() bool { return s.Closed != nil || s.Phase.Ended() }

// Status tells where the latest rollout with this workflow ID stands, open or
// closed. The error is NotFound where there is none.
func (c *Client) Status(ctx context.Context, id string) (Status, error) {
	status, _, err := c.statusOf(ctx, id, "")
	return status, err
}

// statusOf is Status for one run, or for the latest; it returns with it what the
// status was made from.
func (c *Client) statusOf(ctx context.Context, id, run string) (Status, description, error) {
	d, err := c.describe(ctx, id, run)
	if err != nil {
		return Status{}, d, err
	}
	status, err := c.query(ctx, id, d)
	var silent *noAnswer
	if errors.As(err, &silent) {
		status.Status, err = c.pieceTogether(ctx, id, d)
		status.Note = silent.note(d)
	}
	if err != nil {
		return Status{}, d, err
	}
	status.complete(d)
	return status, d, nil
}

// noAnswer says that no worker has answered a query.
type noAnswer struct{ cause error }

// Error returns the cause.
func (e *noAnswer) Error() string { return "no worker answers: " + e.cause.Error() }

// errPaused is why a workflow that is paused in Temporal is not asked.
var errPaused = errors.New("the workflow is paused")

// query asks the workflow itself.
func (c *Client) query(ctx context.Context, id string, d description) (Status, error) {
	var status Status
	if d.status() == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED {
		return status, &noAnswer{cause: errPaused}
	}
	limited, cancel := context.WithTimeout(ctx, c.opts.AnswerTimeout)
	defer cancel()
	value, err := c.temporal.QueryWorkflow(limited, id, d.run(), workflows.StatusQuery)
	var precondition *serviceerror.FailedPrecondition
	var failed *serviceerror.QueryFailed
	var notReady *serviceerror.WorkflowNotReady
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return status, c.explain("asking for the status of "+Subject(id), ctx.Err())
	case isTimeout(err), errors.As(err, &precondition), errors.As(err, &failed), errors.As(err, &notReady):
		return status, &noAnswer{cause: err}
	default:
		return status, c.explain("asking for the status of "+Subject(id), err)
	}
	if err := value.Get(&status.Status); err != nil {
		return status, fmt.Errorf("reading the status of %s: %w", Subject(id), err)
	}
	return status, nil
}

// complete adds what only Temporal knows.
func (s *Status) complete(d description) {
	if d.open() {
		s.Progress = progressOf(d)
		s.tellFailure()
		s.measure(d)
		return
	}
	closed := d.closed()
	s.Closed, s.How = &closed, d.closeStatus()
	switch d.status() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		// The workflow had no time to say so, and its last words mislead.
		last := s.Phase
		s.Phase, s.Since = PhaseTerminated, closed
		s.Message = fmt.Sprintf("the workflow was terminated while it was %s: what it had changed is still there; `sluice repair` brings it to its end", last)
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:
		if s.Phase != workflows.PhaseRefused {
			s.Phase, s.Since = PhaseFailed, closed
		}
	default:
	}
}

// tellFailure tells why a return to stable, or the promotion that can only be
// completed, does not come on, as while the API server is away: its operation is tried
// again without end, and the rollout itself hears of no try.
func (s *Status) tellFailure() {
	if s.Failure != "" || s.Phase != workflows.PhaseRollingBack && s.Phase != workflows.PhasePromoting {
		return
	}
	for _, p := range s.Progress {
		if p.Failure == "" || p.Activity == watchActivity || p.Activity == analysisActivity {
			continue
		}
		s.Failure = p.Failure
		if !s.Working.IsZero() {
			s.Failure += fmt.Sprintf(" (worked on since %s, and tried again)", s.Working.UTC().Format(time.RFC3339))
		}
		return
	}
}

// note says why the status is not the rollout's own.
func (e *noAnswer) note(d description) string {
	const kept = "; this is what Temporal keeps of the rollout"
	switch {
	case errors.Is(e.cause, errPaused):
		return "the workflow is paused in Temporal (temporal workflow unpause goes on)" + kept
	case !isTimeout(e.cause) && !strings.Contains(e.cause.Error(), "no poller"):
		return "the rollout cannot be asked (" + rootText(e.cause) + ")" + kept
	case d.open():
		return "no worker answers: is sluice-worker running?" + kept
	}
	return "no worker answers" + kept
}
