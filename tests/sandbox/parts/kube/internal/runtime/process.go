package runtime

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// drain bounds how long the last lines of a dead process are waited for.
const drain = time.Second

// exit is how a process ended: its exit code, or 128 and the signal's number.
type exit struct {
	code int32
}

// process is a running process and the group that it leads.
type process struct {
	cmd    *exec.Cmd
	output sync.WaitGroup
	done   chan struct{}
}

// startProcess starts cmd and copies its output to log until both end.
// The caller must call watch.
func startProcess(s *spawner, cmd *exec.Cmd, log *logFile) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	// Pipes of our own: with those of exec.Cmd, Wait would also wait for
	// grandchildren that hold them open.
	var writers []io.Closer
	defer func() {
		for _, w := range writers {
			w.Close()
		}
	}()
	for stream, target := range map[string]*io.Writer{"stdout": &cmd.Stdout, "stderr": &cmd.Stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, fmt.Errorf("making a pipe for %s: %w", stream, err)
		}
		*target = w
		writers = append(writers, w)
		p.output.Go(func() {
			defer r.Close()
			log.copy(stream, r)
		})
	}
	if err := s.start(cmd); err != nil {
		return nil, err
	}
	return p, nil
}

// watch waits for the process in the background, ends what is left of its
// group, as the end of a container does, and calls ended once.
func (p *process) watch(ended func(exit)) {
	go func() {
		err := p.cmd.Wait()
		p.kill()
		p.waitOutput()
		ended(exitOf(err, p.cmd.ProcessState))
		close(p.done)
	}()
}

func (p *process) waitOutput() {
	copied := make(chan struct{})
	go func() {
		p.output.Wait()
		close(copied)
	}()
	select {
	case <-copied:
	case <-time.After(drain):
	}
}

// signal sends sig to the process only, as a container runtime does. A process
// that has ended already is no error.
func (p *process) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("sending %s to process %d: %w", sig, p.cmd.Process.Pid, err)
	}
	return nil
}

// kill ends the whole group at once. An error can only mean that it is gone.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
}

func exitOf(err error, state *os.ProcessState) exit {
	if state == nil {
		return exit{code: 255}
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exit{code: 128 + int32(status.Signal())}
	}
	if err != nil && state.ExitCode() <= 0 {
		return exit{code: 255}
	}
	return exit{code: int32(state.ExitCode())}
}
