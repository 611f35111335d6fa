package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// patch changes the workload by a patch that applies to the version that was
// seen only.
func (w *Watcher) patch(ctx context.Context, s *subject, p kube.Patch) error {
	p = append(kube.Patch{{Op: "test", Path: "/metadata/resourceVersion", Value: s.d.ResourceVersion}}, p...)
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encoding a patch of Deployment %s/%s: %w", s.key.namespace, s.name, err)
	}
	d, err := w.Kube.AppsV1().Deployments(s.key.namespace).Patch(ctx, s.name, types.JSONPatchType, data, metav1.PatchOptions{FieldManager: release.WatchManager})
	switch {
	case kube.IsConflict(err), apierrors.IsNotFound(err):
		return errStale
	case err != nil:
		return fmt.Errorf("changing Deployment %s/%s: %w", s.key.namespace, s.name, err)
	}
	return s.take(d)
}

// disown gives up the fields that the watcher has written for somebody else: who
// applies the template next owns it again, without a conflict.
func (w *Watcher) disown(ctx context.Context, s *subject) {
	var p kube.Patch
	for i, entry := range slices.Backward(s.d.ManagedFields) {
		if entry.Manager == release.WatchManager {
			p.Test(release.WatchManager, "metadata", "managedFields", strconv.Itoa(i), "manager")
			p.Remove("metadata", "managedFields", strconv.Itoa(i))
		}
	}
	data, err := json.Marshal(p)
	if err != nil || len(p) == 0 {
		return
	}
	_, err = w.Kube.AppsV1().Deployments(s.key.namespace).Patch(ctx, s.name, types.JSONPatchType, data, metav1.PatchOptions{FieldManager: release.WatchManager})
	if err != nil {
		// It costs somebody a forced apply, nothing more.
		w.Log.Warn("fields of the workload stay with the watcher", "rollout", s.key.String(), "error", err)
	}
}

// mark sets or, where it is nil, removes an annotation of ours.
func (s *subject) mark(p *kube.Patch, key string, mark any) {
	_, there := s.d.Annotations[key]
	switch {
	case mark != nil:
		p.SetIn(s.d.Annotations != nil, release.Text(mark), "metadata", "annotations", key)
	case there:
		p.Remove("metadata", "annotations", key)
	}
}

// lift ends a hold that has nothing to hold any more.
func (w *Watcher) lift(ctx context.Context, s *subject) error {
	var p kube.Patch
	if s.d.Spec.Paused && !s.hold.Paused {
		p.Set(false, "spec", "paused")
	}
	s.mark(&p, release.AnnotationHold, nil)
	return w.patch(ctx, s, p)
}

// takeBack is the backstop: a template that rolls out unheld gives way to the one
// before, as long as that has pods, in one write and waits; what has slipped
// through is replaced by the workload's own controller.
func (w *Watcher) takeBack(ctx context.Context, s *subject) error {
	live, err := w.Kube.AppsV1().Deployments(s.key.namespace).Get(ctx, s.name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading Deployment %s/%s: %w", s.key.namespace, s.name, err)
	}
	if err := s.take(live); err != nil {
		return err
	}
	if s.record != nil || s.hold != nil || s.queued != nil || !s.slipping() {
		return errStale
	}
	sets, err := w.replicaSets(ctx, s.d)
	if err != nil {
		return err
	}
	template := s.former(sets)
	if template == nil {
		// It has replaced the stable pods: to take it back would be a change of what
		// serves everybody.
		return nil
	}
	waiting, err := s.queueOf(release.Hold{By: "somebody", Slipped: true})
	if err != nil {
		return err
	}
	var p kube.Patch
	p.Set(template, "spec", "template")
	s.mark(&p, release.AnnotationQueued, waiting)
	slipped := podsOf(sets, s.revision)
	revision := s.revision
	if err := w.patch(ctx, s, p); err != nil {
		return err
	}
	w.disown(ctx, s)
	w.Metrics.Slipped.Add(float64(slipped))
	text := fmt.Sprintf("revision %s began to roll out unheld (%d pods): is the webhook reachable? It was stopped, and is rolled out when the workload runs the stable revision again", revision, slipped)
	w.Log.Warn(text, "rollout", s.key.String())
	w.event(ctx, s, warning, "Unheld", text, s.d.ResourceVersion)
	s.waiting = text
	return nil
}

// former returns the template that ran before the present one: the stable one
// where it has pods, else the only other one that has. It is nil where there is
// none.
func (s *subject) former(sets []appsv1.ReplicaSet) *corev1.PodTemplateSpec {
	others := slices.DeleteFunc(activeOf(sets), func(rs appsv1.ReplicaSet) bool { return workload.Revision(rs.Spec.Template) == s.revision })
	if stable := templateOf(others, s.stable()); stable != nil || len(others) != 1 {
		return stable
	}
	return new(plain(others[0].Spec.Template))
}

