package traffic

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// The types of the errors of this package, beside those of package kube.
const (
	// ErrUnsupported is a route that the gateway cannot express; never retried.
	ErrUnsupported = "Unsupported"
	// ErrUnready is a route that was not written since endpoints are missing;
	// retried.
	ErrUnready = "Unready"
	// ErrUnconfirmed is a change that the gateway has not taken in time; retried.
	ErrUnconfirmed = "Unconfirmed"
)

// unready says what a route was waiting for when the time was over.
type unready struct {
	progress string
	cause    error
}

func (u *unready) Error() string { return u.progress }

func (u *unready) Unwrap() error { return u.cause }

// failure turns an error into one that Temporal retries or does not. What is
// cancelled stays so: nobody waits for its reason.
func failure(err error, ref release.Ref) error {
	var app *temporal.ApplicationError
	var unsupported *UnsupportedError
	var missing *unready
	route := fmt.Sprintf("the route of Ingress %s/%s", ref.Namespace, ref.Ingress)
	switch {
	case errors.As(err, &app) && app.Type() == kube.ErrRefused:
		// A canary Ingress that is not ours: somebody has put it there since the
		// preflight.
		return kube.Terminal(kube.ErrDrift, "%s", app.Message())
	case errors.As(err, &app):
		return app
	case errors.As(err, &unsupported):
		return kube.Terminal(ErrUnsupported, "rendering %s: %w", route, err)
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &missing):
		return again(ErrUnready, fmt.Errorf("setting %s: %w", route, err))
	default:
		return again(ErrUnconfirmed, fmt.Errorf("confirming %s: %w", route, err))
	}
}

// again returns an error that is tried again, but not in what is left of a time
// that is over: an attempt as short as that would find nothing out, and its error
// would take the place of this one.
func again(errType string, err error) error {
	var options temporal.ApplicationErrorOptions
	if errors.Is(err, context.DeadlineExceeded) {
		options.NextRetryDelay = lastWords
	}
	return temporal.NewApplicationErrorWithOptions(err.Error(), errType, options)
}

// lastWords is the time that an activity keeps back from its deadline, so that
// its failure can say what was missing: a timeout of the server says nothing.
const lastWords = 500 * time.Millisecond

// working returns the context of an activity's work: it ends a little before the
// activity does, and when the worker stops, so that another worker goes on.
func working(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancelCause(ctx)
	if activity.IsActivity(ctx) {
		stopping := activity.GetWorkerStopChannel(ctx)
		go func() {
			select {
			case <-stopping:
				stop(kube.Retryable(kube.ErrWorkerStopping, "the worker is stopping, another one goes on"))
			case <-ctx.Done():
			}
		}()
	}
	if deadline, ok := ctx.Deadline(); ok {
		early := min(lastWords, time.Until(deadline)/10)
		limited, cancel := context.WithDeadline(ctx, deadline.Add(-early))
		return limited, func() { cancel(); stop(nil) }
	}
	return ctx, func() { stop(nil) }
}
