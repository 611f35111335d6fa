package preflight

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/workload"
)

// propose lets the API server say what it would make of the hold: it fills in
// defaults, validates, asks webhooks and checks the right to write. Nothing is
// stored. What it does not accept is a problem of the release.
func (a *Activities) propose(ctx context.Context, i *inspection) error {
	object := i.object("Deployment", i.deployment.Name)
	if !i.req.Change.Current {
		held, err := a.dryRun(ctx, i)
		switch {
		case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
			i.refuse(object+" spec.template", err.Error(), "correct the change")
			return nil
		case apierrors.IsForbidden(err):
			i.refuse(object, err.Error(), "grant the worker the right to patch it")
			return nil
		case err != nil:
			return kube.Failure(err, "checking the new template of "+object)
		}
		i.template = held.Spec.Template
	}
	stable, err := a.Cluster.LiveReplicaSet(ctx, i.ref.Namespace, i.stable.Name)
	if err != nil {
		return err
	}
	i.stable = stable
	if workload.Revision(i.template) == workload.Revision(i.stable.Spec.Template) {
		i.refuse(object+" spec.template", "the change is what runs already", "there is nothing to roll out: change an image, a variable or the template")
	}
	return nil
}

// dryRun tries the hold on the cached Deployment, and once more on the live one
// if that is newer.
func (a *Activities) dryRun(ctx context.Context, i *inspection) (*appsv1.Deployment, error) {
	var p kube.Patch
	p.Set(true, "spec", "paused")
	p.Set(i.template, "spec", "template")
	held, err := a.Cluster.DryRunDeployment(ctx, i.deployment, p)
	if !kube.IsConflict(err) {
		return held, err
	}
	live, err := a.Cluster.Client().AppsV1().Deployments(i.ref.Namespace).Get(ctx, i.deployment.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading it: %w", err)
	}
	return a.Cluster.DryRunDeployment(ctx, live, p)
}
