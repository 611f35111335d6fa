package bench

import (
	"context"
	"fmt"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/tests/bench/fleet"
	"sluice.dev/sluice/tests/bench/observe"
	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// fleetReplicas is the size of workloads where it does not matter: the seed's.
const fleetReplicas = 5

// measurePromote goes through documents whose steps differ in weight only, so
// that no new pod is waited for.
func measurePromote(ctx context.Context, b *bench) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	weights, err := observe.Weights(watching, b.kube)
	if err != nil {
		return err
	}
	size := (b.Promotes + b.PromotesPerRollout - 1) / b.PromotesPerRollout
	f := fleet.Fleet{Prefix: "bench-promote", Size: size, PerNamespace: size, Replicas: fleetReplicas}
	var all []decided
	err = b.withFleet(ctx, f, func() error {
		return b.withWorker(ctx, asking(), func(*harness.Worker) error {
			for _, app := range f.Apps() {
				made, err := b.promoteThrough(ctx, app, weights)
				if err != nil {
					return err
				}
				all = append(all, made...)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	b.detail("where the time goes", stageHeader, stageLines(all))
	took := milliseconds(all)
	return b.set(figures{
		report.PromoteP50: {took.Median(), len(took)},
		report.PromoteP95: {took.Percentile(95), len(took)},
		report.PromoteMax: {took.Max(), len(took)},
	})
}

// promoteThrough promotes the steps of one rollout, all but the last, and aborts
// it.
func (b *bench) promoteThrough(ctx context.Context, app fleet.App, weights *observe.Observer) ([]decided, error) {
	if err := pause(ctx, quiet); err != nil {
		return nil, err
	}
	run, err := b.start(ctx, app, fleet.Ramp(b.PromotesPerRollout+1), "v2")
	if err != nil {
		return nil, err
	}
	defer b.endOpen(ctx, []control.Run{run})
	var all []decided
	for step := 1; step <= b.PromotesPerRollout; step++ {
		if err := b.awaitHold(ctx, run.ID, step); err != nil {
			return nil, err
		}
		// The weights of the ramp are its steps.
		d := decision{run: run, app: app, verb: workflows.VerbPromote, step: step, weight: fmt.Sprint(step + 1)}
		made, err := b.decide(ctx, d, weights)
		if err != nil {
			return nil, err
		}
		all = append(all, made)
	}
	b.say("%d promotes, p50 %.0f ms, slowest %.0f ms", len(all), milliseconds(all).Median(), milliseconds(all).Max())
	if err := b.awaitHold(ctx, run.ID, b.PromotesPerRollout+1); err != nil {
		return nil, err
	}
	if err := b.explain(ctx, run, all); err != nil {
		return nil, err
	}
	if err := b.send(ctx, run.ID, workflows.VerbAbort, workflows.Message{}); err != nil {
		return nil, err
	}
	return all, b.awaitEnd(ctx, run, workflows.RolledBack)
}
