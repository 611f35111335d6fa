package kube

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/activities/release"
)

// Own says how an object of ours is written.
type Own struct {
	// Fence marks the object with the sequence of this operation even if nothing
	// else is to be changed, so that an earlier operation that is still under way
	// loses. It costs a write; take it where a late write would harm.
	Fence bool
	// TrustCache believes the cache that nothing is to be done. Take it only
	// where every operation of a rollout writes the same.
	TrustCache bool
}

// object is a typed object of the API.
type object interface {
	comparable
	metav1.Object
	runtime.Object
}

// writer is what every typed client has.
type writer[T object] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (T, error)
	Create(ctx context.Context, obj T, opts metav1.CreateOptions) (T, error)
	Update(ctx context.Context, obj T, opts metav1.UpdateOptions) (T, error)
	Delete(ctx context.Context, name string, opts metav1.DeleteOptions) error
}

// lister is what every typed lister of one namespace has.
type lister[T object] interface {
	Get(name string) (T, error)
}

// resource is one kind of object of ours in one namespace.
type resource[T object] struct {
	kind   string
	client writer[T]
	cached lister[T]
	make   func() T
}

// ensure creates an object of ours, or changes it to what mutate makes of it. It
// creates only what is missing from the beginning: one that vanishes meanwhile
// may have been removed by the end of the rollout, and an activity that is tried
// again asks for that first.
func ensure[T object](ctx context.Context, r resource[T], ref release.Ref, name string, how Own, mutate func(T)) (T, bool, error) {
	var none T
	doing := fmt.Sprintf("writing %s %s/%s", r.kind, ref.Namespace, name)
	live := false
	for range maxTries {
		old, err := r.read(ctx, name, live)
		if err != nil {
			return none, false, Failure(err, doing)
		}
		if ctx.Err() != nil {
			return none, false, context.Cause(ctx)
		}
		if old == none && live {
			return none, false, Retryable(ErrConflict, "%s: somebody deleted it meanwhile, it will be tried again", doing)
		}
		next, changed, err := r.plan(old, ref, name, how, mutate)
		if err != nil && live {
			return none, false, err
		}
		if err == nil && !changed && (live || how.TrustCache) {
			return old, false, nil
		}
		if err != nil || !changed {
			live = true
			continue
		}
		written, err := r.write(ctx, old, next)
		if err == nil {
			return written, true, nil
		}
		if !IsConflict(err) && !isObjectNotFound(err) {
			return none, false, Failure(err, doing)
		}
		live = true
	}
	return none, false, Retryable(ErrConflict, "%s: it is being written to by others all the time, it will be tried again", doing)
}

// read returns the object, or the zero value if there is none.
func (r resource[T]) read(ctx context.Context, name string, live bool) (T, error) {
	var none T
	var obj T
	var err error
	if live {
		obj, err = r.client.Get(ctx, name, metav1.GetOptions{})
	} else {
		obj, err = r.cached.Get(name)
	}
	if apierrors.IsNotFound(err) && (!live || isObjectNotFound(err)) {
		return none, nil
	}
	return obj, err
}

// plan makes the object that should be; changed is false if old is that one.
// An object that is on its way out counts as one that cannot be written now.
func (r resource[T]) plan(old T, ref release.Ref, name string, how Own, mutate func(T)) (next T, changed bool, err error) {
	var none T
	if old == none {
		next = r.make()
		next.SetNamespace(ref.Namespace)
		next.SetName(name)
		mutate(next)
		stamp(next, ref)
		return next, true, nil
	}
	if err := fenceOwn(r.kind, old, ref); err != nil {
		return none, false, err
	}
	if old.GetDeletionTimestamp() != nil {
		return none, false, Retryable(ErrConflict, "writing %s %s/%s: it is being deleted, it will be tried again", r.kind, ref.Namespace, name)
	}
	next, _ = old.DeepCopyObject().(T)
	mutate(next)
	seq := SeqOf(old)
	stamp(next, withSeq(ref, seq))
	changed = !apiequality.Semantic.DeepEqual(old, next) || (how.Fence && seq < ref.Seq)
	stamp(next, ref)
	return next, changed, nil
}

// write creates or updates. The entries of managers are left out: the cache
// does not keep them whole, and the API server keeps its own then.
func (r resource[T]) write(ctx context.Context, old, next T) (T, error) {
	var none T
	if old == none {
		return r.client.Create(ctx, next, metav1.CreateOptions{FieldManager: release.FieldManager})
	}
	next.SetManagedFields(nil)
	return r.client.Update(ctx, next, metav1.UpdateOptions{FieldManager: release.FieldManager})
}

// remove deletes an object of ours; what it controls is deleted after it. It
// reports whether there was one: an object of that name that is not of this
// rollout is none.
func remove[T object](ctx context.Context, r resource[T], ref release.Ref, name string) (bool, error) {
	var none T
	doing := fmt.Sprintf("deleting %s %s/%s", r.kind, ref.Namespace, name)
	obj, err := r.read(ctx, name, false)
	if err == nil && (obj == none || fenceOwn(r.kind, obj, ref) != nil) {
		obj, err = r.read(ctx, name, true)
	}
	if err != nil {
		return false, Failure(err, doing)
	}
	if obj == none || obj.GetLabels()[release.LabelRollout] != ref.ID {
		return false, nil
	}
	if err := fenceOwn(r.kind, obj, ref); err != nil {
		return false, err
	}
	if obj.GetDeletionTimestamp() != nil {
		return true, nil
	}
	uid, policy := obj.GetUID(), metav1.DeletePropagationBackground
	err = r.client.Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &policy})
	if isObjectNotFound(err) {
		return true, nil
	}
	return true, Failure(err, doing)
}

// stamp puts our marks on an object.
func stamp(obj metav1.Object, ref release.Ref) {
	labels := obj.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[release.LabelRollout] = ref.ID
	labels[release.LabelWorkload] = LabelValue(ref.Workload.Name)
	obj.SetLabels(labels)
	annotations := obj.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[release.AnnotationSeq] = strconv.FormatInt(ref.Seq, 10)
	obj.SetAnnotations(annotations)
	if mark := Mark(obj); mark != "" {
		annotations[release.AnnotationMark] = mark
		obj.SetAnnotations(annotations)
	}
}

func withSeq(ref release.Ref, seq int64) release.Ref {
	ref.Seq = seq
	return ref
}

// maxLabel is the longest value of a label.
const maxLabel = 63

// LabelValue returns a name as the value of a label: cut and made unique by a
// hash where it is too long.
func LabelValue(name string) string {
	if len(name) <= maxLabel {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	mark := "-" + hex.EncodeToString(sum[:4])
	return name[:maxLabel-len(mark)] + mark
}
