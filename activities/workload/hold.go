package workload

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// HoldRevision proposes a revision and holds it, in one write, so that the
// Deployment controller acts on neither alone. If the rollout holds a revision
// already, it is replaced. Where asked, autoscalers may not scale the workload
// down from then on. It is idempotent. It fails with type Drift if the
// workload has changed since the preflight.
func (a *Activities) HoldRevision(ctx context.Context, req HoldRequest) (Held, error) {
	h := &hold{Activities: a, ctx: ctx, req: req}
	d, _, err := a.Cluster.EditDeployment(ctx, req.Ref, kube.Editing{}, h.patch)
	if err != nil {
		return Held{}, err
	}
	// A webhook may have had its own idea of the template; the record has to name
	// what is held in the end.
	d, _, err = a.Cluster.EditDeployment(ctx, req.Ref, kube.Editing{From: d}, func(d *appsv1.Deployment) (kube.Patch, error) {
		return correctRecord(d)
	})
	if err != nil {
		return Held{}, err
	}
	held := Held{Revision: Revision(d.Spec.Template), Images: Images(d.Spec.Template), Version: d.ResourceVersion}
	if req.Freeze {
		held.Warnings, err = a.freeze(ctx, req.Ref)
	}
	return held, err
}

// hold is one evaluation after the other of the same request.
type hold struct {
	*Activities
	ctx context.Context // of the activity that these evaluations are
	req HoldRequest

	tries attempts
}

// patch is the one write of a hold; empty if the revision is held.
func (h *hold) patch(d *appsv1.Deployment) (kube.Patch, error) {
	record, err := kube.RecordOf(d)
	if err != nil {
		return nil, err
	}
	if err := h.tries.again(d, record); err != nil {
		return nil, err
	}
	p, err := h.holdPatch(h.ctx, d, h.req, record)
	h.tries.note(p, record)
	return p, err
}

// holdPatch decides what a hold changes.
func (a *Activities) holdPatch(ctx context.Context, d *appsv1.Deployment, req HoldRequest, record *release.Record) (kube.Patch, error) {
	if record != nil && record.Promoting {
		return nil, kube.Terminal(kube.ErrDrift, "holding a revision on %s: its pods are being replaced: finish or abort the rollout first", name(d))
	}
	template, err := a.proposed(ctx, d, req.Change)
	if err != nil {
		return nil, err
	}
	if err := a.checkStable(ctx, d, template, req, record); err != nil {
		return nil, err
	}
	next := newRecord(req.Ref, req.Stable, Revision(template), req.Baseline)
	unchanged := apiequality.Semantic.DeepEqual(template, d.Spec.Template)
	if unchanged && d.Spec.Paused && record != nil && record.Revision == next.Revision {
		return nil, nil
	}
	var p kube.Patch
	p.Set(true, "spec", "paused")
	if !unchanged {
		p.Set(template, "spec", "template")
	}
	err = setRecord(&p, d, next)
	dropHold(&p, d)
	return p, err
}

// proposed returns the new template with its defaults. Changes of images and
// environment keep the defaults of the live template; a whole template gets them
// from the API server.
func (a *Activities) proposed(ctx context.Context, d *appsv1.Deployment, change Change) (corev1.PodTemplateSpec, error) {
	template, err := change.Apply(d.Spec.Template)
	if err != nil {
		return template, kube.Terminal(kube.ErrInvalid, "changing %s: %w", name(d), err)
	}
	if len(change.Template) == 0 {
		return template, nil
	}
	var p kube.Patch
	p.Set(template, "spec", "template")
	dry, err := a.Cluster.DryRunDeployment(ctx, d, p)
	if err != nil {
		return template, kube.Failure(err, "checking the new template of "+name(d))
	}
	return dry.Spec.Template, nil
}

// checkStable refuses a hold that would not stand beside the stable revision of
// the preflight: the way back would lead to something else.
func (a *Activities) checkStable(ctx context.Context, d *appsv1.Deployment, template corev1.PodTemplateSpec, req HoldRequest, record *release.Record) error {
	rs, err := a.Cluster.LiveReplicaSet(ctx, d.Namespace, req.Stable)
	if kube.IsType(err, kube.ErrNotFound) {
		return kube.Terminal(kube.ErrDrift, "holding a revision on %s: ReplicaSet %s, its stable revision, is gone: start again", name(d), req.Stable)
	}
	if err != nil {
		return err
	}
	stable := Revision(rs.Spec.Template)
	if Revision(template) == stable {
		return kube.Terminal(kube.ErrDrift, "holding a revision on %s: the new template is the stable one: there is nothing to roll out", name(d))
	}
	if record == nil && !req.Change.Current && Revision(d.Spec.Template) != stable {
		return kube.Terminal(kube.ErrDrift, "holding a revision on %s: somebody changed its template since it was looked at: wait until that is rolled out, or undo it, and start again", name(d))
	}
	return nil
}

// dropHold removes the mark of whoever held the template before the rollout took
// it over, or before it was undone.
func dropHold(p *kube.Patch, d *appsv1.Deployment) {
	if _, held := d.Annotations[release.AnnotationHold]; held {
		p.Remove("metadata", "annotations", release.AnnotationHold)
	}
}

// correctRecord lets the record name the revision that is held.
func correctRecord(d *appsv1.Deployment) (kube.Patch, error) {
	record, err := kube.RecordOf(d)
	if err != nil || record == nil || record.Revision == Revision(d.Spec.Template) {
		return nil, err
	}
	record.Revision = Revision(d.Spec.Template)
	var p kube.Patch
	err = setRecord(&p, d, *record)
	return p, err
}

// name of a Deployment, for people.
func name(d *appsv1.Deployment) string { return "Deployment " + d.Namespace + "/" + d.Name }
