package watch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// leave ends what goes on for a Rollout that is deleted or disabled, in the way
// that it asks for, and lets it go when nothing of it is left on the workload.
func (w *Watcher) leave(ctx context.Context, s *subject) (time.Duration, error) {
	if s.deleting() && !slices.Contains(s.obj.GetFinalizers(), finalizer) {
		return 0, nil
	}
	way := config.OnDeleteOf(s.obj.GetAnnotations())
	if s.d != nil && way != config.OnDeleteHold {
		left, again, err := w.wind(ctx, s, way)
		if err != nil || left {
			return again, err
		}
	}
	if !s.deleting() {
		return 0, w.recall(ctx, s)
	}
	return 0, w.letGo(ctx, s)
}

// wind ends a rollout or a hold; left says that something is still there.
func (w *Watcher) wind(ctx context.Context, s *subject, way config.OnDelete) (left bool, again time.Duration, err error) {
	switch {
	case s.record != nil && s.rollout == nil:
		return true, 0, w.find(ctx, s)
	case s.open():
		return true, 0, w.end(ctx, s, way)
	case s.record != nil:
		return true, 0, nil
	case s.hold != nil:
		return true, awayPause, w.dropHold(ctx, s, way)
	case s.queued != nil && way == config.OnDeleteFinish && s.queued.Revision != s.revision && !s.aborted(s.queued.Revision, &control.Status{}):
		return true, 0, w.propose(ctx, s, false)
	case s.queued != nil:
		var p kube.Patch
		s.mark(&p, release.AnnotationQueued, nil)
		return true, 0, w.patch(ctx, s, p)
	}
	return false, 0, nil
}

// end tells an open rollout to finish or to return.
func (w *Watcher) end(ctx context.Context, s *subject, way config.OnDelete) error {
	cause := "deleted"
	if s.disabled() && !s.deleting() {
		cause = "disabled"
	}
	m := workflows.Message{By: "sluice-watch", Reason: "the Rollout was " + cause}
	if way == config.OnDeleteRollback {
		_, err := w.send(ctx, s, workflows.VerbAbort, m, cause)
		return err
	}
	switch s.rollout.Phase {
	case workflows.PhaseChecking:
		return nil
	case workflows.PhaseStuck:
		s.problem = fmt.Sprintf("the Rollout was %s, but its rollout cannot be finished: %s; retry it, or set annotation %s to rollback",
			cause, s.rollout.Message, config.AnnotationOnDelete)
		return nil
	}
	if s.rollout.Paused {
		if _, err := w.send(ctx, s, workflows.VerbResume, m, cause+fmt.Sprint(s.rollout.Since.Unix())); err != nil {
			return err
		}
	}
	m.Full = true
	_, err := w.send(ctx, s, workflows.VerbPromote, m, cause)
	return err
}

// dropHold ends a hold without a rollout: the workload rolls out by itself, or
// has its stable template back. A revision that was aborted never rolls out this
// way; where the stable template is lost, too, the workload stays paused.
func (w *Watcher) dropHold(ctx context.Context, s *subject, way config.OnDelete) error {
	last, err := w.Control.Status(ctx, s.id)
	if err != nil && !control.IsNotFound(err) {
		return err
	}
	aborted := s.aborted(s.revision, &last)
	if way == config.OnDeleteFinish && !aborted {
		return w.lift(ctx, s)
	}
	sets, err := w.replicaSets(ctx, s.d)
	if err != nil {
		return err
	}
	var p kube.Patch
	stable := s.former(sets)
	switch {
	case stable != nil:
		p.Set(stable, "spec", "template")
	case aborted && !runs(activeOf(sets), s.revision):
		w.event(ctx, s, warning, "Paused", fmt.Sprintf("revision %s was aborted and the stable template is lost: the workload stays paused", s.revision), s.d.ResourceVersion)
		s.mark(&p, release.AnnotationHold, nil)
		return w.patch(ctx, s, p)
	}
	if s.d.Spec.Paused && !s.hold.Paused {
		p.Set(false, "spec", "paused")
	}
	s.mark(&p, release.AnnotationHold, nil)
	return w.patch(ctx, s, p)
}

// letGo takes our label from the workload, unless another Rollout has it, and
// our finalizer from the Rollout.
func (w *Watcher) letGo(ctx context.Context, s *subject) error {
	all := w.caches.of(s.key.namespace, s.kind, s.name)
	if s.d != nil && s.d.Labels[release.LabelBypass] != "" && len(all) == 1 && keyOf(all[0]) == s.key {
		if err := w.label(ctx, s, nil); err != nil {
			return err
		}
	}
	w.unfollow(s.key)
	list := slices.DeleteFunc(slices.Clone(s.obj.GetFinalizers()), func(f string) bool { return f == finalizer })
	return w.finalizers(ctx, s, list)
}
