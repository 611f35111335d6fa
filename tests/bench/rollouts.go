package bench

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/tests/bench/fleet"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// temporalNamespace is the sandbox's.
const temporalNamespace = "default"

const (
	// cluster is the name that a worker serves unless it is told otherwise.
	cluster = "default"
	// actor is who the benchmark says it is.
	actor = "sluice-bench"
	// starters is how many rollouts are started at once.
	starters = 16
	// look is how often the state of many rollouts is looked at.
	look = 250 * time.Millisecond
)

// start starts the rollout of an application of a fleet to a version.
func (b *bench) start(ctx context.Context, app fleet.App, steps []fleet.Step, version string) (control.Run, error) {
	doc, err := fleet.Document(app, steps)
	if err != nil {
		return control.Run{}, err
	}
	change := workload.Change{Images: map[string]string{fleet.Container: fleet.Image(version)}}
	return b.control.Start(ctx, workflows.Input{Cluster: cluster, Rollout: doc, Change: change, By: actor}, control.StartOptions{})
}

// startAll starts the rollouts of all applications of a fleet.
func (b *bench) startAll(ctx context.Context, apps []fleet.App, steps []fleet.Step, version string) ([]control.Run, error) {
	runs := make([]control.Run, len(apps))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(starters)
	for i, app := range apps {
		group.Go(func() (err error) {
			runs[i], err = b.start(ctx, app, steps, version)
			return err
		})
	}
	return runs, group.Wait()
}

// send sends a message as the command line tool and bots do.
func (b *bench) send(ctx context.Context, id string, verb workflows.Verb, m workflows.Message) error {
	m.By = actor
	_, err := b.control.Send(ctx, id, verb, m, control.SendOptions{Identity: actor})
	return err
}

// status asks a rollout where it stands.
func (b *bench) status(ctx context.Context, id, run string) (workflows.Status, error) {
	var s workflows.Status
	value, err := b.Temporal.QueryWorkflow(ctx, id, run, workflows.StatusQuery)
	if err != nil {
		return s, fmt.Errorf("asking %s for its status: %w", id, err)
	}
	return s, value.Get(&s)
}

// awaitHold waits until a rollout holds at a step, from 1.
func (b *bench) awaitHold(ctx context.Context, id string, step int) error {
	what := fmt.Sprintf("%s holds at step %d", id, step)
	return harness.Await(ctx, what, func(ctx context.Context) (bool, error) {
		s, err := b.status(ctx, id, "")
		if err == nil && (s.Phase.Ended() || s.Phase == workflows.PhaseStuck) {
			err = fmt.Errorf("it is %s: %s", s.Phase, s.Message)
		}
		return err == nil && s.Phase == workflows.PhaseHolding && s.Step == step, err
	})
}

// awaitEnd waits until a rollout has closed with an outcome.
func (b *bench) awaitEnd(ctx context.Context, run control.Run, want workflows.Outcome) error {
	var result workflows.Result
	if err := b.Temporal.GetWorkflow(ctx, run.ID, run.RunID).Get(ctx, &result); err != nil {
		return fmt.Errorf("waiting for the end of %s: %w", run.ID, err)
	}
	if result.Outcome != want {
		return fmt.Errorf("%s ended %s, not %s: %s", run.ID, result.Outcome, want, result.Reason)
	}
	return nil
}

// awaitEnds waits for the ends of many.
func (b *bench) awaitEnds(ctx context.Context, runs []control.Run, want workflows.Outcome) error {
	var group errgroup.Group
	for _, run := range runs {
		group.Go(func() error { return b.awaitEnd(ctx, run, want) })
	}
	return group.Wait()
}

// awaitHolding waits until a number of rollouts of a cluster's namespaces hold,
// by their search attributes: asking each would keep the worker busy.
func (b *bench) awaitHolding(ctx context.Context, want int) error {
	query := fmt.Sprintf("SluicePhase = '%s' and ExecutionStatus = 'Running'", workflows.PhaseHolding)
	for {
		answer, err := b.Temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: temporalNamespace, Query: query})
		if err != nil {
			return fmt.Errorf("counting the rollouts that hold: %w", err)
		}
		if answer.GetCount() >= int64(want) {
			return nil
		}
		if err := pause(ctx, look); err != nil {
			return fmt.Errorf("waiting until %d rollouts hold, %d do: %w", want, answer.GetCount(), err)
		}
	}
}

// endOpen terminates the rollouts that a failed measurement has left open, so
// that they do not disturb the next.
func (b *bench) endOpen(ctx context.Context, runs []control.Run) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	for _, run := range runs {
		// One that has ended already is none of our business.
		_ = b.Temporal.TerminateWorkflow(ctx, run.ID, run.RunID, "the measurement has ended")
	}
}
