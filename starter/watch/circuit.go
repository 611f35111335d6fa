package watch

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// circuit is a Control that remembers that Temporal is away. A question to it then
// takes its whole timeout, and with a few held changes all that look at Rollouts
// would wait for one; meanwhile an unheld change of another workload rolls out. So
// while it is away one question at a time finds out whether it is back, and the
// others are told the error of the last one.
type circuit struct {
	Control
	now func() time.Time

	mu      sync.Mutex
	away    error // nil while Temporal answers
	next    time.Time
	probing bool
}

// probePause is how long an error is believed before somebody asks again.
const probePause = time.Second

// ask asks unless Temporal is known to be away. Whether it is, is learnt from
// questions that Temporal answers by itself: learns says that this one is such.
func (c *circuit) ask(learns bool, question func() error) error {
	probe, err := c.enter()
	if err != nil {
		return err
	}
	err = question()
	c.mu.Lock()
	defer c.mu.Unlock()
	if probe {
		c.probing = false
	}
	switch {
	case !unreachable(err):
		c.away = nil
	case learns:
		c.away, c.next = err, c.now().Add(probePause)
	}
	return err
}

// enter returns the error of the last question where nobody is to ask now; probe
// says that this is the one that finds out.
func (c *circuit) enter() (probe bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.away == nil:
		return false, nil
	case c.probing, c.now().Before(c.next):
		return false, c.away
	}
	c.probing = true
	return true, nil
}

func unreachable(err error) bool {
	var away *control.Unreachable
	return errors.As(err, &away)
}

// Start starts a rollout.
func (c *circuit) Start(ctx context.Context, in workflows.Input, opts control.StartOptions) (run control.Run, err error) {
	err = c.ask(true, func() error { run, err = c.Control.Start(ctx, in, opts); return err })
	return run, err
}

// Input returns what a run was started with.
func (c *circuit) Input(ctx context.Context, run control.Run) (in workflows.Input, err error) {
	err = c.ask(true, func() error { in, err = c.Control.Input(ctx, run); return err })
	return in, err
}

// Status returns where a rollout stands.
func (c *circuit) Status(ctx context.Context, id string) (status control.Status, err error) {
	err = c.ask(true, func() error { status, err = c.Control.Status(ctx, id); return err })
	return status, err
}

// Send sends a message, which a worker has to answer: that nobody does says nothing
// about Temporal.
func (c *circuit) Send(ctx context.Context, id string, verb workflows.Verb, m workflows.Message, opts control.SendOptions) (answer workflows.Answer, err error) {
	err = c.ask(false, func() error { answer, err = c.Control.Send(ctx, id, verb, m, opts); return err })
	return answer, err
}
