package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// aborted says that a revision was aborted and that nobody has said since that it
// may go again. The Rollout remembers it; the last rollout tells what ended while
// nobody watched. last may be empty.
func (s *subject) aborted(revision string, last *control.Status) bool {
	if s.obj.GetAnnotations()[config.AnnotationReleaseAgain] == revision {
		return false
	}
	return slices.Contains(config.AbortedOf(s.obj.GetAnnotations()), revision) || blames(last, revision)
}

// blames says that a rollout returned from a revision by a decision about it: not
// because somebody took the template back, who may then propose it again.
func blames(r *control.Status, revision string) bool {
	return r.Phase == workflows.PhaseRolledBack && r.Revision == revision && !slices.ContainsFunc(r.Decisions, func(d workflows.Decision) bool {
		return d.Verb == workflows.VerbAbort && d.Accepted && (d.Via == viaWorkload || d.Reason == workflows.ReasonPutBack)
	})
}

// viaWorkload is how a workflow names decisions that come from a change of the
// workload.
const viaWorkload = "workload"

// cause is why a revision was aborted, in brackets; empty where the last rollout
// was another one's.
func cause(revision string, last *control.Status) string {
	if !blames(last, revision) {
		return ""
	}
	return " (" + last.Message + ")"
}

// remember keeps on the Rollout which revisions were aborted: Temporal forgets
// runs, and the status tells the present only. One that is on its way again was
// pardoned.
func (w *Watcher) remember(ctx context.Context, s *subject) error {
	switch {
	case s.rollout == nil, s.rollout.Revision == "", s.deleting():
		return nil
	case s.open():
		return w.writeAborted(ctx, s, s.rollout.Revision, false)
	case blames(s.rollout, s.rollout.Revision):
		return w.writeAborted(ctx, s, s.rollout.Revision, true)
	}
	return nil
}

// writeAborted notes that a revision was aborted, or that it is on its way again:
// then the permission is used up, too. It writes nothing where nothing changes.
func (w *Watcher) writeAborted(ctx context.Context, s *subject, revision string, aborted bool) error {
	have := s.obj.GetAnnotations()
	list := config.AbortedOf(have)
	changed := map[string]any{}
	switch noted := slices.Contains(list, revision); {
	case aborted && !noted:
		changed[config.AnnotationAborted] = config.AbortedText(append(list, revision))
	case !aborted && noted:
		list = slices.DeleteFunc(list, func(r string) bool { return r == revision })
		changed[config.AnnotationAborted] = nil
		if len(list) > 0 {
			changed[config.AnnotationAborted] = config.AbortedText(list)
		}
	}
	if !aborted && have[config.AnnotationReleaseAgain] == revision {
		changed[config.AnnotationReleaseAgain] = nil
	}
	if len(changed) == 0 {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": changed, "resourceVersion": s.obj.GetResourceVersion()}})
	if err != nil {
		return fmt.Errorf("encoding the annotations: %w", err)
	}
	written, err := w.rollouts(s.key).Patch(ctx, s.key.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: release.WatchManager})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("noting on Rollout %s that revision %s was aborted or goes again: %w", s.key, revision, err)
	}
	s.obj = written
	return nil
}
