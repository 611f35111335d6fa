package bench

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/bench/stats"
	"sluice.dev/sluice/tests/harness"
)

// unheld is what the watcher logs about a change that no webhook has held.
var unheld = regexp.MustCompile(`began to roll out unheld \((\d+) pods\)`)

// bypassSlips changes the image while no webhook is there: the watcher takes the
// change back, and tells how many pods had been made by then.
func bypassSlips(ctx context.Context, b *bench) error {
	const namespace = "bench-slips"
	return b.withWatch(ctx, "leading", []string{"--webhook-address", ""}, func(w *harness.Watcher) error {
		return b.withDemo(ctx, namespace, func() error {
			return b.withDeclared(ctx, namespace, func() error { return b.slips(ctx, namespace, w) })
		})
	})
}

func (b *bench) slips(ctx context.Context, namespace string, w *harness.Watcher) error {
	var pods stats.Sample
	var took []time.Duration
	for i := range b.FirstWeight {
		if err := pause(ctx, quiet); err != nil {
			return err
		}
		begun := time.Now()
		if err := b.SetImage(ctx, namespace, versionOf(i)); err != nil {
			return err
		}
		slipped, err := awaitUnheld(ctx, w, i)
		if err != nil {
			return err
		}
		took, pods = append(took, time.Since(begun)), append(pods, slipped)
		b.say("taken back after %.0f ms, %.0f pods", took[i].Seconds()*1000, slipped)
		if _, err := b.abortHeld(ctx, namespace); err != nil {
			return err
		}
	}
	return b.set(figures{
		report.BypassTaken:   {stats.Milliseconds(took).Median(), len(took)},
		report.BypassSlipped: {pods.Max(), len(pods)},
	})
}

// awaitUnheld waits for the next change that the watcher takes back, after so many
// before, and returns the pods that had been made.
func awaitUnheld(ctx context.Context, w *harness.Watcher, before int) (float64, error) {
	var pods float64
	err := harness.Await(ctx, "the watcher takes the change back", func(context.Context) (bool, error) {
		log, err := w.Log()
		if err != nil {
			return false, err
		}
		told := unheld.FindAllSubmatch(log, -1)
		if len(told) <= before {
			return false, nil
		}
		n, err := strconv.Atoi(string(told[before][1]))
		pods = float64(n)
		return true, err
	})
	if err != nil {
		return 0, fmt.Errorf("measuring what slips through: %w", err)
	}
	return pods, nil
}
