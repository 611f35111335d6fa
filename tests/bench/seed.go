package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/tests/bench/meter"
	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/bench/stats"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// quiet is the pause before a single rollout is started: longer than the gateway
// holds changes back after the last one.
const quiet = 3 * time.Second

// withDemo deploys the seed's application, on nodes whose pods run, and runs a
// measurement with a worker that asks the gateway.
func (b *bench) withDemo(ctx context.Context, namespace string, measure func() error) error {
	if err := b.DeployDemo(ctx, namespace); err != nil {
		return err
	}
	err := b.withWorker(ctx, asking(), func(*harness.Worker) error { return measure() })
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err != nil {
		b.endOpen(ctx, []control.Run{{ID: harness.DemoWorkflow(namespace)}})
		_ = b.RemoveDemo(ctx, namespace)
		return err
	}
	return b.RemoveDemo(ctx, namespace)
}

// startDemo starts the seed's canary document with the command line tool.
func (b *bench) startDemo(ctx context.Context, namespace, version string) (control.Run, error) {
	var run control.Run
	file, err := harness.SeedFile("rollout-canary.yaml")
	if err != nil {
		return run, err
	}
	return b.startFile(ctx, namespace, file, version)
}

// startFile does so with another document.
func (b *bench) startFile(ctx context.Context, namespace, file, version string) (control.Run, error) {
	var run control.Run
	out, err := b.Sluice(ctx, namespace, "start", "-f", file, "--image", "main="+harness.Image(version), "-o", "json")
	if err != nil {
		return run, err
	}
	if out.Code != 0 {
		return run, fmt.Errorf("sluice start: %s%s", out.Stdout, out.Stderr)
	}
	if err := json.Unmarshal([]byte(out.Stdout), &run); err != nil {
		return run, fmt.Errorf("reading what sluice start prints: %w", err)
	}
	return run, nil
}

// versionOf alternates, so that every rollout has something to release.
func versionOf(i int) string { return fmt.Sprintf("v%d", i+2) }

// seedRun is what one rollout of the seed's document has taken.
type seedRun struct {
	wall     time.Duration
	requests meter.Requests
	history  meter.History
	status   workflows.Status
}

// measureSeed releases the seed's application as a person would who thinks at
// each hold, and counts what it took.
func measureSeed(ctx context.Context, b *bench) error {
	const namespace = "bench-seed"
	var runs []seedRun
	err := b.withDemo(ctx, namespace, func() error {
		for i := range b.Seeds {
			run, err := b.seedOnce(ctx, namespace, versionOf(i))
			if err != nil {
				return err
			}
			b.say("%.2f s, %d requests, %d events", run.wall.Seconds(), run.requests.Total(), len(run.history))
			runs = append(runs, run)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.reportSeed(runs)
}

func (b *bench) seedOnce(ctx context.Context, namespace, version string) (seedRun, error) {
	if err := pause(ctx, quiet); err != nil {
		return seedRun{}, err
	}
	mark, err := b.audit.Mark()
	if err != nil {
		return seedRun{}, err
	}
	begun := time.Now()
	run, err := b.startDemo(ctx, namespace, version)
	if err != nil {
		return seedRun{}, err
	}
	if err := b.promoteHolds(ctx, run, b.Thought); err != nil {
		return seedRun{}, err
	}
	out := seedRun{wall: time.Since(begun)}
	if out.requests, err = b.audit.Since(mark, meter.WorkerAgent); err != nil {
		return out, err
	}
	if out.history, err = meter.ReadHistory(ctx, b.Temporal, run.ID, run.RunID); err != nil {
		return out, err
	}
	out.status, err = b.status(ctx, run.ID, run.RunID)
	return out, err
}

// promoteHolds promotes at each hold after a time, to the end.
func (b *bench) promoteHolds(ctx context.Context, run control.Run, thought time.Duration) error {
	for step := 1; step <= 2; step++ {
		if err := b.awaitHold(ctx, run.ID, step); err != nil {
			return err
		}
		if err := pause(ctx, thought); err != nil {
			return err
		}
		if err := b.send(ctx, run.ID, workflows.VerbPromote, workflows.Message{Step: step}); err != nil {
			return err
		}
	}
	return b.awaitEnd(ctx, run, workflows.Promoted)
}

func (b *bench) reportSeed(runs []seedRun) error {
	var wall []time.Duration
	var requests, events stats.Sample
	for _, run := range runs {
		wall = append(wall, run.wall)
		requests = append(requests, float64(run.requests.Total()))
		events = append(events, float64(len(run.history)))
	}
	last := runs[len(runs)-1]
	b.detail(fmt.Sprintf("where the time goes, medians of %d rollouts", len(runs)), []string{"done", "s"}, timeline(runs))
	b.detail("API requests of the last rollout", []string{"verb and resource", "requests"}, requestLines(last.requests))
	b.detail("history events of the last rollout", []string{"type", "events"}, eventLines(last.history))
	return b.set(figures{
		report.SeedWall:     {stats.Seconds(wall).Median(), len(runs)},
		report.SeedMax:      {stats.Seconds(wall).Max(), len(runs)},
		report.SeedRequests: {requests.Median(), len(runs)},
		report.SeedEvents:   {events.Median(), len(runs)},
	})
}

// timeline sums up when the lines of the timelines came after those before.
func timeline(runs []seedRun) [][]string {
	var order []string
	took := map[string]stats.Sample{}
	for _, run := range runs {
		before := run.status.Started
		seen := map[string]int{}
		for _, event := range run.status.Timeline {
			name, _, _ := strings.Cut(event.Text, " (confirmed")
			if seen[name]++; seen[name] > 1 {
				name = fmt.Sprintf("%s (%d)", name, seen[name])
			}
			if took[name] == nil {
				order = append(order, name)
			}
			took[name] = append(took[name], event.At.Sub(before).Seconds())
			before = event.At
		}
	}
	var lines [][]string
	for _, name := range order {
		lines = append(lines, []string{name, fmt.Sprintf("%.2f", took[name].Median())})
	}
	return lines
}

func requestLines(r meter.Requests) [][]string {
	var lines [][]string
	for _, kind := range r.Kinds() {
		lines = append(lines, []string{kind.Verb + " " + kind.Resource, fmt.Sprint(r.Counted[kind])})
	}
	for code, n := range r.Failed {
		lines = append(lines, []string{fmt.Sprintf("answered with %d", code), fmt.Sprint(n)})
	}
	return append(lines, []string{"watches begun (not counted)", fmt.Sprint(r.Watches)})
}

func eventLines(h meter.History) [][]string {
	var lines [][]string
	for _, t := range h.Types() {
		lines = append(lines, []string{t.Type, fmt.Sprint(t.Count)})
	}
	return lines
}

// figure is a value and the number of measurements behind it.
type figure struct {
	value float64
	of    int
}

type figures map[string]figure

// set notes figures in the report.
func (b *bench) set(all figures) error {
	for id, f := range all {
		if err := b.report.Set(id, f.value, f.of); err != nil {
			return err
		}
	}
	return nil
}
