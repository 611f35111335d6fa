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
	if way == config.OnDeleteHold {
		w.leaveHeld(ctx, s)
	}
	if !s.deleting() {
		return 0, w.recall(ctx, s)
	}
	return 0, w.letGo(ctx, s)
}

// wind ends a rollout or a hold; left says that something is still there.
func (w *Watcher) wind(ctx context.Context, s *subject, way config.OnDelete) (left bool, again time.Duration, err error) {
	if s.open() {
		own, err := w.own(ctx, s)
		if err != nil || !own {
			// One that was begun by the command line is not this Rollout's to end.
			return false, 0, err
		}
	}
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

// leaveHeld says how to end a hold that stays although no rollout has begun, since no
// command of ours does: there is nothing to return from.
func (w *Watcher) leaveHeld(ctx context.Context, s *subject) {
	if s.d == nil || s.open() || s.record != nil || s.hold == nil && s.queued == nil {
		return
	}
	workload := fmt.Sprintf("deployment/%s -n %s", s.name, s.key.namespace)
	var text string
	if s.hold != nil {
		text = fmt.Sprintf("revision %s stays held, as annotation %s says, and no rollout has begun: `kubectl annotate %s %s-` and then `kubectl rollout resume %s` roll it out as the Deployment says; "+
			"to keep the stable one instead put its template back before you resume", s.revision, config.AnnotationOnDelete, workload, release.AnnotationHold, workload)
	} else {
		text = fmt.Sprintf("revision %s waits in annotation %s, as annotation %s says, and no rollout has begun: `kubectl annotate %s %s-` forgets it, and applying it again rolls it out as the Deployment says",
			s.queued.Revision, release.AnnotationQueued, config.AnnotationOnDelete, workload, release.AnnotationQueued)
	}
	s.problem = text
	w.event(ctx, s, warning, "Held", text, text)
}

// own says whether the open rollout was started for this Rollout.
func (w *Watcher) own(ctx context.Context, s *subject) (bool, error) {
	in, err := w.input(ctx, s)
	return err == nil && in.Origin.Of(s.key.group, s.key.name), err
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
	case workflows.PhaseChecking, workflows.PhasePromoting: // not yet, and not any more
		return nil
	case workflows.PhaseStuck:
		s.problem = fmt.Sprintf("the Rollout was %s, but its rollout cannot be finished: %s; retry it, or set annotation %s to rollback",
			cause, s.rollout.Message, config.AnnotationOnDelete)
		return nil
	}
	if s.rollout.Paused {
		_, err := w.send(ctx, s, workflows.VerbResume, m, cause+fmt.Sprint(s.rollout.Since.Unix()))
		return err // the news that it goes on brings the rest
	}
	m.Full = true
	_, err := w.send(ctx, s, workflows.VerbPromote, m, fmt.Sprint(cause, resumed(s.rollout.Decisions)))
	return err
}

// resumed counts the pauses that have ended: what was refused beside one is asked
// again after it.
func resumed(decisions []workflows.Decision) (n int) {
	for _, d := range decisions {
		if d.Accepted && d.Verb == workflows.VerbResume {
			n++
		}
	}
	return n
}

// dropHold ends a hold without a rollout: the workload rolls out by itself, or
// has its stable template back. A revision that was aborted never rolls out this
// way; where the stable template is lost, too, the workload stays paused.
func (w *Watcher) dropHold(ctx context.Context, s *subject, way config.OnDelete) error {
	last, err := w.lastRollout(ctx, s)
	if err != nil {
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
	return w.dropFinalizer(ctx, s)
}

// dropFinalizer takes our finalizer from the Rollout.
func (w *Watcher) dropFinalizer(ctx context.Context, s *subject) error {
	list := slices.DeleteFunc(slices.Clone(s.obj.GetFinalizers()), func(f string) bool { return f == finalizer })
	return w.finalizers(ctx, s, list)
}
