// Package sandbox brings up a real Kubernetes with a gateway, Temporal and
// Prometheus on one Linux machine, without a container engine, for tests and
// demonstrations. Everything runs in namespaces of its own and ends with the
// process that started it.
//
// A sandbox is started with Up, or from a test with Shared, and is looked at
// from elsewhere with Attach. A program that calls Up, or a test's TestMain,
// first calls Main or Test: the sandbox starts the same program again inside.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox/control"
	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/tests/sandbox/outside"
	"sluice.dev/sluice/tests/sandbox/proc"
)

// downLimit is how long a sandbox that another process runs may take to end.
const downLimit = 30 * time.Second

// ErrNotRunning says that nothing runs in a sandbox's folder.
var ErrNotRunning = errors.New("the sandbox is not running")

// Sandbox is a running sandbox.
type Sandbox struct {
	state   layout.State
	control *control.Client

	// Of a sandbox that this process runs:
	inner *outside.Inner
	lock  *layout.Lock
}

// Attach returns the sandbox that another process runs in dir. The error
// wraps ErrNotRunning if there is none.
func Attach(dir string) (*Sandbox, error) {
	d, err := layout.Dir(dir).Abs()
	if err != nil {
		return nil, err
	}
	state, err := d.ReadState()
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("attaching to %s: %w", d, ErrNotRunning)
	}
	if err != nil {
		return nil, err
	}
	handle, alive, err := state.Process.Open()
	if err != nil {
		return nil, err
	}
	if !alive {
		return nil, fmt.Errorf("attaching to %s: %w", d, ErrNotRunning)
	}
	return &Sandbox{state: state, control: control.NewClient(d.Control())}, handle.Close()
}

// State says how the sandbox is reached, from outside and inside.
func (s *Sandbox) State() layout.State { return s.state }

// Dir is the sandbox's folder.
func (s *Sandbox) Dir() layout.Dir { return s.state.Dir }

// Status asks every part how it is.
func (s *Sandbox) Status(ctx context.Context) (proc.Status, error) {
	return s.control.Status(ctx)
}

// AwaitReady returns when every part has become ready, and an error when one
// has failed. see is called at every change.
func (s *Sandbox) AwaitReady(ctx context.Context, see func(proc.Status)) error {
	var last proc.Status
	err := s.control.Watch(ctx, func(now proc.Status) bool {
		last = now
		see(now)
		return now.Phase == proc.PhaseStarting
	})
	if err != nil {
		return fmt.Errorf("waiting for the sandbox to become ready: %w", err)
	}
	if last.Phase == proc.PhaseFailed {
		return errors.New(last.Error)
	}
	return nil
}

// Ended is closed when a sandbox that this process runs has ended by itself
// or by Down. For one that was attached to it is nil.
func (s *Sandbox) Ended() <-chan struct{} {
	if s.inner == nil {
		return nil
	}
	return s.inner.Ended()
}

// Down ends the sandbox in order. Its folder stays. When ctx ends, or it takes
// too long, what is left is killed.
func (s *Sandbox) Down(ctx context.Context) error {
	if s.inner == nil {
		return s.downOther(ctx)
	}
	if err := s.inner.Stop(ctx); err != nil {
		return err
	}
	// From here on this process runs other sandboxes, if any.
	s.state.Process = layout.Process{}
	return errors.Join(s.Dir().WriteState(s.state), s.lock.Release())
}

// downOther tells the process that runs the sandbox to end.
func (s *Sandbox) downOther(ctx context.Context) error {
	handle, alive, err := s.state.Process.Open()
	if err != nil || !alive {
		return err
	}
	defer handle.Close()
	if err := handle.Signal(unix.SIGTERM); err != nil {
		return err
	}
	limit := time.Now().Add(downLimit)
	for time.Now().Before(limit) && ctx.Err() == nil {
		if ended, err := handle.Wait(100 * time.Millisecond); ended || err != nil {
			return err
		}
	}
	// Everything inside is killed by the kernel with it.
	if err := handle.Signal(unix.SIGKILL); err != nil {
		return err
	}
	_, err = handle.Wait(downLimit)
	return err
}

// Stop ends a part, for example "apiserver" or "traefik-1", with SIGTERM and
// after ten seconds with SIGKILL, and returns when it has ended.
func (s *Sandbox) Stop(ctx context.Context, part string) error {
	return s.control.Stop(ctx, part, false)
}

// Kill ends a part with SIGKILL, as a machine that fails would.
func (s *Sandbox) Kill(ctx context.Context, part string) error {
	return s.control.Stop(ctx, part, true)
}

// Start starts a part that was stopped or has died, and returns when it is
// ready.
func (s *Sandbox) Start(ctx context.Context, part string) error {
	return s.control.Start(ctx, part)
}

// Restart stops a part and starts it again.
func (s *Sandbox) Restart(ctx context.Context, part string) error {
	if err := s.Stop(ctx, part); err != nil {
		return err
	}
	return s.Start(ctx, part)
}

// Freeze keeps a part from running (SIGSTOP) until Thaw: its connections stay
// open and nothing answers.
func (s *Sandbox) Freeze(ctx context.Context, part string) error {
	return s.control.Freeze(ctx, part)
}

// Thaw lets a frozen part go on.
func (s *Sandbox) Thaw(ctx context.Context, part string) error {
	return s.control.Thaw(ctx, part)
}

// Signal sends a signal to a process inside, named by its number inside.
func (s *Sandbox) Signal(ctx context.Context, pid int, sig unix.Signal) error {
	return s.control.Signal(ctx, pid, sig)
}
