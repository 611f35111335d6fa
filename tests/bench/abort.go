package bench

import (
	"context"

	"sluice.dev/sluice/tests/bench/fleet"
	"sluice.dev/sluice/tests/bench/observe"
	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// measureAbort lets rollouts hold at the seed's first step and aborts them one
// after the other.
func measureAbort(ctx context.Context, b *bench) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	weights, err := observe.Weights(watching, b.kube)
	if err != nil {
		return err
	}
	f := fleet.Fleet{Prefix: "bench-abort", Size: b.Aborts, PerNamespace: b.Aborts, Replicas: fleetReplicas}
	var all []decided
	err = b.withFleet(ctx, f, func() error {
		return b.withWorker(ctx, asking(), func(*harness.Worker) (err error) {
			all, err = b.abortEach(ctx, f.Apps(), weights)
			return err
		})
	})
	if err != nil {
		return err
	}
	b.detail("where the time goes", stageHeader, stageLines(all))
	took := milliseconds(all)
	return b.set(figures{
		report.AbortP50: {took.Median(), len(took)},
		report.AbortMax: {took.Max(), len(took)},
	})
}

func (b *bench) abortEach(ctx context.Context, apps []fleet.App, weights *observe.Observer) ([]decided, error) {
	runs, err := b.startAll(ctx, apps, fleet.Seed(0), "v2")
	defer b.endOpen(ctx, runs)
	if err != nil {
		return nil, err
	}
	if err := b.awaitHolding(ctx, len(runs)); err != nil {
		return nil, err
	}
	b.say("%d rollouts hold", len(runs))
	var all []decided
	for i, run := range runs {
		made, err := b.decide(ctx, decision{run: run, app: apps[i], verb: workflows.VerbAbort, weight: "0"}, weights)
		if err != nil {
			return nil, err
		}
		// One that is being taken back would disturb the next.
		if err := b.awaitEnd(ctx, run, workflows.RolledBack); err != nil {
			return nil, err
		}
		one := []decided{made}
		if err := b.explain(ctx, run, one); err != nil {
			return nil, err
		}
		all = append(all, one...)
	}
	b.say("%d aborts, p50 %.0f ms, slowest %.0f ms", len(all), milliseconds(all).Median(), milliseconds(all).Max())
	return all, nil
}