// podsOf is how many pods a revision has, or will have.
func podsOf(sets []appsv1.ReplicaSet, revision string) int32 {
	n := int32(0)
	for i := range sets {
		if workload.Revision(sets[i].Spec.Template) != revision {
			continue
		}
		n = sets[i].Status.Replicas
		if wanted := sets[i].Spec.Replicas; wanted != nil {
			n = max(n, *wanted) // they are on their way
		}
	}
	return n
}

// accept tells of a template that has become stable without a hold and without a
// rollout, while webhook and watcher were away. The status then names it stable.
func (w *Watcher) accept(ctx context.Context, s *subject) error {
	if s.rollout != nil || s.stable() == "" || s.revision == s.stable() || s.sameID() || !complete(s.d) {
		return nil
	}
	last, err := w.Control.Status(ctx, s.id)
	if err != nil && !control.IsNotFound(err) {
		return err
	}
	if err == nil && last.Phase == workflows.PhasePromoted && last.Revision == s.revision {
		return nil // somebody has rolled it out from the command line meanwhile
	}
	s.unheld = int32(kube.SizeOf(s.d))
	text := fmt.Sprintf("revision %s rolled out unheld and is stable now (%d pods): is the webhook reachable?", s.revision, s.unheld)
	w.Log.Warn(text, "rollout", s.key.String())
	w.event(ctx, s, warning, "Unheld", text, fmt.Sprint("accepted ", s.d.Generation))
	return nil
}

// queueOf returns the present template as one that waits.
func (s *subject) queueOf(hold release.Hold) (release.Queued, error) {
	data, err := json.Marshal(s.d.Spec.Template)
	if err != nil {
		return release.Queued{}, fmt.Errorf("encoding the pod template of Deployment %s/%s: %w", s.key.namespace, s.name, err)
	}
	return release.Queued{Revision: s.revision, Template: data, By: hold.By, Slipped: hold.Slipped}, nil
}

// templateOf returns the template of a revision; nil where no ReplicaSet has it.
func templateOf(sets []appsv1.ReplicaSet, revision string) *corev1.PodTemplateSpec {
	for i := range sets {
		if template := plain(sets[i].Spec.Template); workload.Revision(template) == revision {
			return &template
		}
	}
	return nil
}

// setAside gives a workload without pods its stable template back until it has
// some. A paused one that is scaled up would run its youngest ReplicaSet, which
// need not be the stable one.
func (w *Watcher) setAside(ctx context.Context, s *subject, sets []appsv1.ReplicaSet) error {
	s.waiting = withoutPods(s.revision)
	stable := templateOf(sets, s.stable())
	if stable == nil {
		return nil
	}
	waiting, err := s.queueOf(*s.hold)
	if err != nil {
		return err
	}
	var p kube.Patch
	p.Set(stable, "spec", "template")
	if !s.hold.Paused {
		p.Set(false, "spec", "paused")
	}
	s.mark(&p, release.AnnotationHold, nil)
	s.mark(&p, release.AnnotationQueued, waiting)
	if err := w.patch(ctx, s, p); err != nil {
		return err
	}
	w.disown(ctx, s)
	return nil
}

func withoutPods(revision string) string {
	return fmt.Sprintf("revision %s is held: the workload has 0 replicas, so there is nothing to compare with: scale it up", revision)
}

// dequeue proposes the template that waits, held, when the workload is at rest.
func (w *Watcher) dequeue(ctx context.Context, s *subject) error {
	if s.queued.Revision == s.revision {
		var p kube.Patch
		s.mark(&p, release.AnnotationQueued, nil)
		return w.patch(ctx, s, p)
	}
	if kube.SizeOf(s.d) == 0 {
		s.waiting = withoutPods(s.queued.Revision)
		return nil
	}
	if !complete(s.d) || s.d.Status.AvailableReplicas < int32(kube.SizeOf(s.d)) {
		s.waiting = fmt.Sprintf("revision %s waits until all pods run the present one", s.queued.Revision)
		return nil
	}
	return w.propose(ctx, s, true)
}

// propose writes the template that waits, held or not.
func (w *Watcher) propose(ctx context.Context, s *subject, held bool) error {
	var template corev1.PodTemplateSpec
	if err := json.Unmarshal(s.queued.Template, &template); err != nil {
		return fmt.Errorf("reading annotation %s of Deployment %s/%s: %w: remove it", release.AnnotationQueued, s.key.namespace, s.name, err)
	}
	var p kube.Patch
	p.Set(template, "spec", "template")
	s.mark(&p, release.AnnotationQueued, nil)
	if held {
		p.Set(true, "spec", "paused")
		s.mark(&p, release.AnnotationHold, release.Hold{
			Revision: s.queued.Revision, By: s.queued.By, Paused: s.d.Spec.Paused, Slipped: s.queued.Slipped,
		})
	}
	if err := w.patch(ctx, s, p); err != nil {
		return err
	}
	w.disown(ctx, s)
	return nil
}

// plain is the template of a ReplicaSet as it was on its Deployment.
func plain(template corev1.PodTemplateSpec) corev1.PodTemplateSpec {
	t := template.DeepCopy()
	delete(t.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return *t
}
