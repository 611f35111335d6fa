package workload

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// ReleaseWorkload ends the rollout on the workload. The canary pods go, after
// the route to them has gone, then their Service; the strategy of the workload
// and of its autoscalers get their previous values, except for fields that
// somebody changed meanwhile (Pods.Kept); the record and our entry among the
// managers of fields go. It returns when nothing of the rollout is left in the
// namespace. It is idempotent, also where objects or the workload are gone
// already, or are created late, by an operation whose answer had not come in time.
// It fails with type Drift while the user's Service sends requests to the canary
// pods, and with type Routed where the canary has a route again.
func (a *Activities) ReleaseWorkload(ctx context.Context, req ReleaseRequest) (Pods, error) {
	left, err := a.left(req.Ref)
	if err != nil {
		return Pods{}, err
	}
	known := map[types.UID]bool{}
	late(left, known)
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
	return Pods{Kept: append(frozen, kept...)}, a.awaitNothing(ctx, req.Ref, known)
}

// awaitNoRoute makes sure that the canary has no route before its pods stop. The
// route was removed before this operation began: either the cache is behind, or
// another Ingress was created late.
func (a *Activities) awaitNoRoute(ctx context.Context, ref release.Ref) error {
	wait := kube.Wait{Namespace: ref.Namespace, Beat: kube.Beat(ctx), Topics: []kube.Topic{kube.AboutIngress(ref.CanaryIngress())}}
	return a.Cluster.AwaitState(ctx, wait, func() (kube.State, error) {
		left, err := a.Cluster.Ingresses(ref.Namespace).List(ours(ref))
		if err != nil || len(left) == 0 {
			return kube.State{Done: true}, err
		}
		return kube.State{Progress: "Ingress " + left[0].Name + " still routes to the canary"}, a.routed(ctx, ref)
	})
}

// routed fails where the API server, too, has a canary Ingress that is to stay.
func (a *Activities) routed(ctx context.Context, ref release.Ref) error {
	in, err := a.Cluster.Client().NetworkingV1().Ingresses(ref.Namespace).Get(ctx, ref.CanaryIngress(), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return kube.Failure(err, fmt.Sprintf("reading Ingress %s/%s", ref.Namespace, ref.CanaryIngress()))
	case !isOurs(in, ref):
		return nil
	}
	return kube.Terminal(kube.ErrRouted, "releasing Deployment %s/%s: canary Ingress %s is there again after its route was removed",
		ref.Namespace, ref.Workload.Name, in.Name)
}

// removeCanary makes sure that the canary pods get no request by the user's
// Service, deletes the canary Deployment, waits for its pods to end, and deletes
// their budget and the canary Service.
func (a *Activities) removeCanary(ctx context.Context, ref release.Ref) error {
	if err := a.checkApart(ref); err != nil {
		return err
	}
	if err := a.stopCanary(ctx, ref); err != nil {
		return err
	}
	if _, err := a.Cluster.RemoveBudget(ctx, ref, ref.CanaryBudget()); err != nil {
		return err
	}
	_, err := a.Cluster.RemoveService(ctx, ref, ref.CanaryService())
	return err
}

// stopCanary deletes the canary Deployment, and what of that name is created late, and
// waits for its pods to end.
func (a *Activities) stopCanary(ctx context.Context, ref release.Ref) error {
	deleted := map[types.UID]bool{}
	if d, err := a.Cluster.Deployments(ref.Namespace).Get(ref.CanaryDeployment()); err == nil {
		deleted[d.UID] = true
	}
	if _, err := a.Cluster.RemoveDeployment(ctx, ref, ref.CanaryDeployment()); err != nil {
		return err
	}
	wait := kube.Wait{Namespace: ref.Namespace, Beat: kube.Beat(ctx), Topics: []kube.Topic{kube.AboutWorkload(ref.CanaryDeployment())}}
	return a.Cluster.AwaitState(ctx, wait, func() (kube.State, error) {
		deployments, err := a.Cluster.Deployments(ref.Namespace).List(ours(ref))
		for _, d := range deployments {
			if err == nil && d.DeletionTimestamp == nil && !deleted[d.UID] {
				deleted[d.UID] = true
				_, err = a.Cluster.RemoveDeployment(ctx, ref, d.Name)
			}
		}
		pods := len(a.Cluster.PodsOfRollout(ref.Namespace, ref.ID))
		return kube.State{Done: pods+len(deployments) == 0, Progress: fmt.Sprintf("%d canary pods are stopping", pods)}, err
	})
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

// awaitNothing waits until no object of the rollout is left. What the API server has
// created since the known ones were deleted is deleted, too.
func (a *Activities) awaitNothing(ctx context.Context, ref release.Ref, known map[types.UID]bool) error {
	wait := kube.Wait{Namespace: ref.Namespace, Beat: kube.Beat(ctx), Topics: []kube.Topic{
		kube.AboutWorkload(ref.CanaryDeployment()), kube.AboutService(ref.CanaryService()), kube.AboutIngress(ref.CanaryIngress()),
	}}
	return a.Cluster.AwaitState(ctx, wait, func() (kube.State, error) {
		left, err := a.left(ref)
		if err != nil || len(left) == 0 {
			return kube.State{Done: true}, err
		}
		if late(left, known) {
			if err = a.awaitNoRoute(ctx, ref); err == nil {
				err = a.removeCanary(ctx, ref)
			}
		}
		return kube.State{Progress: fmt.Sprintf("still there: %v", left)}, err
	})
}

// late reports whether there are objects that were not known, and makes them known.
func late(left []remain, known map[types.UID]bool) bool {
	late := false
	for _, o := range left {
		late = late || !known[o.uid]
		known[o.uid] = true
	}
	return late
}

// remain is an object that carries the mark of the rollout.
type remain struct {
	name string
	uid  types.UID
}

// String names it.
func (r remain) String() string { return r.name }

// left lists what carries the mark of the rollout.
func (a *Activities) left(ref release.Ref) ([]remain, error) {
	var all []remain
	deployments, err := a.Cluster.Deployments(ref.Namespace).List(ours(ref))
	if err != nil {
		return nil, fmt.Errorf("listing Deployments: %w", err)
	}
	for _, o := range deployments {
		all = append(all, remain{"Deployment " + o.Name, o.UID})
	}
	services, err := a.Cluster.Services(ref.Namespace).List(ours(ref))
	if err != nil {
		return nil, fmt.Errorf("listing Services: %w", err)
	}
	for _, o := range services {
		all = append(all, remain{"Service " + o.Name, o.UID})
	}
	ingresses, err := a.Cluster.Ingresses(ref.Namespace).List(ours(ref))
	if err != nil {
		return nil, fmt.Errorf("listing Ingresses: %w", err)
	}
	for _, o := range ingresses {
		all = append(all, remain{"Ingress " + o.Name, o.UID})
	}
	budgets, err := a.Cluster.Budgets(ref.Namespace).List(ours(ref))
	if err != nil {
		return nil, fmt.Errorf("listing PodDisruptionBudgets: %w", err)
	}
	for _, o := range budgets {
		all = append(all, remain{"PodDisruptionBudget " + o.Name, o.UID})
	}
	return all, nil
}

// ours selects what belongs to the rollout.
func ours(ref release.Ref) labels.Selector {
	return labels.SelectorFromSet(labels.Set{release.LabelRollout: ref.ID})
}
