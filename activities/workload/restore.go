package workload

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// RestoreTemplate puts the stable template back on the workload and lifts the
// hold, in one write. Where promotion had not begun no pod changes, and it
// returns when the Deployment controller has seen that. Otherwise it returns
// when all pods run the stable template again, as PromoteStable does.
//
// It is idempotent, and fences every earlier operation even where there is
// nothing to put back. A template that somebody else wrote meanwhile is kept and
// stays paused, so that nothing unseen begins to run; Pods.Kept says so. A
// workload that was deleted is restored.
func (a *Activities) RestoreTemplate(ctx context.Context, req RestoreRequest) (Pods, error) {
	rs, err := a.Cluster.LiveReplicaSet(ctx, req.Ref.Namespace, req.Stable)
	if err != nil && !kube.IsType(err, kube.ErrNotFound) {
		return Pods{}, err
	}
	r := &restore{req: req}
	if err == nil {
		r.template, r.revision = plain(rs.Spec.Template), Revision(rs.Spec.Template)
	}
	d, _, err := a.Cluster.EditDeployment(ctx, req.Ref, kube.Editing{}, r.patch)
	switch {
	case kube.IsType(err, kube.ErrNotFound):
		return Pods{}, nil
	case err != nil:
		return Pods{}, err
	case len(r.kept) > 0:
		return Pods{Kept: r.kept}, nil
	case !r.settle:
		return a.awaitUntouched(ctx, req, d.ResourceVersion)
	}
	pods, err := a.awaitRevision(ctx, req.Ref, d.ResourceVersion, r.revision)
	if err != nil {
		return pods, err
	}
	return pods, a.confirm(ctx, req.Ref)
}

// restore is one evaluation after the other of the same request.
type restore struct {
	req      RestoreRequest
	template corev1.PodTemplateSpec
	revision string // of template; empty if the stable ReplicaSet is gone

	settle bool
	kept   []string
	tries  attempts
}

// patch is the one write of a restoration; empty if everything is restored.
func (r *restore) patch(d *appsv1.Deployment) (kube.Patch, error) {
	r.kept, r.settle = nil, r.req.Settle
	record, err := kube.RecordOf(d)
	if err != nil {
		return nil, err
	}
	if err := r.tries.again(d, record); err != nil {
		return nil, err
	}
	var p kube.Patch
	if record == nil {
		p, err = r.fence(d)
	} else {
		p, err = r.putBack(d, record)
	}
	r.tries.note(p, record)
	return p, err
}

// putBack decides field by field: what we wrote gets its previous value, what
// somebody else wrote is kept.
func (r *restore) putBack(d *appsv1.Deployment, record *release.Record) (kube.Patch, error) {
	if r.revision == "" {
		return nil, kube.Terminal(kube.ErrDrift, "restoring %s: ReplicaSet %s, which holds its stable template, is gone: put the template back by hand and abort again", name(d), r.req.Stable)
	}
	r.settle = r.settle || record.Promoting
	var p kube.Patch
	switch Revision(d.Spec.Template) {
	case r.revision:
		r.lift(&p, d, record)
	case record.Revision:
		p.Set(r.template, "spec", "template")
		r.lift(&p, d, record)
	default:
		if record.Promoting {
			return nil, kube.Terminal(kube.ErrDrift, "restoring %s: somebody changed its template to revision %s while its pods were being replaced: put the stable template back (kubectl rollout undo) and abort again", name(d), Revision(d.Spec.Template))
		}
		r.keep(d)
	}
	if len(p) == 0 && record.Seq == r.req.Ref.Seq {
		return nil, nil
	}
	record.Renew(r.req.Ref)
	err := setRecord(&p, d, *record)
	if len(r.kept) == 0 {
		dropHold(&p, d)
	}
	return p, err
}

// fence marks a workload on which nothing was held, so that a hold that is still
// under way fails. ReleaseWorkload removes the mark.
func (r *restore) fence(d *appsv1.Deployment) (kube.Patch, error) {
	if r.revision != "" && Revision(d.Spec.Template) != r.revision {
		r.keep(d)
	}
	r.settle = false
	var p kube.Patch
	err := setRecord(&p, d, newRecord(r.req.Ref, r.req.Stable, "", r.req.Baseline))
	return p, err
}

func (r *restore) keep(d *appsv1.Deployment) {
	r.kept = append(r.kept, fmt.Sprintf("spec.template: somebody changed it to revision %s", Revision(d.Spec.Template)))
	if d.Spec.Paused {
		r.kept = append(r.kept, "spec.paused: true, so that the changed template does not begin to run unseen: release it with sluice, or with kubectl rollout resume")
	}
}

// lift ends the hold, if it is ours.
func (r *restore) lift(p *kube.Patch, d *appsv1.Deployment, record *release.Record) {
	before := record.Baseline.Paused != nil && *record.Baseline.Paused && !record.Promoting
	if record.Revision != "" && d.Spec.Paused && !before {
		p.Set(false, "spec", "paused")
	}
	if record.Promoting {
		cover(p, d, record.Baseline)
	}
}

// awaitUntouched waits until the Deployment controller has seen the stable
// template and runs nothing else. It does not wait for pods: none has changed.
func (a *Activities) awaitUntouched(ctx context.Context, req RestoreRequest, version string) (Pods, error) {
	var pods Pods
	wait := kube.Wait{Namespace: req.Ref.Namespace, Beat: kube.Beat(ctx), Topics: []kube.Topic{kube.AboutWorkload(req.Ref.Workload.Name)}}
	err := a.Cluster.AwaitState(ctx, wait, func() (kube.State, error) {
		d, err := a.Cluster.Deployments(req.Ref.Namespace).Get(req.Ref.Workload.Name)
		if err != nil {
			return kube.State{Done: true}, nil
		}
		if !kube.AtLeast(d, version) || d.Status.ObservedGeneration < d.Generation {
			return kube.State{Progress: "waiting for the Deployment controller"}, nil
		}
		pods = Pods{Total: int(d.Status.Replicas), Ready: int(d.Status.ReadyReplicas)}
		for _, rs := range a.Cluster.ReplicaSetsOf(d) {
			if rs.Name != req.Stable && rs.Spec.Replicas != nil && *rs.Spec.Replicas > 0 {
				return kube.State{Progress: "pods of ReplicaSet " + rs.Name + " are still there"}, nil
			}
		}
		return kube.State{Done: true, Progress: "the stable template is back"}, nil
	})
	return pods, err
}
