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

// measureRest measures what Rollouts at rest cost.
func measureRest(ctx context.Context, b *bench) error {
	client, err := b.Sandbox.Dynamic()
	if err != nil {
		return err
	}
	f := fleet.Fleet{Prefix: "bench-rest", Size: b.Held, PerNamespace: heldPerNamespace, Replicas: 1}
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
			return errors.Join(b.rest(ctx, w), b.letGo(ctx, client, f.Apps()))
		})
	})
}

// watchAgent is the user agent of the watcher.
const watchAgent = "sluice-watch"

// leases is the resource of the lease by which replicas of the watcher agree who
// acts: it costs a process, not a Rollout.
const leases = "leases"

// rest counts what the watcher asks of the API server while nothing happens. A
// watch that ends and is begun again counts as one request.
func (b *bench) rest(ctx context.Context, w *harness.Watcher) error {
	if err := pause(ctx, min(settling, b.Rest)); err != nil {
		return err
	}
	mark, err := b.audit.Mark()
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := pause(ctx, b.Rest); err != nil {
		return err
	}
	requests, err := b.audit.Since(mark, watchAgent)
	if err != nil {
		return err
	}
	hours := time.Since(begun).Hours()
	used, err := meter.Processes(ctx, b.Sandbox, w.PID())
	if err != nil {
		return err
	}
	lease := 0
	lines := [][]string{{"watch", "begun again", fmt.Sprint(requests.Watches)}}
	for _, kind := range requests.Kinds() {
		if kind.Resource == leases {
			lease += requests.Counted[kind]
		}
		lines = append(lines, []string{kind.Verb, kind.Resource, fmt.Sprint(requests.Counted[kind])})
	}
	b.detail(fmt.Sprintf("requests of the watcher in %s with %d Rollouts at rest", b.Rest, b.Held), []string{"verb", "resource", "requests"}, lines)
	others := requests.Total() + requests.Watches - lease
	return b.set(figures{
		report.BypassMemory:   {meter.MiB(used[w.PID()].RSS), b.Held},
		report.BypassRequests: {float64(others) / float64(b.Held) / hours, b.Held},
		report.BypassLease:    {float64(lease) / hours, 1},
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
