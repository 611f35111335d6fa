package workload

import (
	"context"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// RemoveCanary stops the canary pods when no route leads to them any more, and
// removes what runs them. From then on no earlier operation can make canary pods
// or narrow the user's Service. It returns when the pods are gone. It is
// idempotent. It fails with type Drift while the user's Service sends requests
// to them.
func (a *Activities) RemoveCanary(ctx context.Context, req RemoveRequest) (Pods, error) {
	if err := a.fence(ctx, req.Ref); err != nil {
		return Pods{}, err
	}
	for _, step := range []func(context.Context, release.Ref) error{a.awaitNoRoute, a.removeCanary} {
		if err := step(ctx, req.Ref); err != nil {
			return Pods{}, err
		}
	}
	return Pods{}, nil
}

// fence marks the workload, so that operations before this one fail. Where it is
// gone, or not marked, there is nothing that they would write.
func (a *Activities) fence(ctx context.Context, ref release.Ref) error {
	_, _, err := a.Cluster.EditDeployment(ctx, ref, kube.Editing{}, func(d *appsv1.Deployment) (kube.Patch, error) {
		record, err := kube.RecordOf(d)
		if err != nil || record == nil || record.Seq == ref.Seq {
			return nil, err
		}
		record.Seq = ref.Seq
		var p kube.Patch
		err = setRecord(&p, d, *record)
		return p, err
	})
	if kube.IsType(err, kube.ErrNotFound) {
		return nil
	}
	return err
}

// checkApart refuses to stop canary pods that the user's Service sends requests
// to beside others. Where there are no others, keeping them helps nobody.
func (a *Activities) checkApart(ref release.Ref) error {
	var canary, others []string
	for _, e := range a.Cluster.Endpoints(ref.Namespace, ref.Service) {
		p, err := a.Cluster.Pods(ref.Namespace).Get(e.Pod)
		switch {
		case !e.Ready || err != nil:
		case p.Labels[release.LabelRollout] == ref.ID && p.DeletionTimestamp == nil:
			canary = append(canary, e.Pod)
		default:
			others = append(others, e.Pod)
		}
	}
	if len(canary) == 0 || len(others) == 0 {
		return nil
	}
	if !ref.Isolation.BySelector() {
		return kube.Terminal(kube.ErrDrift, "removing the canary: Service %s/%s selects %s, which label %s: %s keeps out of it: somebody changed its selector: let it select by the %s of the workload again, and it goes on",
			ref.Namespace, ref.Service, slices.Min(canary), ref.Isolation.Key, ref.Isolation.Value, ref.Isolation.Key)
	}
	hash := "<pod-template-hash of the pods to keep>"
	if p, err := a.Cluster.Pods(ref.Namespace).Get(others[0]); err == nil {
		hash = p.Labels[hashKey]
	}
	return kube.Terminal(kube.ErrDrift, "removing the canary: Service %s/%s selects %s although it was narrowed: somebody changed its selector: add %s: %s to spec.selector, and it goes on",
		ref.Namespace, ref.Service, slices.Min(canary), hashKey, hash)
}

// forgetService takes our marks from the user's Service, and then, because every
// write of a field makes one, our entry among the managers of fields.
func (a *Activities) forgetService(ctx context.Context, ref release.Ref) error {
	for _, edit := range []func(*corev1.Service) (kube.Patch, error){unmarkService, disownService} {
		_, err := a.Cluster.EditService(ctx, ref, true, edit)
		if kube.IsType(err, kube.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unmarkService removes record and label from a Service that is not narrowed any
// more.
func unmarkService(s *corev1.Service) (kube.Patch, error) {
	record, err := kube.ServiceRecordOf(s)
	if err != nil {
		return nil, err
	}
	if have, ok := s.Spec.Selector[hashKey]; ok && record != nil && record.Hash == have {
		return nil, kube.Terminal(kube.ErrDrift, "releasing %s: it is still narrowed to %s: %s: run sluice repair", serviceName(s), hashKey, have)
	}
	var p kube.Patch
	if record != nil {
		p.Remove("metadata", "annotations", release.AnnotationRelease)
	}
	if _, ok := s.Labels[release.LabelSelected]; ok {
		p.Remove("metadata", "labels", release.LabelSelected)
	}
	return p, nil
}

func disownService(s *corev1.Service) (kube.Patch, error) {
	return disown(s.ManagedFields), nil
}

// disown removes our entries among the managers of fields, the last first, so
// that the places of the others stay.
func disown(entries []metav1.ManagedFieldsEntry) kube.Patch {
	var p kube.Patch
	for i, entry := range slices.Backward(entries) {
		if entry.Manager == release.FieldManager && entry.Operation == metav1.ManagedFieldsOperationUpdate {
			p.Test(release.FieldManager, "metadata", "managedFields", strconv.Itoa(i), "manager")
			p.Remove("metadata", "managedFields", strconv.Itoa(i))
		}
	}
	return p
}
