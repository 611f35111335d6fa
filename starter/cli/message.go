package cli

import (
	"context"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// message is what the commands that send a verb have in common.
type message struct {
	target
	who
}

func (m *message) bind(cmd *cobra.Command) {
	m.target.bind(cmd)
	m.who.bind(cmd)
}

// resolve takes over the arguments and returns the workflow ID that they mean.
func (m *message) resolve(a *app, cmd *cobra.Command, args []string) (string, error) {
	if err := m.validate(args); err != nil {
		return "", err
	}
	return m.id(a, cmd)
}

// send lets compose make the message from the status of the rollout, and prints
// the answer. Messages name the run that they were made for, so that they never
// act on another one.
func (m *message) send(a *app, cmd *cobra.Command, id string, verb workflows.Verb,
	compose func(control.Status, *workflows.Message) error,
) error {
	return a.connected(cmd, func(ctx context.Context, c Control) error {
		status, err := c.Status(ctx, id)
		if err != nil {
			return err
		}
		if status.Closed != nil {
			return &control.Ended{ID: id, How: string(status.Phase), At: *status.Closed}
		}
		msg := workflows.Message{Run: status.Run, By: m.actor(a.host), Reason: m.reason}
		if err := compose(status, &msg); err != nil {
			return err
		}
		return m.deliver(ctx, a, c, id, verb, msg)
	})
}

// sendPlain sends a verb that needs to know nothing about the rollout, and that
// therefore waits for nothing.
func (m *message) sendPlain(a *app, cmd *cobra.Command, args []string, verb workflows.Verb) error {
	id, err := m.resolve(a, cmd, args)
	if err != nil {
		return err
	}
	return a.connected(cmd, func(ctx context.Context, c Control) error {
		return m.deliver(ctx, a, c, id, verb, workflows.Message{By: m.actor(a.host), Reason: m.reason})
	})
}

// sendNamed sends a verb that needs nothing but the name of the run.
func (m *message) sendNamed(a *app, cmd *cobra.Command, args []string, verb workflows.Verb) error {
	id, err := m.resolve(a, cmd, args)
	if err != nil {
		return err
	}
	return m.send(a, cmd, id, verb, func(control.Status, *workflows.Message) error { return nil })
}

// deliver sends a message that is complete and prints the answer.
func (m *message) deliver(ctx context.Context, a *app, c Control, id string, verb workflows.Verb, msg workflows.Message) error {
	answer, err := c.Send(ctx, id, verb, msg, control.SendOptions{Identity: "sluice:" + msg.By})
	if err != nil {
		return err
	}
	return a.print(answer, func(p *page) { p.paragraph(stylePlain, "", "", answer.Text) })
}
