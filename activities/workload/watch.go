package workload

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// WatchWorkload waits until somebody else changes the workload, and returns what
// it is then: its replicas, its template, its pause, or that it is gone. Labels
// of controllers in the template are no change. It reads the cache only.
func (a *Activities) WatchWorkload(ctx context.Context, req WatchRequest) (Changed, error) {
	var found Changed
	var last *appsv1.Deployment
	wait := kube.Wait{Namespace: req.Ref.Namespace, Beat: kube.Beat(ctx), Topics: []kube.Topic{kube.AboutWorkload(req.Ref.Workload.Name)}}
	err := a.Cluster.AwaitState(ctx, wait, func() (kube.State, error) {
		d, err := a.Cluster.Deployments(req.Ref.Namespace).Get(req.Ref.Workload.Name)
		if apierrors.IsNotFound(err) {
			found.Gone, err = a.gone(ctx, req.Ref)
			return kube.State{Done: found.Gone}, err
		}
		if err != nil {
			return kube.State{}, fmt.Errorf("reading the cache: %w", err)
		}
		// Most wakes are about pods; the hash of the template is not for free.
		if d == last || !kube.AtLeast(d, req.Version) {
			return kube.State{}, nil
		}
		last = d
		found = stateOf(d)
		return kube.State{Done: found.differs(req)}, nil
	})
	if err != nil {
		return Changed{}, err
	}
	return found, nil
}

// gone asks the API server whether the workload was deleted.
func (a *Activities) gone(ctx context.Context, ref release.Ref) (bool, error) {
	_, err := a.Cluster.Client().AppsV1().Deployments(ref.Namespace).Get(ctx, ref.Workload.Name, metav1.GetOptions{})
	err = kube.Failure(err, fmt.Sprintf("reading Deployment %s/%s", ref.Namespace, ref.Workload.Name))
	if kube.IsType(err, kube.ErrNotFound) {
		return true, nil
	}
	return false, err
}

func stateOf(d *appsv1.Deployment) Changed {
	return Changed{
		Replicas: int(replicas(d)),
		Revision: Revision(d.Spec.Template),
		Paused:   d.Spec.Paused,
		Version:  d.ResourceVersion,
		Images:   Images(d.Spec.Template),
		By:       lastWriter(d),
	}
}

func (c Changed) differs(req WatchRequest) bool {
	return c.Replicas != req.Replicas || c.Revision != req.Revision || c.Paused != req.Paused
}

// lastWriter names the manager that wrote the specification last, apart from the
// Deployment controller, which only writes its own annotation. Times are whole
// seconds: of two in the same one it is the other, not us.
func lastWriter(d *appsv1.Deployment) string {
	var last metav1.ManagedFieldsEntry
	for _, e := range d.ManagedFields {
		controller := e.Manager == "kube-controller-manager" && e.Subresource == ""
		if controller || e.Subresource == "status" || e.Time == nil {
			continue
		}
		tie := last.Time != nil && last.Time.Equal(e.Time) && last.Manager == release.FieldManager
		if last.Time == nil || last.Time.Before(e.Time) || tie {
			last = e
		}
	}
	return last.Manager
}
