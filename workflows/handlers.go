package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// listen registers every handler before the workflow blocks for the first time.
func (r *run) listen(ctx workflow.Context) error {
	err := workflow.SetQueryHandlerWithOptions(ctx, StatusQuery, r.status, workflow.QueryHandlerOptions{
		Description: "Where the rollout stands, as JSON.",
	})
	if err != nil {
		return fmt.Errorf("registering query %s: %w", StatusQuery, err)
	}
	for _, verb := range Verbs {
		if err := r.listenUpdate(ctx, verb); err != nil {
			return err
		}
		channel := workflow.GetSignalChannelWithOptions(ctx, string(verb), workflow.SignalChannelOptions{Description: verb.describe()})
		workflow.Go(ctx, func(ctx workflow.Context) { r.receive(ctx, verb, channel) })
	}
	workflow.Go(ctx, r.overhear)
	workflow.Go(ctx, r.mindHistory)
	return nil
}

// listenUpdate registers a verb as an Update: refused at once, or acted on.
func (r *run) listenUpdate(ctx workflow.Context, verb Verb) error {
	handle := func(ctx workflow.Context, raw converter.RawValue) (Answer, error) {
		m, err := parseMessage(raw)
		if err != nil {
			return Answer{}, refusal(err)
		}
		text, err := r.decide(ctx, verb, m, "update")
		if err != nil {
			return Answer{}, refusal(err)
		}
		return Answer{Text: text, Step: r.step + 1, Run: r.runID}, nil
	}
	// The validator runs on live messages only, never on replay. Approvals from
	// before a reset are turned away here, without a trace in the new history.
	validate := func(ctx workflow.Context, raw converter.RawValue) error {
		m, err := parseMessage(raw)
		if err != nil {
			return refusal(err)
		}
		if err := r.checkRun(verb, m, r.runID); err != nil {
			return refusal(err)
		}
		if _, again := r.answers.find(m.ID); again {
			return nil
		}
		if _, err := r.judge(workflow.Now(ctx), verb, m); err != nil {
			return refusal(err)
		}
		return refusal(checkRoom(ctx, verb))
	}
	err := workflow.SetUpdateHandlerWithOptions(ctx, string(verb), handle, workflow.UpdateHandlerOptions{
		Validator: validate, Description: verb.describe(),
	})
	if err != nil {
		return fmt.Errorf("registering update %s: %w", verb, err)
	}
	return nil
}

// receive takes signals for ever. They are read raw, because a typed receive
// drops what it cannot decode without a word.
func (r *run) receive(ctx workflow.Context, verb Verb, channel workflow.ReceiveChannel) {
	for {
		var raw converter.RawValue
		if !channel.Receive(ctx, &raw) {
			return
		}
		r.signalled(ctx, verb, raw)
	}
}

// signalled handles one signal. Signals from before a reset arrive again in the
// new run; the run in which a signal arrived is therefore recorded, so that a
// replay of an old approval is not taken for a new one.
func (r *run) signalled(ctx workflow.Context, verb Verb, raw converter.RawValue) {
	m, err := parseMessage(raw)
	if err == nil {
		var arrivedIn string
		recorded := workflow.SideEffect(ctx, func(ctx workflow.Context) any { return r.runID })
		if err = recorded.Get(&arrivedIn); err == nil {
			err = r.checkRun(verb, m, arrivedIn)
		}
	}
	if err != nil {
		r.noteDecision(ctx, verb, m, "signal", "", err)
		return
	}
	// Refusals are kept in the status; a signal has nobody to return them to.
	_, _ = r.decide(ctx, verb, m, "signal")
}

// refusal turns an error into the answer of an Update.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return err
	}
	return temporal.NewNonRetryableApplicationError(err.Error(), ErrorNotNow, nil)
}
