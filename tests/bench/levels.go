package bench

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/tests/bench/meter"
	"sluice.dev/sluice/tests/bench/stats"
	"sluice.dev/sluice/tests/harness"
)

// pins are the annotations with which the seed's document pins each level of
// confirmation, that of the state first.
var pins = []struct{ level, annotations string }{
	{"state", "sluice.dev/confirm: state"},
	{"probe, by metrics", "sluice.dev/confirm: probe\n    sluice.dev/probe: '{metrics: true}'"},
	{"probe, by pod", "sluice.dev/confirm: probe\n    sluice.dev/probe: '{header: X-Pod, equals: \"{pod}\"}'"},
	{"probe, by version", "sluice.dev/confirm: probe\n    sluice.dev/probe: '{header: X-Version, equals: \"{tag}\"}'"},
	{"grace", "sluice.dev/confirm: grace"},
}

// The activities that wait for other things, for which it counts what is
// confirmed and how.
const (
	canaryActivity  = "EnsureCanary"
	promoteActivity = "PromoteStable"
)

// routeWrite is one change of the route in one rollout.
type routeWrite struct {
	traffic.Confirmation
	// name says what was asked for.
	name string
	// took is the time from asking to the confirmation's being known.
	took time.Duration
}

// levelRun is what one rollout took.
type levelRun struct {
	wall   time.Duration
	writes []routeWrite
	// others is what the other activities took, by type.
	others map[string]time.Duration
}

// confirming is how long changes of the route were waited for after their writes.
func (r levelRun) confirming() time.Duration {
	var sum time.Duration
	for _, w := range r.writes {
		sum += time.Duration(w.Millis) * time.Millisecond
	}
	return sum
}

// waited is how much of that was grace.
func (r levelRun) waited() time.Duration {
	var sum time.Duration
	for _, w := range r.writes {
		if w.Level == traffic.LevelGrace {
			sum += time.Duration(w.Millis) * time.Millisecond
		}
	}
	return sum
}

