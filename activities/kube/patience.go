package kube

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
)

// source is what every typed client has for reading.
type source[L runtime.Object] interface {
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
}

// patientSource lists and watches through an outage of the API server. The
// informers' own pauses grow to a minute, so that a rollout would stand still
// that long after the API server is back; and they cannot be configured.
type patientSource[L runtime.Object] struct {
	source source[L]
	note   func(error)
}

// pauses between the tries of one request: a tenth of a second to two seconds,
// so that a cache is fresh two seconds after an outage at the latest, and an API
// server that starts is not overrun.
func pauses() wait.Backoff {
	return wait.Backoff{Duration: 100 * time.Millisecond, Factor: 1.7, Jitter: 0.5, Steps: 7, Cap: 2 * time.Second}
}

func (p *patientSource[L]) list(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
	return persist(ctx, p.note, func() (runtime.Object, error) { return p.source.List(ctx, opts) })
}

func (p *patientSource[L]) watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	return persist(ctx, p.note, func() (watch.Interface, error) { return p.source.Watch(ctx, opts) })
}

// persist repeats a request until it is answered. The first failure is told.
func persist[T any](ctx context.Context, note func(error), request func() (T, error)) (T, error) {
	pause, told := pauses(), false
	for {
		answer, err := request()
		if err == nil || !outage(err) || ctx.Err() != nil {
			return answer, err
		}
		if !told {
			note(err)
			told = true
		}
		timer := time.NewTimer(pause.Step())
		select {
		case <-ctx.Done():
			timer.Stop()
			return answer, fmt.Errorf("waiting for the API server: %w", context.Cause(ctx))
		case <-timer.C:
		}
	}
}

// outage tells an API server that is away, starting or overloaded from an
// answer. One that is starting forbids what it will allow in a moment. Answers
// about the version of a watch are for the informer.
func outage(err error) bool {
	status, answered := statusOf(err)
	switch {
	case !answered:
		return true
	case apierrors.IsResourceExpired(err), apierrors.IsGone(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err),
		apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge):
		return false
	}
	return status.Code >= 400
}
