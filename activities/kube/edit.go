package kube

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/release"
)

// OpenWorkload returns the workload of ref if the rollout is open on it: it
// carries the record of this rollout, and no later operation has marked it. The
// cache is asked first, the API server before it says no, which is an error of
// type Superseded. More conditions may be given; they are asked in the same way.
// Operations that create objects ask it first, so that a late one leaves nothing
// behind.
func (c *Cluster) OpenWorkload(ctx context.Context, ref release.Ref, conditions ...func(*appsv1.Deployment) error) (*appsv1.Deployment, error) {
	var problem error
	for _, live := range []bool{false, true} {
		d, err := c.readDeployment(ctx, ref, nil, live)
		if err != nil {
			return nil, Failure(err, fmt.Sprintf("reading Deployment %s/%s", ref.Namespace, ref.Workload.Name))
		}
		problem = open(d, ref)
		for _, condition := range conditions {
			if problem == nil {
				problem = condition(d)
			}
		}
		if problem == nil {
			return d, nil
		}
	}
	return nil, problem
}

func open(d *appsv1.Deployment, ref release.Ref) error {
	record, err := RecordOf(d)
	if err != nil {
		return err
	}
	if record == nil {
		return Terminal(ErrSuperseded, "reading Deployment %s/%s: rollout %s is not open on it (no annotation %s): nothing is to be done",
			d.Namespace, d.Name, ref.ID, release.AnnotationRelease)
	}
	return fenceWorkload(d, ref)
}

// maxTries bounds how often a write that meets others is evaluated again; what
// is not settled then is left to the retries of the activity.
const maxTries = 5

// Edit decides what to change on an object that it reads. An empty patch means
// that the object is as it should be. It may be called several times, with
// newer versions, and must not change the object.
type Edit func(d *appsv1.Deployment) (Patch, error)

// Editing says how a Deployment is read and written.
type Editing struct {
	// From is an answer of the API server to begin with, instead of the cache. It
	// has what the cache does not keep, such as the fields of managers.
	From *appsv1.Deployment
	// Tested says that the patch tests itself what it relies on. It is not bound
	// to the version that edit saw, so that a new status does not get in its way.
	Tested bool
}

// EditDeployment changes the workload of ref, an object of the user, by a JSON
// patch that applies to exactly the version that edit saw. It reads the cache
// first; that nothing is to be done, or that it is an error, it believes from a
// live read only. It returns the Deployment as it is then, as the API server
// answered, and whether it wrote. A write that a later operation has overtaken
// fails with type Superseded.
func (c *Cluster) EditDeployment(ctx context.Context, ref release.Ref, how Editing, edit Edit) (*appsv1.Deployment, bool, error) {
	doing := fmt.Sprintf("changing Deployment %s/%s", ref.Namespace, ref.Workload.Name)
	given, live := how.From, how.From != nil
	for range maxTries {
		d, err := c.readDeployment(ctx, ref, given, live)
		given = nil
		if err != nil {
			return nil, false, Failure(err, doing)
		}
		patch, err := evaluate(d, ref, edit)
		switch {
		case (err != nil || len(patch) == 0) && live:
			return d, false, err
		case err != nil || len(patch) == 0:
			live = true
			continue
		}
		if !how.Tested {
			patch = patch.lock(d.ResourceVersion)
		}
		written, err := c.patchDeployment(ctx, d, patch, nil)
		if err == nil {
			return written, true, nil
		}
		if !IsConflict(err) {
			return nil, false, Failure(err, doing)
		}
		live = true
	}
	return nil, false, Retryable(ErrConflict, "%s: it is being written to by others all the time, it will be tried again", doing)
}

// evaluate asks edit what to do, behind the fence.
func evaluate(d *appsv1.Deployment, ref release.Ref, edit Edit) (Patch, error) {
	if err := fenceWorkload(d, ref); err != nil {
		return nil, err
	}
	return edit(d)
}

// readDeployment returns the workload: what was given, or from the cache, or from
// the API server where asked or where the cache does not know it.
func (c *Cluster) readDeployment(ctx context.Context, ref release.Ref, given *appsv1.Deployment, live bool) (*appsv1.Deployment, error) {
	if given != nil {
		return given, nil
	}
	if !live {
		d, err := c.Deployments(ref.Namespace).Get(ref.Workload.Name)
		if err == nil || !apierrors.IsNotFound(err) {
			return d, err
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return c.client.AppsV1().Deployments(ref.Namespace).Get(ctx, ref.Workload.Name, metav1.GetOptions{})
}

// DryRunDeployment returns what the API server would make of a patch: defaulted,
// validated and passed through admission, not stored.
func (c *Cluster) DryRunDeployment(ctx context.Context, d *appsv1.Deployment, patch Patch) (*appsv1.Deployment, error) {
	return c.patchDeployment(ctx, d, patch.lock(d.ResourceVersion), []string{metav1.DryRunAll})
}

func (c *Cluster) patchDeployment(ctx context.Context, d *appsv1.Deployment, patch Patch, dryRun []string) (*appsv1.Deployment, error) {
	data, err := patch.encode()
	if err != nil {
		return nil, err
	}
	return c.client.AppsV1().Deployments(d.Namespace).Patch(ctx, d.Name, types.JSONPatchType, data,
		metav1.PatchOptions{FieldManager: release.FieldManager, DryRun: dryRun})
}

// LiveReplicaSet returns a ReplicaSet with its template: from the cache while
// it has replicas, else from the API server.
func (c *Cluster) LiveReplicaSet(ctx context.Context, namespace, name string) (*appsv1.ReplicaSet, error) {
	rs, err := c.ReplicaSets(namespace).Get(name)
	if err == nil && len(rs.Spec.Template.Spec.Containers) > 0 {
		return rs, nil
	}
	rs, err = c.client.AppsV1().ReplicaSets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, Failure(err, fmt.Sprintf("reading ReplicaSet %s/%s", namespace, name))
	}
	return rs, nil
}
