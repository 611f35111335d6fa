package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	arv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/config/settings"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/starter/watch"
)

func addWatch(root *cobra.Command, a *app) {
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Start rollouts when somebody changes a workload",
		Long: "The bypass mode: follows the Rollout objects of a cluster. A change of the pod template of a workload\n" +
			"that one of them names is held in the write that makes it, by a webhook, and a rollout starts; the\n" +
			"status of the Rollout tells where it stands, and what people write to the Rollout becomes messages.\n" +
			"It runs in the cluster, in two replicas or more; one of them acts. It ends with an error when it loses\n" +
			"its lease, to be started again.",
		Example: "  sluice watch\n  sluice watch --class sluice --webhook-failure-policy Fail",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runWatch(cmd.Context(), a, cmd.Flags()) },
	}
	settings.AddWatchFlags(cmd.Flags())
	root.AddCommand(cmd)
}

// runWatch watches until ctx ends.
func runWatch(ctx context.Context, a *app, flags *pflag.FlagSet) error {
	s, err := settings.Load(flags)
	if err != nil {
		return err
	}
	log := s.Log.Logger(a.host.Err)
	options, err := watchOptions(s, log)
	if err != nil {
		return err
	}
	temporal, err := lazyTemporal(s)
	if err != nil {
		return err
	}
	defer temporal.Close()
	options.Control = temporal
	watcher := watch.New(options)
	closeMetrics, err := serveMetrics(ctx, s.Watch.MetricsAddress, watcher)
	if err != nil {
		return err
	}
	defer closeMetrics()
	return watcher.Run(ctx)
}

// watchOptions of the settings, without the connection to Temporal.
func watchOptions(s settings.Settings, log *slog.Logger) (watch.Options, error) {
	connection := connection(s)
	connection.UserAgent = "sluice-watch"
	config, _, err := connection.Resolve()
	if err != nil {
		return watch.Options{}, err
	}
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return watch.Options{}, fmt.Errorf("connecting to the cluster at %s: %w", config.Host, err)
	}
	untyped, err := dynamic.NewForConfig(config)
	if err != nil {
		return watch.Options{}, fmt.Errorf("connecting to the cluster at %s: %w", config.Host, err)
	}
	host, err := os.Hostname()
	if err != nil {
		return watch.Options{}, fmt.Errorf("asking for the name of the machine: %w", err)
	}
	o := watch.Options{
		Kube: typed, Dynamic: untyped, Cluster: s.Cluster, Namespaces: s.Watch.Namespaces, Class: s.Watch.Class,
		Home: s.Watch.Home, Identity: host + "-" + uuid.NewString()[:8], Metrics: watch.NewMetrics(), Log: log,
	}
	if s.Watch.WebhookAddress != "" {
		o.Hook = &watch.Hook{
			Address: s.Watch.WebhookAddress, URL: s.Watch.WebhookURL, Service: s.Watch.WebhookService,
			FailurePolicy: arv1.FailurePolicyType(s.Watch.FailurePolicy),
		}
	}
	return o, nil
}

// lazyTemporal connects to Temporal when it is first needed: changes are held
// while Temporal is away, too.
func lazyTemporal(s settings.Settings) (*control.Client, error) {
	options, err := settings.TemporalOptions(s)
	if err != nil {
		return nil, err
	}
	options.Logger = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	control.Prepare(&options)
	lazy, err := client.NewLazyClient(options)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to Temporal at %s: %w", options.HostPort, err)
	}
	return control.New(lazy, control.Options{Address: options.HostPort, Namespace: options.Namespace, Converter: options.DataConverter}), nil
}

// serveMetrics answers /metrics and the probes until it is closed, which is after the
// watcher has ended: whoever asks while it stops learns that it does. The context
// bounds only the time to listen.
func serveMetrics(ctx context.Context, address string, watcher *watch.Watcher) (closed func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for metrics on %q: %w", address, err)
	}
	server := &http.Server{Handler: probes(watcher), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			slog.Error("serving metrics", "error", err)
		}
	}()
	return func() { _ = server.Close() }, nil
}

// probes answers how a watcher does. It is ready when it can answer the API server.
func probes(watcher *watch.Watcher) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(watcher.Metrics.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !watcher.Ready() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}
