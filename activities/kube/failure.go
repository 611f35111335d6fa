package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.temporal.io/sdk/temporal"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The types of the errors that activities return, for the failure policy.
const (
	// ErrRefused is a release that cannot end well; never retried.
	ErrRefused = "Refused"
	// ErrForbidden is a missing right or a full quota. It is retried: an API
	// server that has just started forbids everything for a moment, and rights
	// and quotas are granted while a rollout waits.
	ErrForbidden = "Forbidden"
	// ErrInvalid is an object that the API server will never accept.
	ErrInvalid = "Invalid"
	// ErrNotFound is an object that must exist and does not; never retried.
	ErrNotFound = "NotFound"
	// ErrSuperseded is an operation that a later one has overtaken; never
	// retried.
	ErrSuperseded = "Superseded"
	// ErrDrift is a state that somebody else has made; never retried.
	ErrDrift = "Drift"
	// ErrScaled is a workload that has another size than it was planned for; its
	// details are a Size. Never retried: it is planned anew.
	ErrScaled = "Scaled"
	// ErrRouted is a canary Ingress that is there although the route was removed: the
	// API server has created it late. Never retried: it is planned anew.
	ErrRouted = "Routed"
	// ErrConflict is a write that met another one too often; retried.
	ErrConflict = "Conflict"
	// ErrUnavailable is an API server that cannot be reached or is overloaded;
	// retried.
	ErrUnavailable = "Unavailable"
	// ErrWorkerStopping ends a wait so that another worker goes on; retried.
	ErrWorkerStopping = "WorkerStopping"
)

// Terminal returns an error of the given type that Temporal does not retry.
func Terminal(errType, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return temporal.NewNonRetryableApplicationError(err.Error(), errType, nil)
}

// Retryable returns an error of the given type that Temporal retries.
func Retryable(errType, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return temporal.NewApplicationError(err.Error(), errType)
}

// IsType reports whether err is, or wraps, an error of the given type.
func IsType(err error, errType string) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == errType
}

// Failure turns an error of the Kubernetes API into one that Temporal retries
// or does not. Doing says what was tried, as gerund and object: "creating
// Service shop/web-canary". Errors of this package and of ctx pass unchanged,
// nil stays nil.
func Failure(err error, doing string) error {
	var app *temporal.ApplicationError
	switch {
	case err == nil, errors.As(err, &app), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case IsConflict(err):
		return Retryable(ErrConflict, "%s: %w: somebody else writes to it, it will be tried again", doing, err)
	case isObjectNotFound(err):
		return Terminal(ErrNotFound, "%s: %w: restore it or abort the rollout", doing, err)
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return Retryable(ErrForbidden, "%s: %w: grant the worker this right, or make room in the quota", doing, err)
	case isRejected(err):
		return Terminal(ErrInvalid, "%s: %w: correct what is named and start again", doing, err)
	}
	return Retryable(ErrUnavailable, "%s: %w", doing, err)
}

// IsConflict reports whether a write met another one: the resourceVersion of an
// update, the test operation of a JSON patch, or a name that has just been
// taken. The API server answers a failed test with 422 and, unlike to an
// invalid object, names neither kind nor cause.
func IsConflict(err error) bool {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return true
	}
	status, ok := statusOf(err)
	if !ok || status.Code != http.StatusUnprocessableEntity {
		return false
	}
	return status.Details == nil || (status.Details.Kind == "" && len(status.Details.Causes) == 0)
}

// isObjectNotFound tells a missing object from a missing API: a server that has
// not finished its start answers the latter.
func isObjectNotFound(err error) bool {
	status, ok := statusOf(err)
	return ok && apierrors.IsNotFound(err) && status.Details != nil && status.Details.Name != ""
}

func isRejected(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsMethodNotSupported(err) ||
		apierrors.IsNotAcceptable(err) || apierrors.IsUnsupportedMediaType(err) || apierrors.IsRequestEntityTooLargeError(err)
}

func statusOf(err error) (metav1.Status, bool) {
	var api apierrors.APIStatus
	if !errors.As(err, &api) {
		return metav1.Status{}, false
	}
	return api.Status(), true
}

// Stopping is the error of a wait that ends because the worker does.
func Stopping() error {
	return temporal.NewApplicationErrorWithOptions("the worker is stopping, another one goes on", ErrWorkerStopping,
		temporal.ApplicationErrorOptions{NextRetryDelay: 10 * time.Millisecond, Category: temporal.ApplicationErrorCategoryBenign})
}

// listRemedy says what to do about a list that is refused.
func listRemedy(err error, resource, scope string) string {
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("grant the service account of the worker get, list and watch on %s %s, or name the namespaces that it may watch", resource, scope)
	case apierrors.IsUnauthorized(err):
		return "check the credentials of the worker"
	}
	return ""
}
