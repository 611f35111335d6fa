package watch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/kruise"
	"sluice.dev/sluice/starter/watch/admission"
)

// A workload that carries our label, but that no Rollout of ours names any more, is
// an orphan: its Rollout names another one now, has another class, is left to Kruise,
// or is gone although its finalizer was there. Its key has no group.

func orphanKey(namespace, name string) key { return key{namespace: namespace, name: name} }

// governed says that a Rollout of ours has a workload.
func (w *Watcher) governed(namespace, name string) bool {
	r := w.winner(namespace, "Deployment", name)
	return r != nil && w.Ours(r)
}

// enqueueOrphan looks at a workload that may be an orphan. Before all Rollouts are
// known every workload would be; the first looks are act's.
func (w *Watcher) enqueueOrphan(namespace, name string) {
	if w.caches.knowRollouts() && w.caches.workload(namespace, name) != nil && !w.governed(namespace, name) {
		w.queue.Add(orphanKey(namespace, name))
	}
}

// abandon ends a hold on an orphan, as if its Rollout had been deleted, and takes our
// label away, and our finalizer from Rollouts that are no longer ours. A rollout that
// is open is let go on: the workload comes back when its marks have gone.
func (w *Watcher) abandon(ctx context.Context, k key) (time.Duration, error) {
	d := w.caches.workload(k.namespace, k.name)
	if d == nil || w.governed(k.namespace, k.name) {
		w.drop(k)
		return 0, nil
	}
	d = d.DeepCopy()
	d.APIVersion, d.Kind = "apps/v1", "Deployment"
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(d)
	if err != nil {
		return 0, fmt.Errorf("reading Deployment %s: %w", k, err)
	}
	// Events are about the workload: it has nothing else any more.
	s := &subject{key: k, obj: &unstructured.Unstructured{Object: fields}, kind: d.Kind, name: k.name}
	s.id = w.workflowID(s)
	if err := s.take(d); err != nil || s.record != nil {
		return 0, err
	}
	former := w.caches.of(k.namespace, d.Kind, k.name)
	way := config.OnDeleteFinish
	if len(former) > 0 {
		way = config.OnDeleteOf(former[0].GetAnnotations())
		s.obj.SetAnnotations(former[0].GetAnnotations()) // the revisions that were aborted
	}
	if way != config.OnDeleteHold {
		if left, again, err := w.wind(ctx, s, way); err != nil || left {
			return again, err
		}
	} else {
		w.leaveHeld(ctx, s)
	}
	for _, r := range former {
		if err := w.disclaim(ctx, r.DeepCopy()); err != nil {
			return 0, err
		}
	}
	w.drop(k)
	w.Log.Info("a workload that no Rollout of ours names any more is let go", "workload", k.String())
	var p kube.Patch
	p.Remove("metadata", "labels", release.LabelBypass)
	return 0, w.patch(ctx, s, p)
}

// disclaim takes our finalizer from a Rollout that is no longer ours.
func (w *Watcher) disclaim(ctx context.Context, obj *unstructured.Unstructured) error {
	if w.Ours(obj) || !slices.Contains(obj.GetFinalizers(), finalizer) {
		return nil
	}
	return w.dropFinalizer(ctx, &subject{key: keyOf(obj), obj: obj})
}

// leftToKruise says that a Rollout would be ours if Kruise did not act on it, and
// that nothing of ours is on its workload. Then the finalizer is nobody's.
func (w *Watcher) leftToKruise(obj *unstructured.Unstructured) bool {
	_, name := workloadRef(obj)
	return keyOf(obj).group == kruise.Group && w.kruise.Load() && obj.GetLabels()[admission.LabelClass] == w.Class &&
		w.caches.workload(obj.GetNamespace(), name) == nil
}
