package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/kruise"
	own "sluice.dev/sluice/config/v1alpha1"
	"sluice.dev/sluice/starter/watch/admission"
)

// kruiseWebhooks is the webhook configuration that an installed Kruise Rollouts
// controller keeps.
const kruiseWebhooks = "kruise-rollout-mutating-webhook-configuration"

// errKruise says that a Kruise Rollouts controller has come while no class says
// which Rollouts are whose.
var errKruise = fmt.Errorf("a Kruise Rollouts controller is installed (MutatingWebhookConfiguration %s): both would act on every Rollout of %s: "+
	"uninstall it, or give --class and put label %s on Rollouts of %s", kruiseWebhooks, kruise.Group, admission.LabelClass, own.Group)

// checkKruise looks for a Kruise Rollouts controller. It knows no classes and acts
// on every Rollout of its group, so where it is found none of them is ours, and
// without a class of our own it is refused to run beside it.
func (w *Watcher) checkKruise(ctx context.Context) error {
	_, err := w.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, kruiseWebhooks, metav1.GetOptions{})
	found := err == nil
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return fmt.Errorf("looking for a Kruise Rollouts controller: %w", err)
	case found && w.Class == "":
		return errKruise
	case w.kruise.Swap(found) == found:
		return nil
	}
	w.Log.Warn("whose the Rollouts of "+kruise.Group+" are has changed", "kruise controller", found)
	if w.caches != nil {
		w.enqueueAll()
	}
	return nil
}

// lookForKruise checks again for as long as ctx lasts: a controller may be
// installed later.
func (w *Watcher) lookForKruise(ctx context.Context) error {
	ticker := time.NewTicker(checkInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := w.checkKruise(ctx); errors.Is(err, errKruise) {
			return err
		} else if err != nil {
			w.Log.Warn("it is looked at again later", "error", err)
		}
	}
}

// Ours says whether a Rollout is for this watcher, by its class label. None of
// Kruise's group is while a Kruise Rollouts controller acts on them.
func (w *Watcher) Ours(obj *unstructured.Unstructured) bool {
	return obj.GetLabels()[admission.LabelClass] == w.Class && !(w.kruise.Load() && keyOf(obj).group == kruise.Group)
}

// Governor returns the Rollout that wants changes of a workload held.
func (w *Watcher) Governor(namespace, kind, name string) *admission.Governor {
	r := w.winner(namespace, kind, name)
	if r == nil || !w.Ours(r) || r.GetDeletionTimestamp() != nil || disabled(r) {
		return nil
	}
	stable, _, _ := unstructured.NestedString(r.Object, "status", "canaryStatus", "stableRevision")
	return &admission.Governor{Name: r.GetName(), Policy: config.PolicyOf(r.GetAnnotations()), Stable: stable}
}

// Holder names the Rollout that has the workload of a document already; empty
// where that is none or the document's own object.
func (w *Watcher) Holder(doc *config.Rollout, object *unstructured.Unstructured) string {
	for _, r := range w.caches.of(doc.Namespace, doc.Workload.Kind, doc.Workload.Name) {
		switch {
		case keyOf(r) == keyOf(object):
			return "" // those that follow are younger
		case r.GetDeletionTimestamp() == nil:
			return nameOf(r, object)
		}
	}
	return ""
}

// winner returns the Rollout that has a workload: the oldest, of whichever group
// and class, since two would write to one workload.
func (w *Watcher) winner(namespace, kind, name string) *unstructured.Unstructured {
	if all := w.caches.of(namespace, kind, name); len(all) > 0 {
		return all[0]
	}
	return nil
}

// nameOf names a Rollout to people who look at another one.
func nameOf(r, other *unstructured.Unstructured) string {
	if group := keyOf(r).group; group != keyOf(other).group {
		return r.GetName() + " of " + group
	}
	return r.GetName()
}

func disabled(r *unstructured.Unstructured) bool {
	value, _, _ := unstructured.NestedBool(r.Object, "spec", "disabled")
	return value
}

// finalizer keeps a Rollout until nothing of it is left on its workload.
const finalizer = release.LabelRollout
