package workload

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// ReleaseWorkload ends the rollout on the workload. The canary pods go, after
// the route to them has gone, then their Service; the strategy of the workload
// and of its autoscalers get their previous values, except for fields that
// somebody changed meanwhile (Pods.Kept); the record and our entry among the
// managers of fields go. It returns when nothing of the rollout is left in the
// namespace. It is idempotent, also where objects or the workload are gone
// already. It fails with type Drift while the user's Service sends requests to the
// canary pods.
func (a *Activities) ReleaseWorkload(ctx context.Context, req ReleaseRequest) (Pods, error) {
	steps := []func(context.Context, release.Ref) error{a.awaitNoRoute, a.removeCanary}
	if req.Ref.Isolation.BySelector() {
		steps = append(steps, a.forgetService)
	}
	for _, step := range steps {
		if err := step(ctx, req.Ref); err != nil {
			return Pods{}, err
		}
	}
	frozen, err := a.thaw(ctx, req.Ref)
	if err != nil {
		return Pods{}, err
	}
	kept, err := a.clean(ctx, req)
	if err != nil {
		return Pods{}, err
	}
	return Pods{Kept: append(frozen, kept...)}, a.awaitNothing(ctx, req.Ref)
}

// awaitNoRoute makes sure that the canary has no route before its pods stop. The
// route was removed before this operation began; only the cache may be behind.
func (a *Activities) awaitNoRoute(ctx context.Context, ref release.Ref) error {
	wait := kube.Wait{Namespace: ref.Namespace, Beat: kube.Beat(ctx), Topics: []kube.Topic{kube.AboutIngress(ref.CanaryIngress())}}
	return a.Cluster.AwaitState(ctx, wait, func() (kube.State, error) {
		left, err := a.Cluster.Ingresses(ref.Namespace).List(ours(ref))
		if err != nil || len(left) == 0 {
			return kube.State{Done: true}, err
		}
		return kube.State{Progress: "Ingress " + left[0].Name + " still routes to the canary"}, nil
	})
}

// removeCanary makes sure that the canary pods get no request by the user's
// Service, deletes the canary Deployment, waits for its pods to end, and deletes
// their budget and the canary Service.
func (a *Activities) removeCanary(ctx context.Context, ref release.Ref) error {
	if err := a.checkApart(ref); err != nil {
		return err
	}
	if _, err := a.Cluster.RemoveDeployment(ctx, ref, ref.CanaryDeployment()); err != nil {
		return err
	}
	wait := kube.Wait{Namespace: ref.Namespace, Beat: kube.Beat(ctx), Topics: []kube.Topic{kube.AboutWorkload(ref.CanaryDeployment())}}
	err := a.Cluster.AwaitState(ctx, wait, func() (kube.State, error) {
		deployments, err := a.Cluster.Deployments(ref.Namespace).List(ours(ref))
		if err != nil {
			return kube.State{}, err
		}
		pods := len(a.Cluster.PodsOfRollout(ref.Namespace, ref.ID))
		return kube.State{Done: pods+len(deployments) == 0, Progress: fmt.Sprintf("%d canary pods are stopping", pods)}, nil
	})
	if err != nil {
		return err
	}
	if _, err = a.Cluster.RemoveBudget(ctx, ref, ref.CanaryBudget()); err != nil {
		return err
	}
	_, err = a.Cluster.RemoveService(ctx, ref, ref.CanaryService())
	return err
}

// clean restores the workload and takes our marks away. The entry among the
// managers goes in a write of its own, because every write of a field makes one.
func (a *Activities) clean(ctx context.Context, req ReleaseRequest) ([]string, error) {
	var kept []string
	d, _, err := a.Cluster.EditDeployment(ctx, req.Ref, kube.Editing{}, func(d *appsv1.Deployment) (p kube.Patch, err error) {
		p, kept, err = cleanPatch(d)
		return p, err
	})
	if err == nil {
		_, _, err = a.Cluster.EditDeployment(ctx, req.Ref, kube.Editing{From: d, Tested: true}, func(d *appsv1.Deployment) (kube.Patch, error) {
			return disown(d.ManagedFields), nil
		})
	}
	if kube.IsType(err, kube.ErrNotFound) {
		return nil, nil
	}
	return kept, err
}

// cleanPatch restores the strategy and removes the record. A revision that is
// still held would be left without its way back: that is refused.
func cleanPatch(d *appsv1.Deployment) (kube.Patch, []string, error) {
	record, err := kube.RecordOf(d)
	if err != nil || record == nil {
		return nil, nil, err
	}
	if d.Spec.Paused && !record.Promoting && record.Revision == Revision(d.Spec.Template) && !heldAnew(d) {
		return nil, nil, kube.Terminal(kube.ErrDrift, "releasing %s: it still holds revision %s: restore its template first (sluice repair)", name(d), record.Revision)
	}
	var p kube.Patch
	var kept []string
	if record.Promoting {
		kept = uncover(&p, d, record.Baseline)
	}
	p.Remove("metadata", "annotations", release.AnnotationRelease)
	return p, kept, nil
}

// heldAnew says that somebody has proposed the same revision again after it was
// taken back: the mark of the webhook holds it now, not the record.
func heldAnew(d *appsv1.Deployment) bool {
	hold, err := release.HoldIn(d.Annotations)
	return err == nil && hold != nil && hold.Revision == Revision(d.Spec.Template)
}

// awaitNothing waits until no object of the rollout is left.
func (a *Activities) awaitNothing(ctx context.Context, ref release.Ref) error {
	wait := kube.Wait{Namespace: ref.Namespace, Beat: kube.Beat(ctx), Topics: []kube.Topic{
		kube.AboutWorkload(ref.CanaryDeployment()), kube.AboutService(ref.CanaryService()), kube.AboutIngress(ref.CanaryIngress()),
	}}
	return a.Cluster.AwaitState(ctx, wait, func() (kube.State, error) {
		left, err := a.left(ref)
		return kube.State{Done: len(left) == 0, Progress: fmt.Sprintf("still there: %v", left)}, err
	})
}

// left names what carries the mark of the rollout.
func (a *Activities) left(ref release.Ref) ([]string, error) {
	var names []string
	deployments, err := a.Cluster.Deployments(ref.Namespace).List(ours(ref))
	if err != nil {
		return nil, fmt.Errorf("listing Deployments: %w", err)
	}
	for _, o := range deployments {
		names = append(names, "Deployment "+o.Name)
	}
	services, err := a.Cluster.Services(ref.Namespace).List(ours(ref))
	if err != nil {
		return nil, fmt.Errorf("listing Services: %w", err)
	}
	for _, o := range services {
		names = append(names, "Service "+o.Name)
	}
	ingresses, err := a.Cluster.Ingresses(ref.Namespace).List(ours(ref))
	if err != nil {
		return nil, fmt.Errorf("listing Ingresses: %w", err)
	}
	for _, o := range ingresses {
		names = append(names, "Ingress "+o.Name)
	}
	budgets, err := a.Cluster.Budgets(ref.Namespace).List(ours(ref))
	if err != nil {
		return nil, fmt.Errorf("listing PodDisruptionBudgets: %w", err)
	}
	for _, o := range budgets {
		names = append(names, "PodDisruptionBudget "+o.Name)
	}
	return names, nil
}

// ours selects what belongs to the rollout.
func ours(ref release.Ref) labels.Selector {
	return labels.SelectorFromSet(labels.Set{release.LabelRollout: ref.ID})
}
