package outside

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox/inside"
	"sluice.dev/sluice/tests/sandbox/netns"
)

// SupervisorLog is the name of the log of the inner half itself.
const SupervisorLog = "supervisor"

// stopLimit is how long the inner half may take to end its parts before the
// kernel does it; longer than its own limit.
const stopLimit = 20 * time.Second

// Inner is a running inner half.
type Inner struct {
	cmd      *exec.Cmd
	lifeline *os.File
	ended    chan struct{}
	err      error
}

// Start starts the inner half from this program's own binary, which must call
// inside.Main. The spec's forwards are those of the listeners, which Start
// hands over and closes here.
//
// When this process ends, however it does, the kernel kills everything inside.
func Start(spec inside.Spec, listeners *Listeners) (*Inner, error) {
	spec.Forwards = nil
	for _, f := range listeners.forwards {
		spec.Forwards = append(spec.Forwards, inside.Forward{Name: f.Name, Targets: f.Targets})
	}
	if err := spec.Dir.WriteJSON(spec.Dir.Spec(), spec); err != nil {
		return nil, err
	}
	passed, err := listeners.files()
	if err != nil {
		return nil, err
	}
	defer closeFiles(passed)
	lifelineInside, lifeline, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("creating the lifeline: %w", err)
	}
	defer lifelineInside.Close()
	inner, err := spawn(spec, append([]*os.File{lifelineInside}, passed...))
	if err != nil {
		return nil, errors.Join(err, lifeline.Close())
	}
	inner.lifeline = lifeline
	return inner, listeners.Close()
}

func spawn(spec inside.Spec, files []*os.File) (*Inner, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding the own program: %w", err)
	}
	log, err := os.OpenFile(spec.Dir.Log(SupervisorLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the supervisor's log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(self, inside.InitArgs(spec.Dir)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = files
	wait, err := netns.Spawn(cmd)
	if err != nil {
		return nil, err
	}
	inner := &Inner{cmd: cmd, ended: make(chan struct{})}
	go func() {
		inner.err = wait()
		close(inner.ended)
	}()
	return inner, nil
}

// Ended is closed when the inner half has ended.
func (i *Inner) Ended() <-chan struct{} { return i.ended }

// Err returns how the inner half ended, once it has.
func (i *Inner) Err() error {
	<-i.ended
	if i.err != nil {
		return fmt.Errorf("the inner half ended: %w", i.err)
	}
	return nil
}

// Stop ends the parts in order and then the inner half. When ctx ends, or
// after 20 seconds, it is killed, and with it everything inside.
func (i *Inner) Stop(ctx context.Context) error {
	defer i.lifeline.Close()
	if err := i.signal(unix.SIGTERM); err != nil {
		return err
	}
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-i.ended:
		return nil
	case <-ctx.Done():
	case <-limit.C:
	}
	if err := i.signal(unix.SIGKILL); err != nil {
		return err
	}
	<-i.ended
	return nil
}

func (i *Inner) signal(sig unix.Signal) error {
	if err := i.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("sending %s to the inner half: %w", unix.SignalName(sig), err)
	}
	return nil
}
