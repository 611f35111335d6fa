package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox/outside"
	"sluice.dev/sluice/tests/sandbox/proc"
)

// lookEvery is the pause between two attempts to reach a sandbox that has just
// been started.
const lookEvery = 10 * time.Millisecond

// startLimit is how long all parts together may take to become ready; many
// times what they need, for machines that have other things to do.
const startLimit = 3 * time.Minute

// awaitOwn waits until the sandbox that this process has just started is
// ready, or has ended, or takes too long.
func (s *Sandbox) awaitOwn(ctx context.Context, see func(proc.Status)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := time.AfterFunc(startLimit, func() { cancel(s.tooSlow()) })
	defer limit.Stop()
	go func() {
		select {
		case <-s.inner.Ended():
			cancel(s.diedEarly())
		case <-ctx.Done():
		}
	}()
	err := s.awaitSocket(ctx, see)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// awaitSocket tries again until the control socket is there.
func (s *Sandbox) awaitSocket(ctx context.Context, see func(proc.Status)) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		err := s.AwaitReady(ctx, see)
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ECONNREFUSED) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// diedEarly says why the inner half could not start its parts.
func (s *Sandbox) diedEarly() error {
	text, err := os.ReadFile(s.Dir().Log(outside.SupervisorLog))
	if err != nil {
		return errors.Join(s.inner.Err(), err)
	}
	const shown = 2000
	return fmt.Errorf("%w; its log ends with:\n%s", s.inner.Err(), text[max(0, len(text)-shown):])
}

// tooSlow says which parts are not ready.
func (s *Sandbox) tooSlow() error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	status, err := s.Status(ctx)
	if err != nil {
		return fmt.Errorf("it was not ready after %s, and cannot say why: %w", startLimit, err)
	}
	var waiting []string
	for _, part := range status.Parts {
		if part.State == proc.Starting {
			waiting = append(waiting, fmt.Sprintf("%s (%s)", part.Name, part.Detail))
		}
	}
	return fmt.Errorf("after %s these parts are not ready: %s", startLimit, strings.Join(waiting, ", "))
}
