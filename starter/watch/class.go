package watch

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/watch/admission"
)

// kruiseWebhooks is the webhook configuration that an installed Kruise Rollouts
// controller keeps.
const kruiseWebhooks = "kruise-rollout-mutating-webhook-configuration"

// checkKruise refuses to run beside a Kruise Rollouts controller unless a class
// says which Rollouts are whose: both would act on all of them.
func (w *Watcher) checkKruise(ctx context.Context) error {
	if w.Class != "" {
		return nil
	}
	_, err := w.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, kruiseWebhooks, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("looking for a Kruise Rollouts controller: %w", err)
	}
	return fmt.Errorf("a Kruise Rollouts controller is installed (MutatingWebhookConfiguration %s): both would act on every Rollout: "+
		"uninstall it, or give --class and put label %s on the Rollouts that are for Sluice", kruiseWebhooks, admission.LabelClass)
}

// Ours says whether a Rollout is for this watcher, by its class label.
func (w *Watcher) Ours(obj *unstructured.Unstructured) bool {
	return obj.GetLabels()[admission.LabelClass] == w.Class
}

// Governor returns the Rollout that wants changes of a workload held.
func (w *Watcher) Governor(namespace, kind, name string) *admission.Governor {
	r := w.winner(namespace, kind, name)
	if r == nil || r.GetDeletionTimestamp() != nil || disabled(r) {
		return nil
	}
	stable, _, _ := unstructured.NestedString(r.Object, "status", "canaryStatus", "stableRevision")
	return &admission.Governor{Name: r.GetName(), Policy: config.PolicyOf(r.GetAnnotations()), Stable: stable}
}

// Holder names the Rollout that has a workload already.
func (w *Watcher) Holder(doc *config.Rollout, except string) string {
	for _, r := range w.caches.of(doc.Namespace, doc.Workload.Kind, doc.Workload.Name) {
		if r.GetName() != except && w.Ours(r) && r.GetDeletionTimestamp() == nil {
			return r.GetName()
		}
	}
	return ""
}

// winner returns the Rollout that has a workload: the oldest of ours.
func (w *Watcher) winner(namespace, kind, name string) *unstructured.Unstructured {
	for _, r := range w.caches.of(namespace, kind, name) {
		if w.Ours(r) {
			return r
		}
	}
	return nil
}

func disabled(r *unstructured.Unstructured) bool {
	value, _, _ := unstructured.NestedBool(r.Object, "spec", "disabled")
	return value
}

// finalizer keeps a Rollout until nothing of it is left on its workload.
const finalizer = release.LabelRollout
