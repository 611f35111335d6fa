package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"sluice.dev/sluice/tests/sandbox/build"
	"sluice.dev/sluice/tests/sandbox/cluster"
	"sluice.dev/sluice/tests/sandbox/control"
	"sluice.dev/sluice/tests/sandbox/inside"
	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/tests/sandbox/outside"
	"sluice.dev/sluice/tests/sandbox/proc"
)

// Options say what sandbox to bring up. The zero value of a field means its
// default, so Options{} is a sandbox of the usual size.
type Options struct {
	// Name tells sandboxes apart; "default" if empty.
	Name string
	// Dir is the folder of the sandbox; see layout.Default if empty.
	Dir string
	// Fresh forgets what an earlier sandbox left in the folder, such as its
	// objects and workflows, which otherwise are there again.
	Fresh bool
	// Ports are ports on 127.0.0.1, by a forward's name (cluster.Forward...).
	// One that is not named is chosen: the one of the last time, if it is
	// free, and else any.
	Ports map[string]int
	// Cluster is the size and the settings; cluster.Defaults if nil.
	Cluster *cluster.Options
	// Builds is told what is being built.
	Builds build.Progress
	// See is called at every change of a part while the sandbox starts.
	See func(proc.Status)
}

// complete fills in defaults.
func (o Options) complete() (Options, error) {
	if o.Name == "" {
		o.Name = layout.DefaultName
	}
	if err := layout.CheckName(o.Name); err != nil {
		return o, err
	}
	dir := layout.Dir(o.Dir)
	var err error
	if o.Dir == "" {
		if dir, err = layout.Default(o.Name); err != nil {
			return o, err
		}
	}
	if dir, err = dir.Abs(); err != nil {
		return o, err
	}
	o.Dir = string(dir)
	if o.Cluster == nil {
		defaults := cluster.Defaults()
		o.Cluster = &defaults
	}
	if o.Builds.Out == nil {
		o.Builds.Out = io.Discard
	}
	if o.See == nil {
		o.See = func(proc.Status) {}
	}
	return o, o.Cluster.Validate()
}

// hooked tells that this program plays the inner roles when it is told to.
var hooked atomic.Bool

// Main makes a program able to run sandboxes. Its main function calls it
// first, and if it returns true exits with the code: the program was started
// again as the inner half of a sandbox.
func Main() (code int, played bool) {
	hooked.Store(true)
	return inside.Main(os.Args[1:], cluster.Tasks)
}

// Build builds all programs of a sandbox, or takes them from the cache.
func Build(ctx context.Context, progress build.Progress) (cluster.Binaries, error) {
	root, err := Root()
	if err != nil {
		return cluster.Binaries{}, err
	}
	cache, err := build.CacheDir()
	if err != nil {
		return cluster.Binaries{}, err
	}
	builder := build.Builder{Cache: cache, Progress: progress}
	paths, err := builder.All(ctx, cluster.Targets(root))
	if err != nil {
		return cluster.Binaries{}, err
	}
	return cluster.NewBinaries(paths), nil
}

// BuildKubectl builds kubectl, or takes it from the cache. No sandbox needs it to
// run; those who drive one may.
func BuildKubectl(ctx context.Context, progress build.Progress) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	cache, err := build.CacheDir()
	if err != nil {
		return "", err
	}
	builder := build.Builder{Cache: cache, Progress: progress}
	return builder.One(ctx, cluster.Kubectl(root))
}

// Up builds what has to be built, starts a sandbox, and returns when every
// part is ready. The sandbox ends with Down, and with this process.
// When ctx ends before, it is taken down again.
func Up(ctx context.Context, o Options) (*Sandbox, error) {
	if !hooked.Load() {
		return nil, errors.New("this program cannot run a sandbox: its main function must call sandbox.Main " +
			"first (a test's TestMain: sandbox.Test)")
	}
	o, err := o.complete()
	if err != nil {
		return nil, fmt.Errorf("reading the sandbox's options: %w", err)
	}
	binaries, err := Build(ctx, o.Builds)
	if err != nil {
		return nil, err
	}
	plan := cluster.Plan{Name: o.Name, Dir: layout.Dir(o.Dir), Options: *o.Cluster, Binaries: binaries}
	s, err := start(plan, o)
	if err != nil {
		return nil, fmt.Errorf("starting sandbox %s: %w", o.Name, err)
	}
	if err := s.awaitOwn(ctx, o.See); err != nil {
		down := s.Down(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("starting sandbox %s (its logs are in %s): %w",
			o.Name, plan.Dir.Join("logs"), errors.Join(err, down))
	}
	return s, nil
}

// start takes the folder, writes everything into it, and starts the inner
// half.
func start(plan cluster.Plan, o Options) (*Sandbox, error) {
	if err := plan.Dir.Create(); err != nil {
		return nil, err
	}
	lock, err := plan.Dir.TryLock()
	if errors.Is(err, layout.ErrHeld) {
		return nil, fmt.Errorf("a sandbox runs in %s already; take it down, or give this one another name", plan.Dir)
	}
	if err != nil {
		return nil, err
	}
	s, err := startLocked(plan, o)
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	s.lock = lock
	return s, nil
}

func startLocked(plan cluster.Plan, o Options) (*Sandbox, error) {
	// Without an earlier state there are no ports to prefer.
	earlier, _ := plan.Dir.ReadState()
	if o.Fresh {
		if err := plan.Dir.Wipe(); err != nil {
			return nil, err
		}
	}
	listeners, err := outside.Listen(plan.Forwards(o.Ports, earlier.Ports))
	if err != nil {
		return nil, err
	}
	state := plan.State(listeners)
	state.Started = time.Now()
	if state.Process, err = layout.Self(); err != nil {
		return nil, errors.Join(err, listeners.Close())
	}
	spec, err := plan.Prepare(state)
	if err != nil {
		return nil, errors.Join(err, listeners.Close())
	}
	inner, err := outside.Start(spec, listeners)
	if err != nil {
		return nil, errors.Join(err, listeners.Close())
	}
	s := &Sandbox{state: state, control: control.NewClient(plan.Dir.Control()), inner: inner}
	if err := plan.Dir.WriteState(state); err != nil {
		return nil, errors.Join(err, inner.Stop(context.Background()))
	}
	return s, nil
}
