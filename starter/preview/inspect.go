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
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/traffic/gateway"
)

// syncTimeout bounds the first look at the namespace.
const syncTimeout = 10 * time.Second

// unknownGateway is said of a gateway that the settings here do not name.
const unknownGateway = "whatever the worker's settings say: name the gateway as there, with --gateway, to see it"

// Inspect runs the preflight of the workflow against a cluster. It only reads;
// what it asks to be written, it asks as a dry run. Gateways are those that the
// settings name, by class; no request is sent through them.
func Inspect(ctx context.Context, clients kubernetes.Interface, gateways map[string]gateway.Config, request preflight.InspectRequest) (preflight.Observed, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cluster := kube.New(kube.Options{
		Client: clients, Namespaces: []string{request.Rollout.Namespace},
		SyncTimeout: syncTimeout, Logger: slog.New(slog.DiscardHandler),
	})
	if err := cluster.Start(ctx); err != nil {
		return preflight.Observed{}, fmt.Errorf("looking at namespace %s: %w", request.Rollout.Namespace, err)
	}
	checks := &preflight.Activities{Cluster: cluster}
	_, named := gateways[request.Rollout.Traffic.Ingress.Class]
	if named {
		known, err := gateway.New(gateways, cluster, nil)
		if err != nil {
			return preflight.Observed{}, err
		}
		checks.Gateway = traffic.Checker{Gateways: known}
	}
	observed, err := checks.InspectRelease(ctx, request)
	if !named {
		observed.Confirm = unknownGateway
	}
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
