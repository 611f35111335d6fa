package bench

import (
	"context"
	"fmt"
	"time"

	"sluice.dev/sluice/tests/bench/client"
	"sluice.dev/sluice/tests/bench/fleet"
	"sluice.dev/sluice/tests/bench/observe"
	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/bench/stats"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// enough is how many answers of the new version have to be seen before an abort.
const enough = 10

// measureAbortClient aborts the seed's rollout at its first hold, again and again,
// with real pods and a client that asks all the time.
func measureAbortClient(ctx context.Context, b *bench) error {
	const namespace = "bench-abort-client"
	watching, stop := context.WithCancel(ctx)
	defer stop()
	weights, err := observe.Weights(watching, b.kube)
	if err != nil {
		return err
	}
	asker := client.New(b.Sandbox.State().Outside.GatewayURL + harness.Path)
	var written, answered []time.Duration
	err = b.withDemo(ctx, namespace, func() error {
		go asker.Run(watching)
		for i := range b.Aborts {
			made, last, err := b.abortClientOnce(ctx, namespace, versionOf(i), weights, asker)
			if err != nil {
				return err
			}
			written, answered = append(written, made.seen.Sub(made.sent)), append(answered, last.Sub(made.sent))
			b.say("weight 0 after %d ms, last answer of the new version after %d ms", written[i].Milliseconds(), answered[i].Milliseconds())
		}
		return asker.Lost()
	})
	if err != nil {
		return err
	}
	api, seen := stats.Milliseconds(written), stats.Milliseconds(answered)
	return b.set(figures{
		report.AbortClientP50: {seen.Median(), len(seen)},
		report.AbortClientP99: {seen.Percentile(99), len(seen)},
		report.AbortWriteP50:  {api.Median(), len(api)},
		report.AbortWriteP99:  {api.Percentile(99), len(api)},
	})
}

// abortClientOnce returns when weight 0 was written, and when the new version has
// answered for the last time. That is known when its pods are gone.
func (b *bench) abortClientOnce(ctx context.Context, namespace, version string, weights *observe.Observer, asker *client.Asker) (decided, time.Time, error) {
	var made decided
	if err := pause(ctx, quiet); err != nil {
		return made, time.Time{}, err
	}
	run, err := b.startDemo(ctx, namespace, version)
	if err == nil {
		err = b.awaitHold(ctx, run.ID, 1)
	}
	if err == nil {
		err = asker.Await(ctx, version, enough)
	}
	if err != nil {
		return made, time.Time{}, err
	}
	app := fleet.App{Namespace: namespace, Name: harness.Demo}
	if made, err = b.decide(ctx, decision{run: run, app: app, verb: workflows.VerbAbort, weight: "0"}, weights); err != nil {
		return made, time.Time{}, err
	}
	if err := b.awaitEnd(ctx, run, workflows.RolledBack); err != nil {
		return made, time.Time{}, err
	}
	last := asker.Last(version)
	if last.Before(made.sent) {
		return made, last, fmt.Errorf("no answer of %s was seen after the abort: the client asks too seldom", version)
	}
	return made, last, nil
}
