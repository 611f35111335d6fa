package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lookEvery is the pause between two looks at a part that is starting.
	lookEvery = 25 * time.Millisecond
	// killAfter is how long a part may take to end after SIGTERM.
	killAfter = 10 * time.Second
)

// process is one part and what runs of it.
type process struct {
	spec    Part
	task    func(context.Context) error
	changed func(PartStatus)

	// command is held by whoever starts or stops the part.
	command sync.Mutex

	mu     sync.Mutex
	status PartStatus
	ended  chan struct{} // closed when the running program has ended
}

// set changes the status under the lock and tells of it.
func (p *process) set(change func(*PartStatus)) {
	p.mu.Lock()
	change(&p.status)
	now := p.status
	p.mu.Unlock()
	p.changed(now)
}

func (p *process) get() PartStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// start runs the part and returns when it is ready.
func (p *process) start(ctx context.Context) error {
	if p.task != nil {
		return p.runTask(ctx)
	}
	p.command.Lock()
	defer p.command.Unlock()
	if p.get().PID != 0 {
		return fmt.Errorf("starting %s: it is running already", p.spec.Name)
	}
	ended, err := p.launch()
	if err != nil {
		p.set(func(s *PartStatus) { s.State, s.Detail = Failed, err.Error() })
		return err
	}
	return p.awaitReady(ctx, ended)
}

func (p *process) runTask(ctx context.Context) error {
	begun := time.Now()
	p.set(func(s *PartStatus) { s.State, s.Started = Starting, begun })
	if err := p.task(ctx); err != nil {
		p.set(func(s *PartStatus) { s.State, s.Detail = Failed, err.Error() })
		return fmt.Errorf("%s: %w", p.spec.Name, err)
	}
	p.set(func(s *PartStatus) { s.State, s.ReadyAfter, s.Detail = Done, time.Since(begun), "" })
	return nil
}

// launch starts the program and watches for its end.
func (p *process) launch() (<-chan struct{}, error) {
	log, err := os.OpenFile(p.spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", p.spec.Name, err)
	}
	defer log.Close() // the child has its own copy
	cmd := exec.Command(p.spec.Path, p.spec.Args...)
	cmd.Env = append(os.Environ(), p.spec.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own: signals for the supervisor's group are not for it.
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.spec.Name, err)
	}
	ended := make(chan struct{})
	p.mu.Lock()
	p.ended = ended
	p.mu.Unlock()
	p.set(func(s *PartStatus) {
		*s = PartStatus{Name: s.Name, State: Starting, PID: cmd.Process.Pid, Started: time.Now()}
	})
	go p.watch(cmd, ended)
	return ended, nil
}

// watch waits for the program's end and says whether it was asked for.
func (p *process) watch(cmd *exec.Cmd, ended chan<- struct{}) {
	err := cmd.Wait()
	p.set(func(s *PartStatus) {
		s.PID = 0
		if s.State == Stopping {
			s.State, s.Detail = Stopped, ""
			return
		}
		s.State, s.Detail = Failed, "ended by itself: "+cmd.ProcessState.String()
		if cmd.ProcessState == nil {
			s.Detail = "ended by itself: " + err.Error()
		}
	})
	close(ended)
}

// awaitReady looks at the part until it is ready, has ended, or ctx is over.
func (p *process) awaitReady(ctx context.Context, ended <-chan struct{}) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		err := p.spec.Ready.Check(ctx)
		if err == nil {
			p.set(func(s *PartStatus) {
				if s.State == Starting {
					s.State, s.ReadyAfter, s.Detail = Ready, time.Since(s.Started), ""
				}
			})
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("starting %s: %s; its log ends with:\n%s",
				p.spec.Name, p.get().Detail, tail(p.spec.Log))
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to become ready: %w", p.spec.Name, errors.Join(ctx.Err(), err))
		case <-ticker.C:
		}
	}
}

// look returns the status with what the part's probe says now.
func (p *process) look(ctx context.Context) PartStatus {
	status := p.get()
	status.Healthy = status.State == Done
	if status.PID == 0 {
		return status
	}
	err := p.spec.Ready.Check(ctx)
	status.Healthy = err == nil && status.State == Ready
	if err != nil && status.Detail == "" {
		status.Detail = err.Error()
	}
	return status
}

// stop ends the program with SIGTERM, or at once with SIGKILL, and returns
// when it has ended.
func (p *process) stop(ctx context.Context, kill bool) error {
	p.command.Lock()
	defer p.command.Unlock()
	status := p.get()
	if status.PID == 0 {
		return nil
	}
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	p.set(func(s *PartStatus) { s.State = Stopping })
	if !kill {
		if err := p.signal(unix.SIGTERM); err != nil {
			return err
		}
		// A frozen program could not take the signal otherwise.
		if err := p.signal(unix.SIGCONT); err != nil {
			return err
		}
		select {
		case <-ended:
			return nil
		case <-ctx.Done():
		case <-time.After(killAfter):
		}
	}
	if err := p.signal(unix.SIGKILL); err != nil {
		return err
	}
	<-ended
	return nil
}

// signal sends a signal to the program, not to programs that it started: to
// freeze a node must not freeze its pods.
func (p *process) signal(sig unix.Signal) error {
	pid := p.get().PID
	if pid == 0 {
		return nil
	}
	if err := unix.Kill(pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("sending %s to %s: %w", unix.SignalName(sig), p.spec.Name, err)
	}
	return nil
}
