package preflight

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/workload"
)

// patience is how long a refusal is looked at again before it is said: what a
// person has just applied may not be in the cache yet.
const patience = time.Second

// Activities look at the cluster. Every exported method is one activity.
type Activities struct {
	// Cluster is read.
	Cluster *kube.Cluster
	// Routes reads canary Ingresses; InspectRemains alone needs it.
	Routes RouteReader
	// Gateway knows what the gateway can do; nil where nothing is known.
	Gateway RouteChecker
}

// RouteChecker looks whether the gateway can do what a document asks for.
type RouteChecker interface {
	CheckRoute(ctx context.Context, check traffic.Check) traffic.Finding
}

// InspectRelease looks at everything that a release would touch, and asks the
// API server what it would make of the hold, without storing it. It refuses with
// one error of type Refused, whose details are all problems ([]Problem). It
// works in an activity and outside of one.
func (a *Activities) InspectRelease(ctx context.Context, req InspectRequest) (Observed, error) {
	found, err := a.examine(ctx, req)
	if err != nil {
		return Observed{}, err
	}
	for _, look := range []func(context.Context, *inspection) error{a.resolveClass, a.checkSelectorOwner} {
		if err := look(ctx, found); err != nil {
			return Observed{}, err
		}
	}
	a.checkRoute(ctx, found)
	if len(found.problems) == 0 {
		if err := a.propose(ctx, found); err != nil {
			return Observed{}, err
		}
	}
	if err := refusal(req, found.problems); err != nil {
		return Observed{}, err
	}
	return found.observed(), nil
}

// examine reads the cache until it finds no problem, or has no patience left.
func (a *Activities) examine(ctx context.Context, req InspectRequest) (*inspection, error) {
	var found *inspection
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	wait := kube.Wait{Namespace: req.Rollout.Namespace, Beat: kube.Beat(ctx)}
	err := a.Cluster.AwaitState(limited, wait, func() (kube.State, error) {
		found = &inspection{cluster: a.Cluster, req: req}
		err := found.run()
		return kube.State{Done: len(found.problems) == 0, Progress: "looking at the objects of the release"}, err
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return found, nil
	}
	return found, err
}

// checkRoute asks what the gateway can do with the routes of the release.
func (a *Activities) checkRoute(ctx context.Context, i *inspection) {
	if a.Gateway == nil || i.ingress == nil || len(i.problems) > 0 {
		return
	}
	// The cache cannot fail to list.
	all, _ := a.Cluster.Ingresses(metav1.NamespaceAll).List(labels.Everything())
	if len(all) == 0 {
		all, _ = a.Cluster.Ingresses(i.ref.Namespace).List(labels.Everything())
	}
	_, err := a.Cluster.Ingresses(i.ref.Namespace).Get(i.ref.CanaryIngress())
	stop := beating(ctx, "asking the gateway")
	defer stop()
	found := a.Gateway.CheckRoute(ctx, traffic.Check{
		Ref: i.ref, Rollout: i.req.Rollout, Ingress: i.ingress, All: all,
		Containers: i.template.Spec.Containers, Quiet: apierrors.IsNotFound(err),
	})
	for _, o := range found.Objections {
		i.refuse(o.Object, o.Problem, o.Remedy)
	}
	i.confirm, i.ref.StableAnswer = found.Confirm, found.StableAnswer
}

// beating sends heartbeats until it is stopped: an application may take longer to
// answer than a worker may be silent.
func beating(ctx context.Context, progress string) (stop func()) {
	ctx, stop = context.WithCancel(ctx)
	beat, tick := kube.Beat(ctx), time.NewTicker(time.Second)
	go func() {
		defer tick.Stop()
		for {
			beat(progress)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return stop
}

// observed is the result of an inspection without problems.
func (i *inspection) observed() Observed {
	return Observed{
		Ref:              i.ref,
		Replicas:         i.replicas,
		Ready:            i.ready,
		Load:             &Load{Pods: i.replicas, Scaled: i.scaled},
		StableRevision:   workload.Revision(i.stable.Spec.Template),
		CanaryRevision:   workload.Revision(i.template),
		StableReplicaSet: i.stable.Name,
		StableImages:     workload.Images(i.stable.Spec.Template),
		CanaryImages:     workload.Images(i.template),
		Selector:         i.service.Spec.Selector,
		Baseline:         i.baseline,
		Autoscalers:      i.autoscalers(),
		Budget:           i.budget(),
		Confirm:          i.confirm,
		Warnings:         i.warnings,
	}
}
