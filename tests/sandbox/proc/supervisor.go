package proc

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Task is a piece of work that the supervisor does itself, for example to
// create the first objects once the API server is ready.
type Task func(ctx context.Context) error

// Supervisor runs the parts of one sandbox.
type Supervisor struct {
	parts  []*process
	byName map[string]*process

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced at every change
	startedIn time.Duration // 0 until all parts have been ready
	startErr  error
}

// New returns a Supervisor for parts, none of which is started yet. report is
// called at every change of a part's status, one call at a time per part.
// It is an error if a part is named twice, needs a part that is not named
// before it, or names a task that is not in tasks.
func New(parts []Part, tasks map[string]Task, report func(PartStatus)) (*Supervisor, error) {
	if err := check(parts, tasks); err != nil {
		return nil, err
	}
	s := &Supervisor{byName: make(map[string]*process, len(parts)), changed: make(chan struct{})}
	for _, spec := range parts {
		p := &process{
			spec:   spec,
			status: PartStatus{Name: spec.Name, State: Waiting},
			changed: func(now PartStatus) {
				report(now)
				s.broadcast()
			},
		}
		if spec.Task != "" {
			p.task = tasks[spec.Task]
		}
		s.parts = append(s.parts, p)
		s.byName[spec.Name] = p
	}
	return s, nil
}

// StartAll starts every part as soon as its needs are ready, and returns when
// all are. The first error ends the waiting for the others.
func (s *Supervisor) StartAll(ctx context.Context) error {
	begun := time.Now()
	err := s.startAll(ctx)
	s.mu.Lock()
	s.startedIn, s.startErr = time.Since(begun), err
	s.mu.Unlock()
	s.broadcast()
	return err
}

func (s *Supervisor) startAll(ctx context.Context) error {
	ready := make(map[string]chan struct{}, len(s.parts))
	for _, p := range s.parts {
		ready[p.spec.Name] = make(chan struct{})
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range s.parts {
		group.Go(func() error {
			for _, need := range p.spec.Needs {
				select {
				case <-ready[need]:
				case <-ctx.Done():
					return fmt.Errorf("waiting for %s: %w", need, context.Cause(ctx))
				}
			}
			if err := p.start(ctx); err != nil {
				return err
			}
			close(ready[p.spec.Name])
			return nil
		})
	}
	return group.Wait()
}

// StopAll stops all parts, those that need others before the others. When ctx
// ends, what still runs is killed.
func (s *Supervisor) StopAll(ctx context.Context) error {
	gone := make(map[string]chan struct{}, len(s.parts))
	dependants := make(map[string][]string)
	for _, p := range s.parts {
		gone[p.spec.Name] = make(chan struct{})
		for _, need := range p.spec.Needs {
			dependants[need] = append(dependants[need], p.spec.Name)
		}
	}
	var group errgroup.Group
	for _, p := range slices.Backward(s.parts) {
		group.Go(func() error {
			defer close(gone[p.spec.Name])
			for _, name := range dependants[p.spec.Name] {
				<-gone[name]
			}
			return p.stop(ctx, false)
		})
	}
	return group.Wait()
}

// Status returns the state of the sandbox, with each part's probe asked now.
func (s *Supervisor) Status(ctx context.Context) Status {
	parts := make([]PartStatus, len(s.parts))
	var wait sync.WaitGroup
	for i, p := range s.parts {
		wait.Go(func() { parts[i] = p.look(ctx) })
	}
	wait.Wait()
	return s.whole(parts)
}

// Snapshot returns the state of the sandbox as it was last seen, and a channel
// that is closed at the next change.
func (s *Supervisor) Snapshot() (Status, <-chan struct{}) {
	s.mu.Lock()
	changed := s.changed
	s.mu.Unlock()
	parts := make([]PartStatus, len(s.parts))
	for i, p := range s.parts {
		parts[i] = p.get()
		parts[i].Healthy = parts[i].State == Ready || parts[i].State == Done
	}
	return s.whole(parts), changed
}

func (s *Supervisor) whole(parts []PartStatus) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := Status{
		Phase:     phase(s.startedIn > 0, s.startErr, parts),
		StartedIn: s.startedIn,
		Parts:     parts,
	}
	if s.startErr != nil {
		status.Error = s.startErr.Error()
	}
	return status
}

// Start starts a stopped or failed part and returns when it is ready.
func (s *Supervisor) Start(ctx context.Context, name string) error {
	p, err := s.find(name)
	if err != nil {
		return err
	}
	return p.start(ctx)
}

// Stop ends a part, with SIGTERM and after ten seconds with SIGKILL, or with
// SIGKILL at once, and returns when it has ended.
func (s *Supervisor) Stop(ctx context.Context, name string, kill bool) error {
	p, err := s.find(name)
	if err != nil {
		return err
	}
	return p.stop(ctx, kill)
}

// Freeze stops a part's process from being scheduled (SIGSTOP) until Thaw.
func (s *Supervisor) Freeze(name string) error {
	return s.switchState(name, unix.SIGSTOP, Ready, Frozen)
}

// Thaw lets a frozen part go on (SIGCONT).
func (s *Supervisor) Thaw(name string) error {
	return s.switchState(name, unix.SIGCONT, Frozen, Ready)
}

func (s *Supervisor) switchState(name string, sig unix.Signal, from, to State) error {
	p, err := s.find(name)
	if err != nil {
		return err
	}
	p.command.Lock()
	defer p.command.Unlock()
	if now := p.get().State; now != from {
		return fmt.Errorf("part %s is %s, not %s", name, now, from)
	}
	if err := p.signal(sig); err != nil {
		return err
	}
	p.set(func(s *PartStatus) {
		if s.State == from {
			s.State = to
		}
	})
	return nil
}

func (s *Supervisor) find(name string) (*process, error) {
	p, ok := s.byName[name]
	if !ok {
		names := make([]string, 0, len(s.parts))
		for _, p := range s.parts {
			names = append(names, p.spec.Name)
		}
		return nil, fmt.Errorf("no part %q in this sandbox; its parts are %v", name, names)
	}
	return p, nil
}

func (s *Supervisor) broadcast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}
