package bench

import (
	"context"
	"fmt"
	"time"

	"sluice.dev/sluice/tests/bench/observe"
	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/bench/stats"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// firstWeight is the weight of the seed's first step.
const firstWeight = "10"

// measureFirstWeight starts the seed's rollout again and again, with real pods,
// and aborts it when its first weight is there.
func measureFirstWeight(ctx context.Context, b *bench) error {
	const namespace = "bench-first"
	watching, stop := context.WithCancel(ctx)
	defer stop()
	weights, err := observe.Weights(watching, b.kube)
	if err != nil {
		return err
	}
	images, err := observe.Images(watching, b.kube)
	if err != nil {
		return err
	}
	var fromChange, fromStart []time.Duration
	err = b.withDemo(ctx, namespace, func() error {
		for i := range b.FirstWeight {
			t, err := b.firstWeightOnce(ctx, namespace, versionOf(i), weights, images)
			if err != nil {
				return err
			}
			b.say("%.2f s after the change of the image, %.2f s after the call", t.weight.Sub(t.change).Seconds(), t.weight.Sub(t.call).Seconds())
			fromChange = append(fromChange, t.weight.Sub(t.change))
			fromStart = append(fromStart, t.weight.Sub(t.call))
		}
		return nil
	})
	if err != nil {
		return err
	}
	n := len(fromChange)
	return b.set(figures{
		report.FirstWeightP50:   {stats.Seconds(fromChange).Median(), n},
		report.FirstWeightMax:   {stats.Seconds(fromChange).Max(), n},
		report.FirstWeightStart: {stats.Seconds(fromStart).Median(), n},
	})
}

// firstTimes are the moments of one start.
type firstTimes struct{ call, change, weight time.Time }

func (b *bench) firstWeightOnce(ctx context.Context, namespace, version string, weights, images *observe.Observer) (firstTimes, error) {
	var t firstTimes
	if err := pause(ctx, quiet); err != nil {
		return t, err
	}
	weightMark, imageMark := weights.Mark(), images.Mark()
	t.call = time.Now()
	run, err := b.startDemo(ctx, namespace, version)
	if err != nil {
		return t, err
	}
	change, err := images.Await(ctx, "the image is changed", imageMark, observe.Is(namespace+"/"+harness.Demo, harness.Image(version)))
	if err != nil {
		return t, err
	}
	weight, err := weights.Await(ctx, "the first weight is there", weightMark, observe.Is(namespace+"/"+harness.Demo+"-canary", firstWeight))
	if err != nil {
		return t, err
	}
	t.change, t.weight = change.At, weight.At
	if err := b.awaitHold(ctx, run.ID, 1); err != nil {
		return t, err
	}
	if err := b.send(ctx, run.ID, workflows.VerbAbort, workflows.Message{}); err != nil {
		return t, fmt.Errorf("aborting: %w", err)
	}
	return t, b.awaitEnd(ctx, run, workflows.RolledBack)
}
