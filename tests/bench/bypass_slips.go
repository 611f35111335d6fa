package bench

import (
	"bytes"
	"context"
	"strings"
	"time"

	"sluice.dev/sluice/tests/bench/observe"
	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/bench/stats"
	"sluice.dev/sluice/tests/harness"
)

// unheld is what the watcher logs about a change that no webhook has held.
var unheld = []byte("began to roll out unheld")

// measureSlips changes the image while no webhook is there: the watcher takes the
// change back, and pods that were made by then are counted.
func measureSlips(ctx context.Context, b *bench) error {
	const namespace = "bench-slips"
	return b.withWatch(ctx, "leading", []string{"--webhook-address", ""}, func(w *harness.Watcher) error {
		return b.withDemo(ctx, namespace, func() error {
			return b.withDeclared(ctx, namespace, func() error { return b.slips(ctx, namespace, w) })
		})
	})
}

func (b *bench) slips(ctx context.Context, namespace string, w *harness.Watcher) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	pods, err := observe.Pods(watching, b.kube, namespace)
	if err != nil {
		return err
	}
	var slipped stats.Sample
	var took []time.Duration
	for i := range b.Slips {
		if err := pause(ctx, quiet); err != nil {
			return err
		}
		mark, begun := pods.Mark(), time.Now()
		if err := b.SetImage(ctx, namespace, versionOf(i)); err != nil {
			return err
		}
		if err := awaitUnheld(ctx, w, i); err != nil {
			return err
		}
		took = append(took, time.Since(begun))
		if _, err := b.abortHeld(ctx, namespace); err != nil {
			return err
		}
		slipped = append(slipped, made(pods, mark))
		b.say("taken back after %.0f ms, %.0f pods", took[i].Seconds()*1000, slipped[i])
	}
	return b.set(figures{
		report.BypassTaken:      {stats.Milliseconds(took).Median(), len(took)},
		report.BypassSlipped:    {slipped.Median(), len(slipped)},
		report.BypassSlippedMax: {slipped.Max(), len(slipped)},
	})
}

// awaitUnheld waits for the next change that the watcher takes back, after so many
// before.
func awaitUnheld(ctx context.Context, w *harness.Watcher, before int) error {
	return harness.Await(ctx, "the watcher takes the change back", func(context.Context) (bool, error) {
		log, err := w.Log()
		return err == nil && bytes.Count(log, unheld) > before, err
	})
}

// made counts the pods since a mark of a ReplicaSet that had none before, other
// than the canary's.
func made(pods *observe.Observer, mark int) float64 {
	all, _ := pods.Since(0)
	known, found := map[string]bool{}, map[string]bool{}
	for i, e := range all {
		set := e.Key[:strings.LastIndex(e.Key, "-")]
		switch {
		case i < mark:
			known[set] = true
		case !known[set] && !strings.Contains(set, "-canary"):
			found[e.Key] = true
		}
	}
	return float64(len(found))
}
