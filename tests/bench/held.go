package bench

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/tests/bench/fleet"
	"sluice.dev/sluice/tests/bench/meter"
	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/harness"
)

const (
	// heldPerNamespace is how many of the held applications share a namespace.
	heldPerNamespace = 100
	// cacheSize is the worker's default: how many rollouts it keeps in memory.
	cacheSize = 1000
	// tenThousand is how many rollouts shall fit.
	tenThousand = 10_000
	// settling lets the memory that a burst of work took be given back.
	settling = 5 * time.Second
	// takeOver is longer than Temporal waits for the watches of a worker that has
	// ended.
	takeOver = 75 * time.Second
)

// measureHeld lets many rollouts hold and looks at the worker that has them in
// its cache, and then at one that takes them over: nothing happens to them, so
// that none comes into its cache.
func measureHeld(ctx context.Context, b *bench) error {
	f := fleet.Fleet{Prefix: "bench-held", Size: b.Held, PerNamespace: heldPerNamespace, Replicas: 1}
	args, err := b.notAsking("--workflow-cache-size", strconv.Itoa(cacheSize))
	if err != nil {
		return err
	}
	var cached, outside held
	return b.withFleet(ctx, f, func() error {
		var runs []control.Run
		defer func() { b.endOpen(ctx, runs) }()
		err := b.withWorker(ctx, args, func(w *harness.Worker) (err error) {
			runs, cached, err = b.holdAll(ctx, f.Apps(), w)
			return err
		})
		if err != nil {
			return err
		}
		err = b.withWorker(ctx, args, func(w *harness.Worker) (err error) {
			outside, err = b.takeOver(ctx, w)
			return err
		})
		if err != nil {
			return err
		}
		return b.reportHeld(cached, outside)
	})
}

// held is what a worker uses for rollouts that hold.
type held struct {
	// before is its memory without a rollout, but with the cluster's objects.
	before meter.Usage
	// after is its memory with all, and cpu what it used while nothing happened.
	after meter.Usage
	cpu   float64
	// temporal is the share of a processor that Temporal used meanwhile.
	temporal float64
}

func (b *bench) holdAll(ctx context.Context, apps []fleet.App, w *harness.Worker) ([]control.Run, held, error) {
	before, err := b.usage(ctx, w)
	if err != nil {
		return nil, held{}, err
	}
	begun := time.Now()
	runs, err := b.startAll(ctx, apps, []fleet.Step{{Weight: 10, Replicas: 1}}, "v2")
	if err == nil {
		err = b.awaitHolding(ctx, len(runs))
	}
	if err != nil {
		return runs, held{}, err
	}
	b.say("%d rollouts hold after %.0f s", len(runs), time.Since(begun).Seconds())
	h, err := b.idle(ctx, w)
	h.before = before
	return runs, h, err
}

// takeOver lets a worker take the watches of its predecessor over.
func (b *bench) takeOver(ctx context.Context, w *harness.Worker) (held, error) {
	before, err := b.usage(ctx, w)
	if err != nil {
		return held{}, err
	}
	if err := pause(ctx, min(takeOver, 3*b.Idle)); err != nil {
		return held{}, err
	}
	h, err := b.idle(ctx, w)
	h.before = before
	return h, err
}

// idle looks at the worker while nothing is to be done.
func (b *bench) idle(ctx context.Context, w *harness.Worker) (held, error) {
	if err := pause(ctx, min(settling, b.Idle)); err != nil {
		return held{}, err
	}
	first, err := b.usage(ctx, w)
	if err != nil {
		return held{}, err
	}
	parts, err := meter.Parts(ctx, b.Sandbox)
	if err != nil {
		return held{}, err
	}
	begun := time.Now()
	if err := pause(ctx, b.Idle); err != nil {
		return held{}, err
	}
	last, err := b.usage(ctx, w)
	if err != nil {
		return held{}, err
	}
	took := time.Since(begun).Seconds()
	later, err := meter.Parts(ctx, b.Sandbox)
	if err != nil {
		return held{}, err
	}
	h := held{after: last, cpu: 100 * (last.CPU - first.CPU).Seconds() / took}
	h.temporal = 100 * (later["temporal"].CPU - parts["temporal"].CPU).Seconds() / took
	b.say("the worker has %.0f MiB (at most %.0f) and takes %.1f %% of a processor, Temporal %.1f %%",
		meter.MiB(last.RSS), meter.MiB(last.Peak), h.cpu, h.temporal)
	return h, nil
}

// reportHeld extrapolates: a rollout outside the cache costs what it costs a
// worker that has none in its cache, one inside it the difference more.
func (b *bench) reportHeld(cached, outside held) error {
	each := float64(outside.after.RSS-outside.before.RSS) / float64(b.Held)
	more := float64(cached.after.RSS-outside.after.RSS) / float64(min(b.Held, cacheSize))
	ten := float64(outside.before.RSS) + tenThousand*each + cacheSize*more
	line := func(name string, h held) []string {
		return []string{
			name, fmt.Sprintf("%.0f", meter.MiB(h.before.RSS)), fmt.Sprintf("%.0f", meter.MiB(h.after.RSS)),
			fmt.Sprintf("%.0f", meter.MiB(h.after.Peak)), fmt.Sprintf("%.1f", h.cpu), fmt.Sprintf("%.1f", h.temporal),
		}
	}
	b.detail(fmt.Sprintf("the worker with %d held rollouts", b.Held),
		[]string{"rollouts", "MiB before", "MiB held", "peak MiB", "CPU %", "Temporal %"},
		[][]string{line("in its cache", cached), line("taken over", outside)})
	return b.set(figures{
		report.HeldMemory:      {meter.MiB(cached.after.RSS), b.Held},
		report.HeldEach:        {float64(cached.after.RSS-cached.before.RSS) / 1024 / float64(b.Held), b.Held},
		report.HeldIdle:        {cached.cpu, b.Held},
		report.HeldTenThousand: {ten / (1 << 20), b.Held},
	})
}
