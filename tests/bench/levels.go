package bench

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/tests/bench/meter"
	"sluice.dev/sluice/tests/bench/stats"
	"sluice.dev/sluice/tests/harness"
)

// pins are the annotations with which the seed's document pins each level of
// confirmation.
var pins = []struct{ level, annotations string }{
	{"state", "sluice.dev/confirm: state"},
	{"probe, by version", "sluice.dev/confirm: probe\n    sluice.dev/probe: '{header: X-Version, equals: \"{tag}\"}'"},
	{"probe, by pod", "sluice.dev/confirm: probe\n    sluice.dev/probe: '{header: X-Pod, equals: \"{pod}\"}'"},
	{"grace", "sluice.dev/confirm: grace"},
}

// levelRun is what confirmation took in one rollout.
type levelRun struct {
	wall, confirming time.Duration
	confirmations    []traffic.Confirmation
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
				b.say("%s: %.2f s in all, %.2f s confirming", pin.level, run.wall.Seconds(), run.confirming.Seconds())
				runs[j] = append(runs[j], run)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.detail(fmt.Sprintf("what confirmation adds to the seed's rollout, medians of %d", b.Levels),
		[]string{"level", "rollout s", "confirming routes s", "of it by grace s", "confirmations", "longest ms"}, levelLines(runs))
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
	out := levelRun{wall: time.Since(begun)}
	history, err := meter.ReadHistory(ctx, b.Temporal, run.ID, run.RunID)
	if err != nil {
		return out, err
	}
	out.confirmations, err = confirmationsOf(history)
	for _, c := range out.confirmations {
		out.confirming += time.Duration(c.Millis) * time.Millisecond
	}
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

// confirmationsOf returns what the activities that write routes have returned.
func confirmationsOf(h meter.History) ([]traffic.Confirmation, error) {
	names := map[int64]string{}
	var found []traffic.Confirmation
	for _, event := range h {
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			names[event.GetEventId()] = activity(event)
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			done := event.GetActivityTaskCompletedEventAttributes()
			if names[done.GetScheduledEventId()] != routeActivity {
				continue
			}
			var c traffic.Confirmation
			if err := converter.GetDefaultDataConverter().FromPayloads(done.GetResult(), &c); err != nil {
				return nil, fmt.Errorf("reading a confirmation: %w", err)
			}
			found = append(found, c)
		default:
		}
	}
	return found, nil
}

func levelLines(all [][]levelRun) [][]string {
	var lines [][]string
	for j, runs := range all {
		var wall, confirming, grace, count, longest stats.Sample
		for _, run := range runs {
			waited, most := 0.0, 0.0
			for _, c := range run.confirmations {
				if c.Level == traffic.LevelGrace {
					waited += float64(c.Millis) / 1000
				}
				most = max(most, float64(c.Millis))
			}
			wall, confirming = append(wall, run.wall.Seconds()), append(confirming, run.confirming.Seconds())
			grace, longest = append(grace, waited), append(longest, most)
			count = append(count, float64(len(run.confirmations)))
		}
		lines = append(lines, []string{
			pins[j].level, fmt.Sprintf("%.1f", wall.Median()), fmt.Sprintf("%.1f", confirming.Median()), fmt.Sprintf("%.1f", grace.Median()),
			fmt.Sprintf("%.0f", count.Median()), fmt.Sprintf("%.0f", longest.Median()),
		})
	}
	return lines
}
