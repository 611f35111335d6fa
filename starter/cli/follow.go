package cli

import (
	"context"
	"time"

	"sluice.dev/sluice/starter/control"
)

// view shows a rollout while it goes on.
type view interface {
	// show takes a status that differs from the last one.
	show(status control.Status) error
	// trouble takes an error after which the watch goes on.
	trouble(err error) error
	// tick is called at the view's interval.
	tick() error
	interval() time.Duration
}

// update is one item of a watch.
type update struct {
	status control.Status
	err    error
}

// follow shows a rollout until it ends, and returns its last status. The error
// is that of ctx where ctx ended first.
func (a *app) follow(ctx context.Context, c Control, id string) (control.Status, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	updates := make(chan update)
	go func() {
		defer close(updates)
		for status, err := range c.Watch(ctx, id) {
			select {
			case updates <- update{status: status, err: err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	v := a.view()
	ticks, stop := a.host.Tick(v.interval())
	defer stop()
	var last control.Status
	for {
		select {
		case u, open := <-updates:
			if !open {
				return last, ctx.Err()
			}
			if u.err == nil {
				last = u.status
			}
			if err := showUpdate(v, u); err != nil {
				return last, err
			}
		case <-ticks:
			if err := v.tick(); err != nil {
				return last, err
			}
		}
	}
}

func showUpdate(v view, u update) error {
	switch {
	case u.err == nil:
		return v.show(u.status)
	case control.Permanent(u.err):
		return u.err
	}
	return v.trouble(u.err)
}

// view chooses how to show a rollout: data as data, a picture on a terminal,
// lines in a log.
func (a *app) view() view {
	if a.format != formatTable {
		return &dataView{app: a}
	}
	if _, _, ok := a.terminal(); ok {
		return &liveView{app: a}
	}
	return &logView{app: a}
}
