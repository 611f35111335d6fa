package bench

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/tests/bench/fleet"
	"sluice.dev/sluice/tests/bench/meter"
	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

const (
	// massHold is how long each of many rollouts holds at its steps.
	massHold = time.Second
	// massPerNamespace is how many applications share a namespace.
	massPerNamespace = 20
	// sampled is how many histories are read for the mean number of events.
	sampled = 10
)

// massRows are the figures of a measurement of many rollouts at once.
type massRows struct{ wall, cpu, peak, requests, events string }

// measureMass lets the gateway confirm every change.
func measureMass(ctx context.Context, b *bench) error {
	rows := massRows{report.MassWall, report.MassCPU, report.MassPeak, report.MassRequests, report.MassEvents}
	return b.measureMassWith(ctx, "bench-mass", asking(), rows)
}

// measureMassGrace takes every change for confirmed, so that the gateway can be
// told apart from the rest.
func measureMassGrace(ctx context.Context, b *bench) error {
	args, err := b.notAsking()
	if err != nil {
		return err
	}
	rows := massRows{report.GraceWall, report.GraceCPU, report.GracePeak, report.GraceRequests, report.GraceEvents}
	return b.measureMassWith(ctx, "bench-grace", args, rows)
}

func (b *bench) measureMassWith(ctx context.Context, prefix string, args []string, rows massRows) error {
	f := fleet.Fleet{Prefix: prefix, Size: b.Mass, PerNamespace: massPerNamespace, Replicas: b.MassReplicas}
	return b.withFleet(ctx, f, func() error {
		return b.withWorker(ctx, args, func(w *harness.Worker) error {
			return b.massOnce(ctx, f.Apps(), w, rows)
		})
	})
}

func (b *bench) massOnce(ctx context.Context, apps []fleet.App, w *harness.Worker, rows massRows) error {
	// The fleet has just been created: others are still busy with it.
	if err := pause(ctx, quiet); err != nil {
		return err
	}
	mark, err := b.audit.Mark()
	if err != nil {
		return err
	}
	before, err := meter.Parts(ctx, b.Sandbox)
	if err != nil {
		return err
	}
	idle, err := b.usage(ctx, w)
	if err != nil {
		return err
	}
	begun := time.Now()
	runs, err := b.startAll(ctx, apps, fleet.Seed(massHold), "v2")
	defer b.endOpen(ctx, runs)
	if err != nil {
		return err
	}
	b.say("%d rollouts are started after %.1f s", len(runs), time.Since(begun).Seconds())
	if err := b.awaitEnds(ctx, runs, workflows.Promoted); err != nil {
		return err
	}
	wall := time.Since(begun)
	busy, err := b.usage(ctx, w)
	if err != nil {
		return err
	}
	after, err := meter.Parts(ctx, b.Sandbox)
	if err != nil {
		return err
	}
	b.say("all are promoted after %.1f s, the worker took %.1f s and %.0f MiB", wall.Seconds(), (busy.CPU - idle.CPU).Seconds(), meter.MiB(busy.Peak))
	b.detail("what everything used meanwhile", []string{"process", "CPU s", "MiB", "peak MiB"}, usageLines(before, after, idle, busy))
	n := len(runs)
	if err := b.set(figures{
		rows.wall: {wall.Seconds(), n},
		rows.cpu:  {(busy.CPU - idle.CPU).Seconds(), n},
		rows.peak: {meter.MiB(busy.Peak), n},
	}); err != nil {
		return err
	}
	return b.massCosts(ctx, mark, runs, rows)
}

// massCosts reports what a rollout cost on average.
func (b *bench) massCosts(ctx context.Context, mark int64, runs []control.Run, rows massRows) error {
	requests, err := b.audit.Since(mark, meter.WorkerAgent)
	if err != nil {
		return err
	}
	b.detail("API requests of all rollouts", []string{"verb and resource", "requests"}, requestLines(requests))
	events, read := 0, 0
	for i := 0; i < len(runs); i += max(1, len(runs)/sampled) {
		history, err := meter.ReadHistory(ctx, b.Temporal, runs[i].ID, runs[i].RunID)
		if err != nil {
			return err
		}
		events, read = events+len(history), read+1
	}
	return b.set(figures{
		rows.requests: {float64(requests.Total()) / float64(len(runs)), len(runs)},
		rows.events:   {float64(events) / float64(read), read},
	})
}

// usageLines compares what all processes used, those with most CPU time first.
func usageLines(before, after map[string]meter.Usage, idle, busy meter.Usage) [][]string {
	took := map[string]meter.Usage{"sluice-worker": {CPU: busy.CPU - idle.CPU, RSS: busy.RSS, Peak: busy.Peak}}
	for name, usage := range after {
		took[name] = meter.Usage{CPU: usage.CPU - before[name].CPU, RSS: usage.RSS, Peak: usage.Peak}
	}
	names := slices.SortedFunc(maps.Keys(took), func(a, b string) int {
		return cmp.Or(cmp.Compare(took[b].CPU, took[a].CPU), cmp.Compare(a, b))
	})
	var lines [][]string
	for _, name := range names {
		u := took[name]
		lines = append(lines, []string{
			name, fmt.Sprintf("%.1f", u.CPU.Seconds()), fmt.Sprintf("%.0f", meter.MiB(u.RSS)), fmt.Sprintf("%.0f", meter.MiB(u.Peak)),
		})
	}
	return lines
}
