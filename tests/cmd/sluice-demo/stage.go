package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/build"
	"sluice.dev/sluice/tests/sandbox/cluster"
	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/tests/sandbox/proc"
)

// namespace in which everything happens.
const namespace = "default"

// startLimit bounds the start of the sandbox, builds excluded.
const startLimit = 3 * time.Minute

// stage is a sandbox of the demonstration's own, with a worker inside.
type stage struct {
	*narrator
	*harness.Bed
	worker *harness.Worker
}

// buildHint is said before the first part is built; most runs build none.
const buildHint = "Parts that are not in the cache are built from source. To build all of " +
	"them from nothing takes about half an hour on two cores, once."

// setStage brings the stage up: two demonstrations side by side do not meet,
// since each has its own folder and free ports.
func setStage(ctx context.Context, n *narrator) (*stage, error) {
	n.title("1/5 A sandbox")
	n.say("Kubernetes, etcd, Traefik, Temporal and Prometheus, all of them real, in " +
		"namespaces of their own on this machine. Nothing outside is touched.")
	programs, err := buildAll(ctx, n)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-demo-")
	if err != nil {
		return nil, fmt.Errorf("creating the sandbox's folder: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	begun := time.Now()
	show := &startView{n: n}
	options := cluster.Defaults()
	options.SearchAttributes = harness.SearchAttributes
	s, err := sandbox.Up(ctx, sandbox.Options{Name: "demo", Dir: dir, Cluster: &options, See: show.see})
	if err != nil {
		return nil, keepLogs(err, layout.Dir(dir), !cancelled(ctx))
	}
	n.say(fmt.Sprintf("Ready after %.1f s: %s.", time.Since(begun).Seconds(), strings.Join(show.ready, ", ")))
	n.draw("starting a worker")
	st := &stage{narrator: n}
	if st.Bed, err = harness.NewBed(ctx, s, programs); err == nil {
		st.worker, err = st.StartWorker(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, keepLogs(s.Down(context.WithoutCancel(ctx)), s.Dir(), !cancelled(ctx)))
	}
	n.say("A sluice-worker runs inside and takes work.")
	return st, nil
}

// buildAll builds the sandbox's parts and the programs, where the cache does not
// have them.
func buildAll(ctx context.Context, n *narrator) (harness.Programs, error) {
	n.draw("looking for built parts")
	hint := build.Progress{Out: &hinted{n: n}, Terminal: n.terminal}
	if _, err := sandbox.Build(ctx, hint); err != nil {
		return harness.Programs{}, err
	}
	return harness.BuildPrograms(ctx, build.Progress{Out: n.out, Terminal: n.terminal})
}

// hinted is where builds report their progress.
type hinted struct {
	n    *narrator
	once sync.Once
}

// Write prints what builds report, after the hint.
func (h *hinted) Write(text []byte) (int, error) {
	h.once.Do(func() { h.n.say(buildHint) })
	return h.n.out.Write(text)
}

// startView shows which parts are ready.
type startView struct {
	n     *narrator
	ready []string
}

func (v *startView) see(now proc.Status) {
	var ready, rest []string
	for _, part := range now.Parts {
		switch part.State {
		case proc.Ready:
			ready = append(ready, part.Name)
		case proc.Done:
		default:
			rest = append(rest, part.Name)
		}
	}
	v.ready = ready
	if len(rest) > 0 {
		v.n.draw("starting " + strings.Join(rest, ", "))
	}
}

// strike takes the stage down. Where something went wrong its folder stays.
func (s *stage) strike(ctx context.Context, failed bool) error {
	s.Bed.Close()
	return keepLogs(s.Sandbox.Down(ctx), s.Sandbox.Dir(), failed)
}

// keepLogs removes the sandbox's folder, or names it where something failed.
func keepLogs(err error, dir layout.Dir, failed bool) error {
	if failed {
		return errors.Join(err, fmt.Errorf("the sandbox's folder with its logs is %s", dir))
	}
	return errors.Join(err, dir.Remove())
}

// awaitInterrupt returns when somebody interrupts, or the sandbox ends.
func (s *stage) awaitInterrupt(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.Sandbox.Ended():
	}
}
