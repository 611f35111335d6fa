package preflight

import (
	"context"
	"errors"
	"time"

	"sluice.dev/sluice/activities/kube"
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

// observed is the result of an inspection without problems.
func (i *inspection) observed() Observed {
	return Observed{
		Ref:              i.ref,
		Replicas:         i.replicas,
		Ready:            i.ready,
		StableRevision:   workload.Revision(i.stable.Spec.Template),
		CanaryRevision:   workload.Revision(i.template),
		StableReplicaSet: i.stable.Name,
		StableImages:     workload.Images(i.stable.Spec.Template),
		CanaryImages:     workload.Images(i.template),
		Baseline:         i.baseline,
		Warnings:         i.warnings,
	}
}