// measureLevels releases the seed's application once per level and adds up what
// the confirmations take, from each write of a route to its proof. The gateway's
// own throttle is part of it at every level.
func measureLevels(ctx context.Context, b *bench) error {
	const namespace = "bench-levels"
	runs := make([][]levelRun, len(pins))
	err := b.withDemo(ctx, namespace, func() error {
		for i := range b.Levels {
			for j, pin := range pins {
				run, err := b.levelOnce(ctx, namespace, versionOf(i*len(pins)+j), pin.annotations)
				if err != nil {
					return fmt.Errorf("level %s: %w", pin.level, err)
				}
				b.say("%s: %.2f s in all, %.2f s confirming", pin.level, run.wall.Seconds(), run.confirming().Seconds())
				runs[j] = append(runs[j], run)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.detail(fmt.Sprintf("what confirmation adds to the seed's rollout, medians of %d", b.Levels), levelHeader, levelLines(runs))
	header := []string{"route"}
	for _, pin := range pins {
		header = append(header, pin.level)
	}
	b.detail("from asking to confirmed, ms, medians of the same", header, writeLines(runs))
	return nil
}

// levelOnce releases once, without a person's thought at the holds.
func (b *bench) levelOnce(ctx context.Context, namespace, version, annotations string) (levelRun, error) {
	if err := pause(ctx, quiet); err != nil {
		return levelRun{}, err
	}
	file, err := annotated(annotations)
	if err != nil {
		return levelRun{}, err
	}
	defer func() { _ = os.Remove(file) }()
	begun := time.Now()
	run, err := b.startFile(ctx, namespace, file, version)
	if err != nil {
		return levelRun{}, err
	}
	if err := b.promoteHolds(ctx, run, 0); err != nil {
		return levelRun{}, err
	}
	wall := time.Since(begun)
	history, err := meter.ReadHistory(ctx, b.Temporal, run.ID, run.RunID)
	if err != nil {
		return levelRun{}, err
	}
	out, err := levelRunOf(history)
	out.wall = wall
	return out, err
}

// annotated writes the seed's canary document with annotations to a file.
func annotated(annotations string) (string, error) {
	path, err := harness.SeedFile("rollout-canary.yaml")
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the seed's document: %w", err)
	}
	file, err := os.CreateTemp("", "sluice-bench-*.yaml")
	if err != nil {
		return "", fmt.Errorf("writing a document: %w", err)
	}
	defer func() { _ = file.Close() }()
	_, err = file.WriteString(strings.Replace(string(text), "metadata:\n", "metadata:\n  annotations:\n    "+annotations+"\n", 1))
	return file.Name(), err
}

// asked is an activity that was scheduled.
type asked struct {
	activity string
	at       time.Time
	input    *commonpb.Payloads
}

// levelRunOf reads from a history what its activities took, and what those that
// write routes were asked for and have returned.
func levelRunOf(h meter.History) (levelRun, error) {
	run := levelRun{others: map[string]time.Duration{}}
	scheduled := map[int64]asked{}
	for _, event := range h {
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			scheduled[event.GetEventId()] = asked{activity(event), event.GetEventTime().AsTime(), event.GetActivityTaskScheduledEventAttributes().GetInput()}
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			done := event.GetActivityTaskCompletedEventAttributes()
			from := scheduled[done.GetScheduledEventId()]
			took := event.GetEventTime().AsTime().Sub(from.at)
			if from.activity != routeActivity {
				run.others[from.activity] += took
				continue
			}
			write, err := routeWriteOf(from.input, done.GetResult())
			if err != nil {
				return run, err
			}
			write.took = took
			run.writes = append(run.writes, write)
		default:
		}
	}
	return run, nil
}

// routeWriteOf reads what a route was asked to be and how it was confirmed.
func routeWriteOf(input, result *commonpb.Payloads) (routeWrite, error) {
	var request traffic.RouteRequest
	var write routeWrite
	if err := converter.GetDefaultDataConverter().FromPayloads(input, &request); err != nil {
		return write, fmt.Errorf("reading what a route was asked to be: %w", err)
	}
	if err := converter.GetDefaultDataConverter().FromPayloads(result, &write.Confirmation); err != nil {
		return write, fmt.Errorf("reading a confirmation: %w", err)
	}
	write.name = fmt.Sprintf("weight %d", request.Route.Weight)
	if request.Absent {
		write.name = "removed"
	}
	return write, nil
}

// levelHeader heads the lines of levelLines.
var levelHeader = []string{"level", "rollout s", "adds s", "confirming routes s", "of it by grace s", "canary pods s", "promotion s", "changes", "longest ms"}

// levelLines compares each level with a rollout that confirms nothing, which is
// computed: one by the state of the gateway, less what it took to confirm routes.
func levelLines(all [][]levelRun) [][]string {
	line := func(level string, runs []levelRun, values ...func(levelRun) float64) []string {
		cells := []string{level}
		for _, value := range values {
			var sample stats.Sample
			for _, run := range runs {
				sample = append(sample, value(run))
			}
			cells = append(cells, fmt.Sprintf("%.1f", sample.Median()))
		}
		return cells
	}
	var bare stats.Sample
	for _, run := range all[0] {
		bare = append(bare, (run.wall - run.confirming()).Seconds())
	}
	none := bare.Median()
	zero := func(levelRun) float64 { return 0 }
	pods := func(r levelRun) float64 { return r.others[canaryActivity].Seconds() }
	promotion := func(r levelRun) float64 { return r.others[promoteActivity].Seconds() }
	first := line("none, computed", all[0], func(levelRun) float64 { return none }, zero, zero, zero, pods, promotion)
	lines := [][]string{append(first, "0", "0")}
	for j, runs := range all {
		cells := line(pins[j].level, runs,
			func(r levelRun) float64 { return r.wall.Seconds() },
			func(r levelRun) float64 { return r.wall.Seconds() - none },
			func(r levelRun) float64 { return r.confirming().Seconds() },
			func(r levelRun) float64 { return r.waited().Seconds() }, pods, promotion)
		var changes, longest stats.Sample
		for _, run := range runs {
			most := 0.0
			for _, w := range run.writes {
				most = max(most, float64(w.Millis))
			}
			changes, longest = append(changes, float64(len(run.writes))), append(longest, most)
		}
		lines = append(lines, append(cells, fmt.Sprintf("%.0f", changes.Median()), fmt.Sprintf("%.0f", longest.Median())))
	}
	return lines
}

// writeLines has a line for each change of the route, in the order in which the
// first rollout has made them, and a column for each level.
func writeLines(all [][]levelRun) [][]string {
	var lines [][]string
	for i, write := range all[0][0].writes {
		cells := []string{write.name}
		for _, runs := range all {
			var took []time.Duration
			for _, run := range runs {
				if i < len(run.writes) {
					took = append(took, run.writes[i].took)
				}
			}
			cells = append(cells, fmt.Sprintf("%.0f", stats.Milliseconds(took).Median()))
		}
		lines = append(lines, cells)
	}
	return lines
}
