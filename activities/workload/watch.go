package workload

import (
	"context"
	"fmt"
	"maps"

	"go.temporal.io/sdk/activity"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// WatchWorkload waits until somebody else changes the workload, and returns what
// it is then: its replicas, its template, its pause, or that it is gone. Labels
// of controllers in the template are no change. Where it is asked for, changes
// of the other objects of the rollout end the wait, too. It reads the cache, and
// the API server before it says that something is gone. While nothing has changed
// it is pending: it takes no slot of the worker.
func (a *Activities) WatchWorkload(ctx context.Context, req WatchRequest) (Changed, error) {
	w := newWatcher(ctx, a, req)
	found, err := a.Watches.Await(ctx, w, func(wake func()) func() {
		return a.Cluster.Follow(req.Ref.Namespace, w.topics(), wake)
	})
	changed, _ := found.(Changed)
	return changed, err //nolint:wrapcheck // the SDK compares it with the error that says that it is pending
}

// watcher is one watch, a pending.Watch; its memory outlives the worker in
// heartbeats.
type watcher struct {
	*Activities
	req    WatchRequest
	last   *appsv1.Deployment
	memory memory
}

// memory is what a watch has seen: only what was there can be missing.
type memory struct {
	Routed  bool                 `json:"routed,omitempty"`
	Service bool                 `json:"service,omitempty"`
	Canary  bool                 `json:"canary,omitempty"`
	Hash    string               `json:"hash,omitempty"`
	Known   map[DriftKind]string `json:"known,omitempty"`
}

func newWatcher(ctx context.Context, a *Activities, req WatchRequest) *watcher {
	w := &watcher{Activities: a, req: req}
	w.memory = memory{Routed: req.Routed, Service: req.Canary, Canary: req.Canary, Known: maps.Clone(req.Known)}
	if activity.HasHeartbeatDetails(ctx) {
		var earlier memory
		// Heartbeats of earlier releases were a text; they tell nothing.
		if activity.GetHeartbeatDetails(ctx, &earlier) == nil {
			w.memory = earlier
		}
	}
	if w.memory.Known == nil {
		w.memory.Known = map[DriftKind]string{}
	}
	return w
}

// Look says what has changed, and whether anything has.
func (w *watcher) Look(ctx context.Context) (any, bool, error) {
	found, done, err := w.look(ctx)
	return found, done, err
}

// Memory is what was seen, for the heartbeat.
func (w *watcher) Memory() any {
	seen := w.memory
	seen.Known = maps.Clone(seen.Known)
	return seen
}

func (w *watcher) topics() []kube.Topic {
	ref := w.req.Ref
	topics := []kube.Topic{kube.AboutWorkload(ref.Workload.Name)}
	if w.objects() {
		topics = append(topics, kube.AboutWorkload(ref.CanaryDeployment()),
			kube.AboutService(ref.Service), kube.AboutService(ref.CanaryService()),
			kube.AboutIngress(ref.Ingress), kube.AboutIngress(ref.CanaryIngress()))
	}
	return topics
}

// objects says whether the other objects are looked at.
func (w *watcher) objects() bool { return w.req.Objects && w.Routes != nil }

// look says what has changed, and whether anything has.
func (w *watcher) look(ctx context.Context) (Changed, bool, error) {
	found, done, err := w.lookAtWorkload(ctx)
	if err != nil || !w.objects() || found.Gone {
		return found, done, err
	}
	drifts, err := w.lookAtObjects(ctx)
	if err != nil || len(drifts) == 0 {
		return found, done, err
	}
	if !done {
		found = Changed{}
	}
	found.Drifts = drifts
	return found, true, nil
}

func (w *watcher) lookAtWorkload(ctx context.Context) (Changed, bool, error) {
	d, err := w.Cluster.Deployments(w.req.Ref.Namespace).Get(w.req.Ref.Workload.Name)
	if apierrors.IsNotFound(err) {
		gone, err := w.gone(ctx, w.req.Ref)
		return Changed{Gone: gone}, gone, err
	}
	if err != nil {
		return Changed{}, false, fmt.Errorf("reading the cache: %w", err)
	}
	// Most wakes are about pods; the hash of the template is not for free.
	if d == w.last || !kube.AtLeast(d, w.req.Version) {
		return Changed{}, false, nil
	}
	w.last = d
	found := stateOf(d)
	if record, err := kube.RecordOf(d); err == nil && record != nil && record.Promoting {
		// Its template and its pause are the rollout's own doing now, and what others
		// do to them is seen by the operation that replaces its pods.
		return found, found.Replicas != w.req.Replicas, nil
	}
	return found, found.differs(w.req), nil
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
		Replicas: kube.SizeOf(d),
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

// lastWriter names the manager that wrote an object last, apart from the
// Deployment controller, which only writes its own annotation. Times are whole
// seconds: of two in the same one it is the other, not us.
func lastWriter(o metav1.Object) string {
	var last metav1.ManagedFieldsEntry
	for _, e := range o.GetManagedFields() {
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
