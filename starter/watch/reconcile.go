package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/starter/watch/projection"
)

// The pauses before something is looked at again that no event tells of.
const (
	// missingPause is for a workload that does not exist: without our label no
	// event tells when it does.
	missingPause = 5 * time.Second
	// awayPause is for Temporal being away.
	awayPause = 3 * time.Second
)

// reconcile does for a Rollout what is to be done now, and tells its status. It
// returns when to look again; zero where an event will tell.
func (w *Watcher) reconcile(ctx context.Context, k key) (time.Duration, error) {
	if k.group == "" {
		return w.abandon(ctx, k)
	}
	obj := w.caches.rollout(k)
	if obj == nil || !w.Ours(obj) {
		w.drop(k)
		if obj != nil && w.leftToKruise(obj) {
			return 0, w.disclaim(ctx, obj)
		}
		return 0, nil
	}
	s, err := w.look(ctx, obj)
	if err != nil {
		return 0, err
	}
	again, err := w.decide(ctx, s)
	if err == nil {
		err = w.remember(ctx, s)
	}
	if err != nil {
		return 0, err
	}
	return again, w.tell(ctx, s)
}

// decide chooses what to do for a Rollout.
func (w *Watcher) decide(ctx context.Context, s *subject) (time.Duration, error) {
	switch {
	case s.deleting(), s.disabled():
		return w.leave(ctx, s)
	case s.doc == nil && s.d == nil:
		return 0, nil
	}
	if err := w.claim(ctx, s); err != nil {
		return 0, err
	}
	if s.d == nil {
		if s.open() {
			return 0, nil
		}
		return missingPause, nil
	}
	if err := w.track(ctx, s); err != nil {
		return 0, err
	}
	switch {
	case s.record != nil && s.rollout == nil:
		return 0, w.find(ctx, s)
	case s.open():
		return 0, w.relay(ctx, s)
	case s.record != nil, s.doc == nil:
		// The rollout has ended without taking its marks away, and the status says
		// so; or what changes is held until the document is right.
		return 0, nil
	case s.hold != nil:
		return w.release(ctx, s)
	case s.queued != nil:
		return 0, w.dequeue(ctx, s)
	case s.slipping():
		return 0, w.takeBack(ctx, s)
	}
	if err := w.recall(ctx, s); err != nil {
		return 0, err
	}
	return 0, w.accept(ctx, s)
}

// find looks for the rollout that a workload is marked with. Nothing is told
// before it is known: what people have written to the status would be overwritten.
func (w *Watcher) find(ctx context.Context, s *subject) error {
	if f := w.follower(s.key); f != nil && !f.over() {
		return errWait
	}
	w.unfollow(s.key)
	status, err := w.Control.Status(ctx, s.record.WorkflowID)
	switch {
	case control.IsNotFound(err):
		s.problem = fmt.Sprintf("the workload is marked by workflow %s, which Temporal does not know: `sluice repair` ends what it has left", s.record.WorkflowID)
		return nil
	case err != nil:
		return err
	case status.Closed == nil:
		w.follow(s.key, s.record.WorkflowID)
		return errWait
	}
	s.rollout, s.missed = &status, true
	return nil
}

// errWait says that an answer is on its way; it brings the Rollout back.
var errWait = errors.New("waiting for the state of the rollout")

// expected errors are part of the way: nobody has to be told.
func expected(err error) bool {
	return errors.Is(err, errStale) || errors.Is(err, errWait) || apierrors.IsConflict(err)
}

// recall asks once how a rollout has ended that the status still tells to go on.
func (w *Watcher) recall(ctx context.Context, s *subject) error {
	if s.rollout != nil || s.before.Phase != projection.PhaseProgressing {
		return nil
	}
	status, err := w.Control.Status(ctx, s.id)
	switch {
	case control.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case status.Closed == nil:
		w.follow(s.key, s.id)
		return errWait
	}
	s.rollout, s.missed = &status, true
	return nil
}

// claim puts our finalizer on a Rollout.
func (w *Watcher) claim(ctx context.Context, s *subject) error {
	if slices.Contains(s.obj.GetFinalizers(), finalizer) {
		return nil
	}
	return w.finalizers(ctx, s, append(slices.Clone(s.obj.GetFinalizers()), finalizer))
}

// finalizers writes the finalizers of a Rollout.
func (w *Watcher) finalizers(ctx context.Context, s *subject, list []string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"finalizers": list, "resourceVersion": s.obj.GetResourceVersion(),
	}})
	if err != nil {
		return fmt.Errorf("encoding the finalizers: %w", err)
	}
	written, err := w.rollouts(s.key).Patch(ctx, s.key.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: release.WatchManager})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("writing the finalizers of Rollout %s: %w", s.key, err)
	}
	s.obj = written
	return nil
}

// track puts our label on a workload, so that the webhook is asked about it.
func (w *Watcher) track(ctx context.Context, s *subject) error {
	value := release.BypassValue(w.Class)
	if s.d == nil || s.d.Labels[release.LabelBypass] == value {
		return nil
	}
	return w.label(ctx, s, value)
}

// label sets or removes (null) our label on the workload.
func (w *Watcher) label(ctx context.Context, s *subject, value any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]any{release.LabelBypass: value}}})
	if err != nil {
		return fmt.Errorf("encoding the label: %w", err)
	}
	d, err := w.Kube.AppsV1().Deployments(s.key.namespace).Patch(ctx, s.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: release.WatchManager})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("labelling Deployment %s/%s: %w", s.key.namespace, s.name, err)
	}
	return s.take(d)
}
