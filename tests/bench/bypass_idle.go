package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"sluice.dev/sluice/tests/bench/fleet"
	"sluice.dev/sluice/tests/bench/meter"
	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/harness"
)

// bypassIdle measures what Rollouts at rest cost.
func bypassIdle(ctx context.Context, b *bench) error {
	client, err := b.Sandbox.Dynamic()
	if err != nil {
		return err
	}
	f := fleet.Fleet{Prefix: "bench-idle", Size: b.Held, PerNamespace: heldPerNamespace, Replicas: 1}
	return b.withFleet(ctx, f, func() error {
		return b.withHook(ctx, func(w *harness.Watcher) error {
			group, creating := errgroup.WithContext(ctx)
			group.SetLimit(starters)
			for _, app := range f.Apps() {
				group.Go(func() error { return b.declare(creating, client, app) })
			}
			if err := group.Wait(); err != nil {
				return err
			}
			return errors.Join(b.idleRollouts(ctx, w), b.letGo(ctx, client, f.Apps()))
		})
	})
}

// watchAgent is the user agent of the watcher.
const watchAgent = "sluice-watch"

func (b *bench) idleRollouts(ctx context.Context, w *harness.Watcher) error {
	if err := pause(ctx, min(settling, b.Idle)); err != nil {
		return err
	}
	mark, err := b.audit.Mark()
	if err != nil {
		return err
	}
	if err := pause(ctx, b.Idle); err != nil {
		return err
	}
	requests, err := b.audit.Since(mark, watchAgent)
	if err != nil {
		return err
	}
	// The lease costs a process, not a Rollout.
	others := requests.Total()
	for kind, n := range requests.Counted {
		if kind.Resource == "leases" {
			others -= n
		}
	}
	used, err := meter.Processes(ctx, b.Sandbox, w.PID())
	if err != nil {
		return err
	}
	hourly := float64(others) / float64(b.Held) * float64(time.Hour) / float64(b.Idle)
	return b.set(figures{
		report.BypassMemory:   {meter.MiB(used[w.PID()].RSS), b.Held},
		report.BypassRequests: {hourly, b.Held},
	})
}

// letGo deletes the Rollouts while the watcher is there to take its finalizers
// away.
func (b *bench) letGo(ctx context.Context, client dynamic.Interface, apps []fleet.App) error {
	for _, app := range apps {
		err := client.Resource(ownRollouts).Namespace(app.Namespace).Delete(ctx, app.Name, metav1.DeleteOptions{})
		if err != nil {
			return fmt.Errorf("deleting Rollout %s: %w", app.Key(), err)
		}
	}
	return harness.Await(ctx, "the Rollouts are gone", func(ctx context.Context) (bool, error) {
		list, err := client.Resource(ownRollouts).List(ctx, metav1.ListOptions{})
		return err == nil && len(list.Items) == 0, err
	})
}
