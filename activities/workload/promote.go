package workload

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"

	"sluice.dev/sluice/activities/kube"
)

// PromoteStable lets the workload run the held revision, with every ready pod
// replaced only after its successor is ready, and returns when all its pods run
// it, the endpoints say so and the gateway has taken them. No request may be
// routed to the workload meanwhile. Replicas are never written. It is
// idempotent. It fails with type Superseded if the rollout is no longer open,
// with type Drift if the workload carries another revision.
func (a *Activities) PromoteStable(ctx context.Context, req PromoteRequest) (Pods, error) {
	d, _, err := a.Cluster.EditDeployment(ctx, req.Ref, kube.Editing{}, func(d *appsv1.Deployment) (kube.Patch, error) {
		return promotePatch(d, req)
	})
	if err != nil {
		return Pods{}, err
	}
	pods, err := a.awaitRevision(ctx, req.Ref, d.ResourceVersion, req.Revision)
	if err != nil {
		return pods, err
	}
	return pods, a.confirm(ctx, req.Ref)
}

// HaltPromotion pauses the workload while its pods are being replaced, by one
// write: no further pod is told to stop until PromoteStable or RestoreTemplate
// goes on. It returns when that is written. It is idempotent. A workload that is
// gone needs nothing. It fails with type Superseded if the rollout is no longer
// open.
func (a *Activities) HaltPromotion(ctx context.Context, req HaltRequest) error {
	_, _, err := a.Cluster.EditDeployment(ctx, req.Ref, kube.Editing{}, func(d *appsv1.Deployment) (kube.Patch, error) {
		return haltPatch(d, req)
	})
	if kube.IsType(err, kube.ErrNotFound) {
		return nil
	}
	return err
}

// haltPatch marks the workload even where it is paused: a promotion that is still
// under way somewhere must not go on.
func haltPatch(d *appsv1.Deployment, req HaltRequest) (kube.Patch, error) {
	record, err := kube.RecordOf(d)
	if err != nil {
		return nil, err
	}
	if record == nil {
		return nil, kube.Terminal(kube.ErrSuperseded, "halting %s: rollout %s is not open on it: nothing is to be done", name(d), req.Ref.ID)
	}
	if d.Spec.Paused && record.Seq == req.Ref.Seq {
		return nil, nil
	}
	var p kube.Patch
	if !d.Spec.Paused {
		p.Set(true, "spec", "paused")
	}
	record.Renew(req.Ref)
	err = setRecord(&p, d, *record)
	return p, err
}

// promotePatch is the one write of a promotion. The record says so first: from
// then on the way back leads through the stable template and its pods.
func promotePatch(d *appsv1.Deployment, req PromoteRequest) (kube.Patch, error) {
	record, err := kube.RecordOf(d)
	if err != nil {
		return nil, err
	}
	if record == nil {
		return nil, kube.Terminal(kube.ErrSuperseded, "promoting %s: rollout %s is not open on it: nothing is to be done", name(d), req.Ref.ID)
	}
	if have := Revision(d.Spec.Template); have != req.Revision {
		return nil, kube.Terminal(kube.ErrDrift, "promoting %s to revision %s: it carries revision %s: somebody changed its template", name(d), req.Revision, have)
	}
	var p kube.Patch
	if d.Spec.Paused {
		p.Set(false, "spec", "paused")
	}
	cover(&p, d, record.Baseline)
	if len(p) == 0 && record.Promoting {
		return nil, nil
	}
	record.Promoting = true
	record.Renew(req.Ref)
	err = setRecord(&p, d, *record)
	return p, err
}
