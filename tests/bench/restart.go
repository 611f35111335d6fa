package bench

import (
	"context"
	"fmt"
	"time"

	"sluice.dev/sluice/tests/bench/fleet"
	"sluice.dev/sluice/tests/bench/observe"
	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/bench/stats"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// measureRestart kills the worker with -9 while many rollouts are under way, and
// looks when the next one changes something in the cluster.
func measureRestart(ctx context.Context, b *bench) error {
	var firsts, alls []time.Duration
	for i := range b.Restarts {
		f := fleet.Fleet{Prefix: fmt.Sprintf("bench-restart-%d", i), Size: b.UnderWay, PerNamespace: b.UnderWay, Replicas: 2}
		err := b.withFleet(ctx, f, func() error {
			first, all, err := b.restartOnce(ctx, f.Apps())
			firsts, alls = append(firsts, first), append(alls, all)
			return err
		})
		if err != nil {
			return err
		}
	}
	return b.set(figures{
		report.RestartFirst: {stats.Seconds(firsts).Median(), len(firsts)},
		report.RestartAll:   {stats.Seconds(alls).Median(), len(alls)},
	})
}

// changes are both kinds of changes that a worker makes: weights of canaries,
// and specifications of Deployments.
type changes struct{ weights, generations *observe.Observer }

func observeChanges(ctx context.Context, b *bench) (changes, error) {
	weights, err := observe.Weights(ctx, b.kube)
	if err != nil {
		return changes{}, err
	}
	generations, err := observe.Generations(ctx, b.kube)
	return changes{weights, generations}, err
}

func (b *bench) restartOnce(ctx context.Context, apps []fleet.App) (first, all time.Duration, err error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	seen, err := observeChanges(watching, b)
	if err != nil {
		return 0, 0, err
	}
	killed, err := b.LaunchWorker(ctx, asking()...)
	if err != nil {
		return 0, 0, err
	}
	runs, err := b.startAll(ctx, apps, fleet.Seed(massHold), "v2")
	defer b.endOpen(ctx, runs)
	if err == nil {
		err = b.awaitHalf(ctx, seen.weights, len(apps))
	}
	if err != nil {
		return 0, 0, err
	}
	if err := killed.Kill(); err != nil {
		return 0, 0, err
	}
	// What the killed one has written is told by now.
	if err := pause(ctx, rest); err != nil {
		return 0, 0, err
	}
	weightMark, generationMark := seen.weights.Mark(), seen.generations.Mark()
	begun := time.Now()
	err = b.withWorker(ctx, asking(), func(*harness.Worker) error {
		if err := b.awaitEnds(ctx, runs, workflows.Promoted); err != nil {
			return err
		}
		events, _ := seen.weights.Since(weightMark)
		more, _ := seen.generations.Since(generationMark)
		first, all = progress(apps, append(events, more...), begun)
		b.say("first progress %.2f s after the restart, the last of %d after %.1f s", first.Seconds(), len(apps), all.Seconds())
		return nil
	})
	return first, all, err
}

// awaitHalf waits until half of the rollouts route requests to their canary.
func (b *bench) awaitHalf(ctx context.Context, weights *observe.Observer, n int) error {
	routed := map[string]bool{}
	_, err := weights.Await(ctx, "half of the rollouts have a weight", 0, func(e observe.Event) bool {
		if e.Value == firstWeight {
			routed[e.Key] = true
		}
		return 2*len(routed) >= n
	})
	return err
}

// progress returns when the first and when the last of the applications was
// changed for the first time.
func progress(apps []fleet.App, events []observe.Event, begun time.Time) (first, last time.Duration) {
	byApp := map[string]time.Time{}
	for _, e := range events {
		if at, known := byApp[e.Key]; !known || e.At.Before(at) {
			byApp[e.Key] = e.At
		}
	}
	for _, app := range apps {
		at := earlier(byApp[app.CanaryKey()], byApp[app.Key()])
		if at.IsZero() {
			continue // nothing was left to be changed
		}
		took := at.Sub(begun)
		if first == 0 || took < first {
			first = took
		}
		last = max(last, took)
	}
	return first, last
}

// earlier returns the earlier of two times, of which either may be missing.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
