package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/tests/bench/fleet"
	"sluice.dev/sluice/tests/bench/observe"
	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/bench/stats"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// ownRollouts is the resource of the fleet's Rollouts.
var ownRollouts = schema.GroupVersionResource{Group: "sluice.dev", Version: "v1alpha1", Resource: "rollouts"}

// withWatch runs a measurement with a watcher of its own.
func (b *bench) withWatch(ctx context.Context, until string, args []string, measure func(*harness.Watcher) error) error {
	out, err := b.Sluice(ctx, "default", "crds", "--install")
	if err == nil && out.Code != 0 {
		err = errors.New(out.Stderr)
	}
	if err != nil {
		return fmt.Errorf("installing the definitions: %w", err)
	}
	w, err := b.StartWatch(ctx, until, args...)
	if err != nil {
		return err
	}
	return errors.Join(measure(w), w.Stop())
}

// withHook does so with one that serves the webhooks.
func (b *bench) withHook(ctx context.Context, measure func(*harness.Watcher) error) error {
	return b.withWatch(ctx, "holding changes", harness.HookArgs(0), measure)
}

// withDeclared runs a measurement with the seed's application and its Rollout.
func (b *bench) withDeclared(ctx context.Context, namespace string, measure func() error) error {
	client, err := b.Sandbox.Dynamic()
	if err != nil {
		return err
	}
	if err := b.declare(ctx, client, fleet.App{Namespace: namespace, Name: harness.Demo}); err != nil {
		return err
	}
	return errors.Join(measure(), b.letGo(ctx, client, []fleet.App{{Namespace: namespace, Name: harness.Demo}}))
}

// declare creates the Rollout of an application and waits until it is taken up.
func (b *bench) declare(ctx context.Context, client dynamic.Interface, app fleet.App) error {
	rollouts := client.Resource(ownRollouts).Namespace(app.Namespace)
	obj, err := fleet.Object(app, fleet.Seed(0))
	if err == nil {
		_, err = rollouts.Create(ctx, obj, metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("creating Rollout %s: %w", app.Key(), err)
	}
	return harness.Await(ctx, "Rollout "+app.Key()+" is taken up", func(ctx context.Context) (bool, error) {
		obj, err := rollouts.Get(ctx, app.Name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		phase, _, err := unstructured.NestedString(obj.Object, "status", "phase")
		return phase == "Healthy", err
	})
}

// measureBypass measures what the hold adds to a write and how fast a changed
// image becomes a canary pod, with real pods.
func measureBypass(ctx context.Context, b *bench) error {
	const namespace = "bench-bypass"
	return b.withHook(ctx, func(*harness.Watcher) error {
		return b.withDemo(ctx, namespace, func() error {
			plain, err := b.writes(ctx, namespace)
			if err != nil {
				return err
			}
			return b.withDeclared(ctx, namespace, func() error {
				if err := b.bypassStarts(ctx, namespace); err != nil {
					return err
				}
				held, err := b.heldWrites(ctx, namespace)
				if err != nil {
					return err
				}
				return b.set(figures{
					report.BypassWrite:    {plain.Median(), len(plain)},
					report.BypassWriteP99: {plain.Percentile(99), len(plain)},
					report.BypassHeldP50:  {held.Median(), len(held)},
					report.BypassHeldP99:  {held.Percentile(99), len(held)},
				})
			})
		})
	})
}

// bypassStarts changes the image again and again, and aborts each rollout when
// its canary runs.
func (b *bench) bypassStarts(ctx context.Context, namespace string) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	pods, err := observe.Pods(watching, b.kube, namespace)
	if err != nil {
		return err
	}
	client, err := b.Sandbox.Dynamic()
	if err != nil {
		return err
	}
	rollouts, err := observe.Rollouts(watching, client, ownRollouts, namespace)
	if err != nil {
		return err
	}
	var started, first, told []time.Duration
	for i := range b.FirstWeight {
		if err := pause(ctx, quiet); err != nil {
			return err
		}
		mark, before, begun := pods.Mark(), rollouts.Mark(), time.Now()
		if err := b.SetImage(ctx, namespace, versionOf(i)); err != nil {
			return err
		}
		seen, err := pods.Await(ctx, "a pod of the canary is created", mark, func(e observe.Event) bool {
			return strings.HasPrefix(e.Key, namespace+"/"+harness.Demo+"-canary") && e.Value != observe.Gone
		})
		if err != nil {
			return err
		}
		lag, err := b.toldAfter(ctx, namespace, rollouts, before)
		if err != nil {
			return err
		}
		at, err := b.abortHeld(ctx, namespace)
		if err != nil {
			return err
		}
		told = append(told, lag)
		started, first = append(started, at.Sub(begun)), append(first, seen.At.Sub(begun))
		b.say("%.0f ms to the workflow, %.0f ms to the first canary pod, the hold told after %.0f ms",
			started[i].Seconds()*1000, first[i].Seconds()*1000, told[i].Seconds()*1000)
	}
	return b.set(figures{
		report.BypassStart:   {stats.Milliseconds(started).Median(), len(started)},
		report.BypassFirst:   {stats.Milliseconds(first).Median(), len(first)},
		report.BypassTold:    {stats.Milliseconds(told).Median(), len(told)},
		report.BypassToldMax: {stats.Milliseconds(told).Max(), len(told)},
	})
}

// toldAfter waits until the Rollout tells of the hold, and returns how long after
// its beginning a reader has that.
func (b *bench) toldAfter(ctx context.Context, namespace string, rollouts *observe.Observer, mark int) (time.Duration, error) {
	seen, err := rollouts.Await(ctx, "the Rollout tells of the hold", mark, func(e observe.Event) bool {
		return e.Value == projection.PhaseProgressing+" "+projection.StepPaused
	})
	if err != nil {
		return 0, err
	}
	s, err := b.Status(ctx, namespace)
	return seen.At.Sub(s.Since), err
}

// abortHeld waits for the hold of step 1 of the seed's rollout, aborts it, and
// returns when it was started.
func (b *bench) abortHeld(ctx context.Context, namespace string) (time.Time, error) {
	id := harness.DemoWorkflow(namespace)
	if err := b.awaitHold(ctx, id, 1); err != nil {
		return time.Time{}, err
	}
	run, err := b.Temporal.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return time.Time{}, fmt.Errorf("describing %s: %w", id, err)
	}
	info := run.GetWorkflowExecutionInfo()
	if err := b.send(ctx, id, workflows.VerbAbort, workflows.Message{}); err != nil {
		return time.Time{}, fmt.Errorf("aborting: %w", err)
	}
	return info.GetStartTime().AsTime(), b.awaitEnd(ctx, control.Run{ID: id, RunID: info.GetExecution().GetRunId()}, workflows.RolledBack)
}
