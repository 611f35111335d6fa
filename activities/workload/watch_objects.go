package workload

import (
	"context"
	"fmt"
	"maps"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// contentGone names the content of what is not there.
const contentGone = "gone"

// lookAtObjects returns what others have changed on the objects of the rollout
// beside the workload, but for what was reported already. An object that is not
// there yet, or not any more because we removed it, is no change: only one that
// was seen can be missing.
func (w *watcher) lookAtObjects(ctx context.Context) ([]Drift, error) {
	var found []Drift
	for _, look := range []func(context.Context) ([]Drift, error){w.lookAtRoute, w.lookAtService, w.lookAtCanaryService, w.lookAtCanary} {
		drifts, err := look(ctx)
		if err != nil {
			return nil, err
		}
		found = append(found, drifts...)
	}
	return found, nil
}

// fresh returns the drift if it is one and was not reported yet. What is in
// order is forgotten, so that it is reported when it happens again.
func (w *watcher) fresh(drifted bool, d Drift) []Drift {
	if !drifted {
		delete(w.memory.Known, d.Kind)
		return nil
	}
	if w.memory.Known[d.Kind] == d.Content {
		return nil
	}
	w.memory.Known[d.Kind] = d.Content
	return []Drift{d}
}

func (w *watcher) lookAtRoute(ctx context.Context) ([]Drift, error) {
	ref, look := w.req.Ref, w.Routes.LookAtRoute(w.req.Ref)
	user := fmt.Sprintf("Ingress %s/%s", ref.Namespace, ref.Ingress)
	found := w.fresh(look.Missing, Drift{Kind: DriftIngressGone, Object: user, What: "it was deleted", Content: contentGone})
	object := fmt.Sprintf("Ingress %s/%s", ref.Namespace, ref.CanaryIngress())
	if look.Ingress == nil {
		gone, err := w.vanished(ctx, &w.memory.Routed, func(ctx context.Context) (metav1.Object, error) {
			return w.Cluster.Client().NetworkingV1().Ingresses(ref.Namespace).Get(ctx, ref.CanaryIngress(), metav1.GetOptions{})
		})
		if gone {
			found = append(found, Drift{Kind: DriftRouteGone, Object: object, What: "it was deleted", Content: contentGone})
		}
		return found, err
	}
	w.memory.Routed = true
	by := lastWriter(look.Ingress)
	edited := Drift{Kind: DriftRoute, Object: object, What: "its route was edited", By: by, Content: kube.Mark(look.Ingress)}
	if look.Readable {
		edited.Route = &look.Route
	}
	found = append(found, w.fresh(look.Edited, edited)...)
	shadows := strings.Join(look.Shadows, "; ")
	found = append(found, w.fresh(shadows != "", Drift{
		Kind: DriftShadow, Object: user, What: "a path was added whose requests the canary takes: " + shadows, Content: shadows,
	})...)
	return append(found, w.fresh(look.Stale, Drift{
		Kind: DriftRules, Object: user, What: "its rules for Service " + ref.Service + " are not those of the canary any more", Content: look.Rules + kube.Mark(look.Ingress),
	})...), nil
}

// lookAtService compares the selector of the user's Service with the one that it
// had, and what narrows it with what the rollout has written last.
func (w *watcher) lookAtService(context.Context) ([]Drift, error) {
	ref := w.req.Ref
	s, err := w.Cluster.Services(ref.Namespace).Get(ref.Service)
	if err != nil {
		return nil, nil //nolint:nilerr // a Service that is gone has no selector
	}
	d := Drift{Object: fmt.Sprintf("Service %s/%s", ref.Namespace, ref.Service), By: lastWriter(s)}
	return append(w.lookAtSelector(s, d), w.lookAtNarrowing(s, d)...), nil
}

func (w *watcher) lookAtSelector(s *corev1.Service, d Drift) []Drift {
	if len(w.req.Selector) == 0 {
		return nil
	}
	now := w.userSelector(s.Spec.Selector)
	d.Kind, d.Selector, d.Content = DriftSelector, now, labels.Set(now).String()
	d.What = fmt.Sprintf("its selector became %s", labels.Set(now))
	if d.Reaches = w.reaches(now); d.Reaches {
		d.What += ", which finds canary pods"
	}
	return w.fresh(!maps.Equal(now, w.userSelector(w.req.Selector)), d)
}

// reaches says whether a selector finds the pods of a canary that is kept out of
// the Service by a label.
func (w *watcher) reaches(selector map[string]string) bool {
	ref := w.req.Ref
	if ref.Isolation.BySelector() || len(selector) == 0 {
		return false
	}
	if canary, err := w.Cluster.Deployments(ref.Namespace).Get(ref.CanaryDeployment()); err == nil {
		return labels.SelectorFromSet(selector).Matches(labels.Set(canary.Spec.Template.Labels))
	}
	held, err := w.Cluster.Deployments(ref.Namespace).Get(ref.Workload.Name)
	if err != nil {
		return false
	}
	template := CanaryTemplate(held.Spec.Template, CanaryRequest{Ref: ref, Revision: w.req.Revision})
	return labels.SelectorFromSet(selector).Matches(labels.Set(template.Labels))
}

// lookAtNarrowing compares the key that narrows the Service with its record. A
// record that was seen and is gone was removed with the key.
func (w *watcher) lookAtNarrowing(s *corev1.Service, d Drift) []Drift {
	if !w.req.Ref.Isolation.BySelector() {
		return nil
	}
	record, err := kube.ServiceRecordOf(s)
	if err != nil || record != nil && record.ID != w.req.Ref.ID {
		return nil // every write to it says so
	}
	if record != nil {
		w.memory.Hash = record.Hash
	}
	now := s.Spec.Selector[hashKey]
	d.Kind, d.Content = DriftNarrowed, now+" instead of "+w.memory.Hash
	switch {
	case now == "":
		d.What = fmt.Sprintf("%s: %s was removed from its selector, which finds canary pods now", hashKey, w.memory.Hash)
	case w.memory.Hash == "":
		d.What = fmt.Sprintf("%s: %s was added to its selector", hashKey, now)
	default:
		d.What = fmt.Sprintf("%s in its selector became %s instead of %s", hashKey, now, w.memory.Hash)
	}
	return w.fresh(now != w.memory.Hash, d)
}

// userSelector is a selector without what is ours to add and to take away: where
// the Service is narrowed, the key that does it.
func (w *watcher) userSelector(selector map[string]string) map[string]string {
	plain := map[string]string{}
	for key, value := range selector {
		ours := key == hashKey && w.req.Ref.Isolation.BySelector()
		if !ours && !strings.HasPrefix(key, "sluice.dev/") {
			plain[key] = value
		}
	}
	return plain
}

func (w *watcher) lookAtCanaryService(ctx context.Context) ([]Drift, error) {
	ref := w.req.Ref
	d := Drift{Kind: DriftService, Object: fmt.Sprintf("Service %s/%s", ref.Namespace, ref.CanaryService()), What: "it was deleted", Content: contentGone}
	s, err := w.Cluster.Services(ref.Namespace).Get(ref.CanaryService())
	if err == nil && isOurs(s, ref) {
		w.memory.Service = true
		d.What, d.By, d.Content = "its selector or its ports were edited", lastWriter(s), kube.Mark(s)
		return w.fresh(kube.Edited(s), d), nil
	}
	gone, err := w.vanished(ctx, &w.memory.Service, func(ctx context.Context) (metav1.Object, error) {
		return w.Cluster.Client().CoreV1().Services(ref.Namespace).Get(ctx, ref.CanaryService(), metav1.GetOptions{})
	})
	if gone {
		return []Drift{d}, err
	}
	return nil, err
}

func (w *watcher) lookAtCanary(ctx context.Context) ([]Drift, error) {
	ref := w.req.Ref
	d := Drift{Kind: DriftCanary, Object: fmt.Sprintf("Deployment %s/%s", ref.Namespace, ref.CanaryDeployment()), What: "it was deleted", Content: contentGone}
	canary, err := w.Cluster.Deployments(ref.Namespace).Get(ref.CanaryDeployment())
	if err == nil && isOurs(canary, ref) {
		w.memory.Canary = true
		return w.lookAtCanaryDeployment(canary, d), nil
	}
	gone, err := w.vanished(ctx, &w.memory.Canary, func(ctx context.Context) (metav1.Object, error) {
		return w.Cluster.Client().AppsV1().Deployments(ref.Namespace).Get(ctx, ref.CanaryDeployment(), metav1.GetOptions{})
	})
	if gone {
		return []Drift{d}, err
	}
	return nil, err
}

// lookAtCanaryDeployment tells a canary that was scaled, which still runs the
// right pods, from one that runs others.
func (w *watcher) lookAtCanaryDeployment(canary *appsv1.Deployment, d Drift) []Drift {
	d.By, d.Content, d.Replicas = lastWriter(canary), kube.Mark(canary), kube.SizeOf(canary)
	edited := kube.Edited(canary)
	scaled := edited && kube.OnlyScaled(canary)
	size := d
	size.Kind, size.What = DriftCanarySize, fmt.Sprintf("it was scaled to %d", d.Replicas)
	d.What = "its images or its pause were edited"
	return append(w.fresh(scaled, size), w.fresh(edited && !scaled, d)...)
}

// isOurs says whether an object belongs to the rollout and is there to stay.
func isOurs(o metav1.Object, ref release.Ref) bool {
	return o.GetLabels()[release.LabelRollout] == ref.ID && o.GetDeletionTimestamp() == nil
}

// vanished says whether an object that was seen is not there any more, and asks
// the API server: the cache of a worker that has just started may be behind.
func (w *watcher) vanished(ctx context.Context, seen *bool, read func(context.Context) (metav1.Object, error)) (bool, error) {
	if !*seen {
		return false, nil
	}
	live, err := read(ctx)
	if err != nil && !apierrors.IsNotFound(err) {
		return false, kube.Failure(err, "looking for an object of the rollout")
	}
	if err == nil && isOurs(live, w.req.Ref) {
		return false, nil
	}
	*seen = false
	return true, nil
}
