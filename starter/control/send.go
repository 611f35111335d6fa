package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/workflows"
)

// SendOptions of a message.
type SendOptions struct {
	// RequestID makes a message that is sent twice, such as a double click on a
	// button, act once; random where empty.
	RequestID string
	// Identity is shown as the sender in the Temporal UI; "sluice" where empty.
	Identity string
}

// Send sends a message to the open rollout with this workflow ID and returns its
// answer. Where no worker answers in time the message is left as a signal, which
// always arrives; Answer.Text then says so. The error is Refused where the
// rollout does not do what is asked, NotFound or Ended where there is no open
// one.
//
// A message whose answer was not waited for may arrive twice, as an update and
// as a signal; its ID makes it act once.
func (c *Client) Send(ctx context.Context, id string, verb workflows.Verb, m workflows.Message, opts SendOptions) (workflows.Answer, error) {
	if opts.RequestID == "" {
		opts.RequestID = uuid.NewString()
	}
	if opts.Identity == "" {
		opts.Identity = "sluice"
	}
	m.ID = opts.RequestID
	answer, err := c.update(ctx, id, verb, m, opts)
	if err == nil {
		return answer, nil
	}
	var refused *temporal.ApplicationError
	var unavailable *serviceerror.Unavailable
	switch {
	case errors.As(err, &refused) && refused.Type() == workflows.ErrorNotNow:
		return workflows.Answer{}, &Refused{Text: refused.Message()}
	case isNotFound(err):
		return workflows.Answer{}, c.notOpen(ctx, id)
	case ctx.Err() != nil:
		return workflows.Answer{}, c.explain(sending(verb, id), ctx.Err())
	case errors.As(err, &refused), errors.As(err, &unavailable):
		return workflows.Answer{}, c.explain(sending(verb, id), err)
	}
	if err := c.signal(ctx, id, verb, m, opts); err != nil {
		return workflows.Answer{}, err
	}
	return workflows.Answer{Text: leftAsSignal(verb, c.patience(verb), err), Step: m.Step, Run: m.Run}, nil
}

func sending(verb workflows.Verb, id string) string {
	return fmt.Sprintf("sending %s to the rollout of %s", verb, Subject(id))
}

// patience is how long a worker has to answer.
func (c *Client) patience(verb workflows.Verb) time.Duration {
	if verb == workflows.VerbAbort {
		return c.opts.AbortTimeout
	}
	return c.opts.AnswerTimeout
}

// update sends the message as an update and waits for its answer.
func (c *Client) update(ctx context.Context, id string, verb workflows.Verb, m workflows.Message, opts SendOptions) (workflows.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.patience(verb))
	defer cancel()
	handle, err := c.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		UpdateID: opts.RequestID, WorkflowID: id, UpdateName: string(verb), Args: []any{m},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return workflows.Answer{}, err
	}
	var answer workflows.Answer
	if err := handle.Get(ctx, &answer); err != nil {
		return workflows.Answer{}, err
	}
	return answer, nil
}

// signal leaves the message in the history. The call is made raw, because the
// SDK's own gives every signal a new request ID.
func (c *Client) signal(ctx context.Context, id string, verb workflows.Verb, m workflows.Message, opts SendOptions) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	encoder := converter.WithDataConverterSerializationContext(c.opts.Converter, converter.WorkflowSerializationContext{
		Namespace: c.opts.Namespace, WorkflowID: id,
	})
	input, err := encoder.ToPayloads(m)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", verb, err)
	}
	_, err = c.temporal.WorkflowService().SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{
		Namespace:         c.opts.Namespace,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id},
		SignalName:        string(verb),
		Input:             input,
		Identity:          opts.Identity,
		RequestId:         opts.RequestID,
	})
	if isNotFound(err) {
		return c.notOpen(ctx, id)
	}
	return c.explain(sending(verb, id), err)
}

// notOpen says why a message found no open rollout.
func (c *Client) notOpen(ctx context.Context, id string) error {
	d, err := c.describe(ctx, id, "")
	if err != nil {
		return err
	}
	return &Ended{ID: id, How: d.closeStatus(), At: d.closed()}
}

// leftAsSignal says what became of a message that nobody has answered.
func leftAsSignal(verb workflows.Verb, waited time.Duration, cause error) string {
	const later = "; the rollout acts on it then, or says in its status why not"
	switch {
	case isTimeout(cause) && verb == workflows.VerbReplan:
		// The answer comes when the metrics of the document are prepared, which waits
		// for what a cluster or a Prometheus does not give at once.
		return fmt.Sprintf("no answer within %s: either no worker runs, or the metrics of the edited document are still being prepared; it was left as a signal, too%s", waited, later)
	case isTimeout(cause):
		return fmt.Sprintf("no worker answered within %s: %s was left as a signal for the next one%s", waited, verb, later)
	}
	return fmt.Sprintf("the rollout cannot answer (%s): %s was left as a signal for when it can%s", rootText(cause), verb, later)
}
