package bench

import (
	"context"
	"errors"
	"time"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/tests/bench/fleet"
	"sluice.dev/sluice/tests/bench/meter"
	"sluice.dev/sluice/tests/bench/observe"
	"sluice.dev/sluice/tests/bench/stats"
	"sluice.dev/sluice/workflows"
)

const (
	// removeLimit bounds how long a fleet takes to go.
	removeLimit = 5 * time.Minute
	// rest lets what a hold has caused come to an end before it is left.
	rest = 200 * time.Millisecond
)

// withFleet deploys a fleet, runs a measurement, and removes the fleet.
func (b *bench) withFleet(ctx context.Context, f fleet.Fleet, measure func() error) error {
	f.Kube = b.kube
	begun := time.Now()
	err := f.Deploy(ctx)
	if err == nil {
		b.say("%d applications of %d pods are there after %.0f s", f.Size, f.Replicas, time.Since(begun).Seconds())
		err = measure()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeLimit)
	defer cancel()
	return errors.Join(err, f.Remove(ctx))
}

// decision is a message that changes the weight of an application.
type decision struct {
	run    control.Run
	app    fleet.App
	verb   workflows.Verb
	step   int
	weight string
}

// decided is when a message was sent, and when the watch told of its weight.
type decided struct {
	sent, seen time.Time
	stages     stages
}

func milliseconds(all []decided) stats.Sample {
	var took []time.Duration
	for _, d := range all {
		took = append(took, d.seen.Sub(d.sent))
	}
	return stats.Milliseconds(took)
}

// decide sends a message and waits until the watch tells of its weight.
func (b *bench) decide(ctx context.Context, d decision, weights *observe.Observer) (decided, error) {
	var out decided
	if err := pause(ctx, rest); err != nil {
		return out, err
	}
	mark := weights.Mark()
	out.sent = time.Now()
	if err := b.send(ctx, d.run.ID, d.verb, workflows.Message{Step: d.step}); err != nil {
		return out, err
	}
	seen, err := weights.Await(ctx, "the weight is "+d.weight, mark, observe.Is(d.app.CanaryKey(), d.weight))
	out.seen = seen.At
	return out, err
}

// explain adds to the decisions of one rollout what its history tells of them.
// It has to be called when their activities have ended: only then does the
// history tell when they were started.
func (b *bench) explain(ctx context.Context, run control.Run, all []decided) error {
	history, err := meter.ReadHistory(ctx, b.Temporal, run.ID, run.RunID)
	if err != nil {
		return err
	}
	for i := range all {
		all[i].stages = stagesOf(history, i, all[i])
	}
	return nil
}
