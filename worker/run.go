package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/janitor"
	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/pending"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/activities/traffic/gateway/configured"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config/settings"
	"sluice.dev/sluice/workflows"
)

// run works until the context ends, then lets activities finish.
func run(ctx context.Context, s settings.Settings, log *slog.Logger) error {
	slog.SetDefault(log)
	metrics, err := newTelemetry()
	if err != nil {
		return err
	}
	var serving servers
	defer serving.close()
	if err := serving.open(ctx, s.Worker, metrics); err != nil {
		return err
	}
	cluster, err := openCluster(ctx, s, log)
	if err != nil {
		return err
	}
	temporal, err := dial(ctx, s, log, metrics)
	if err != nil {
		return err
	}
	defer temporal.Close()
	gateways, err := gateway.New(configured.Gateways(s), cluster, nil)
	if err != nil {
		return err
	}
	return work(ctx, s, temporal, cluster, gateways, metrics, log)
}

// openCluster connects to Kubernetes and fills the caches.
func openCluster(ctx context.Context, s settings.Settings, log *slog.Logger) (*kube.Cluster, error) {
	config, _, err := kube.Connection{
		Kubeconfig: s.Kubeconfig, Context: s.KubeContext, Namespace: s.Namespace,
		QPS: s.Kube.QPS, Burst: s.Kube.Burst, UserAgent: "sluice-worker",
	}.Resolve()
	if err != nil {
		return nil, err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster at %s: %w", config.Host, err)
	}
	cluster := kube.New(kube.Options{Client: clients, Namespaces: s.Worker.Namespaces, Logger: log})
	// The caches outlive the signal to stop: activities that are finishing need them.
	if err := cluster.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, fmt.Errorf("watching the cluster at %s: %w", config.Host, err)
	}
	log.Info("watching the cluster", "address", config.Host)
	return cluster, nil
}

// dialTimeout bounds the first connection to Temporal.
const dialTimeout = 30 * time.Second

// dial connects to Temporal.
func dial(ctx context.Context, s settings.Settings, log *slog.Logger, metrics *telemetry) (client.Client, error) {
	options, err := settings.TemporalOptions(s)
	if err != nil {
		return nil, err
	}
	options.Logger = sdklog.NewStructuredLogger(log)
	options.MetricsHandler = metrics.metrics
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	connected, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("connecting to Temporal at %s, namespace %s: %w", options.HostPort, options.Namespace, err)
	}
	log.Info("connected to Temporal", "address", options.HostPort, "namespace", options.Namespace)
	return connected, nil
}

// stickyTimeout is how long a task waits for the worker that has the rollout in
// its cache: short, so that the death of a worker does not hold rollouts up.
const stickyTimeout = 2 * time.Second

// heartbeatThrottle is how long the SDK keeps a heartbeat back after another one.
// Of its own accord it is most of the heartbeat timeout: so many seconds of samples
// would be taken again after the death of a worker.
const heartbeatThrottle = 2 * time.Second

// work polls for tasks until the context ends or the worker fails.
func work(ctx context.Context, s settings.Settings, temporal client.Client, cluster *kube.Cluster, gateways *gateway.Gateways, metrics *telemetry, log *slog.Logger) error {
	worker.SetStickyWorkflowCacheSize(s.Worker.WorkflowCacheSize)
	fatal := make(chan error, 2)
	options := worker.Options{
		WorkerStopTimeout:                  s.Worker.StopTimeout,
		MaxConcurrentActivityExecutionSize: s.Worker.MaxConcurrentActivities,
		StickyScheduleToStartTimeout:       stickyTimeout,
		MaxHeartbeatThrottleInterval:       heartbeatThrottle,
		Interceptors:                       []interceptor.WorkerInterceptor{metrics.tries},
		OnFatalError:                       func(err error) { fatal <- err },
	}
	deciding := worker.New(temporal, workflows.TaskQueue, options)
	workflows.Register(deciding)
	acting := worker.New(temporal, workflows.ActivityTaskQueue(s.Cluster), options)
	acting.RegisterActivity(&preflight.Activities{
		Cluster: cluster, Routes: traffic.Reader{}, Gateway: traffic.Checker{Gateways: gateways, Reach: true},
	})
	acting.RegisterActivity(&traffic.Activities{Cluster: cluster, Gateways: gateways})
	acting.RegisterActivity(&analysis.Activities{
		Kube: cluster.Client(), Default: s.Prometheus.Server(), Credentials: s.Prometheus.Credentials, Own: s.Prometheus.Secrets(),
	})
	watches := pending.New(temporal, log)
	acting.RegisterActivity(&workload.Activities{
		Cluster: cluster, Gateway: traffic.Endpoints{Cluster: cluster, Gateways: gateways},
		Routes: traffic.Looker{Cluster: cluster, Gateways: gateways}, Watches: watches,
	})
	acting.RegisterActivity(&janitor.Activities{
		Cluster: cluster, Namespaces: s.Worker.Namespaces, Routes: traffic.Reader{}, Temporal: temporal,
	})
	stops := []func(){func() { closeWatches(ctx, watches, s.Worker.StopTimeout) }}
	defer func() { together(stops) }()
	for _, w := range []worker.Worker{acting, deciding} {
		if err := w.Start(); err != nil {
			return fmt.Errorf("starting to take work: %w", err)
		}
		stops = append(stops, w.Stop)
	}
	if err := scheduleJanitor(ctx, s, temporal, log); err != nil {
		// Rollouts do not need it.
		log.Error("the janitor was not set up", "error", err)
	}
	log.Info("taking work", "cluster", s.Cluster, "workflows", workflows.TaskQueue, "activities", workflows.ActivityTaskQueue(s.Cluster))
	if err := metrics.readyUntil(ctx, fatal); err != nil {
		return err
	}
	log.Info("stopping: operations finish, others take over", "within", s.Worker.StopTimeout)
	return nil
}

// together does everything side by side and returns when all is done. Each stop of
// a worker has the whole time to stop: one after the other they would take longer
// than a cluster gives them.
func together(stops []func()) {
	var running sync.WaitGroup
	for _, stop := range stops {
		running.Go(stop)
	}
	running.Wait()
}

// closeWatches waits until the watches that began to be given back when the
// worker stopped are, so that the connection outlives them.
func closeWatches(ctx context.Context, watches *pending.Registry, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	watches.Close(ctx)
}
