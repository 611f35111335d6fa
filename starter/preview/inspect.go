package preview

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/temporal"
	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/preflight"
)

// syncTimeout bounds the first look at the namespace.
const syncTimeout = 10 * time.Second

// Inspect runs the preflight of the workflow against a cluster. It only reads;
// what it asks to be written, it asks as a dry run.
func Inspect(ctx context.Context, clients kubernetes.Interface, request preflight.InspectRequest) (preflight.Observed, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cluster := kube.New(kube.Options{
		Client: clients, Namespaces: []string{request.Rollout.Namespace},
		SyncTimeout: syncTimeout, Logger: slog.New(slog.DiscardHandler),
	})
	if err := cluster.Start(ctx); err != nil {
		return preflight.Observed{}, fmt.Errorf("looking at namespace %s: %w", request.Rollout.Namespace, err)
	}
	observed, err := (&preflight.Activities{Cluster: cluster}).InspectRelease(ctx, request)
	return observed, plain(err)
}

// plain takes a refusal out of the wrapper that Temporal needs.
func plain(err error) error {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return errors.New(app.Message())
	}
	return err
}
