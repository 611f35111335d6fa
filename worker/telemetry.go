package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// telemetry tells metrics and health, and whether the worker takes work.
type telemetry struct {
	metrics  client.MetricsHandler
	registry *prometheus.Registry
	tries    *tries
	ready    atomic.Bool
}

// newTelemetry makes the SDK's metrics and those of the process available to
// Prometheus.
func newTelemetry() (*telemetry, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("creating the Prometheus exporter: %w", err)
	}
	provider := metric.NewMeterProvider(metric.WithReader(exporter))
	return &telemetry{
		metrics:  opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{Meter: provider.Meter("sluice")}),
		registry: registry,
		tries:    newTries(registry, time.Now),
	}, nil
}

// handler answers /metrics, /healthz (the process lives) and /readyz (it takes
// work).
func (t *telemetry) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", t.answerReady)
	return mux
}

// readyUntil tells that the worker takes work until the context ends or the worker
// fails.
func (t *telemetry) readyUntil(ctx context.Context, fatal <-chan error) error {
	t.ready.Store(true)
	defer t.ready.Store(false)
	select {
	case <-ctx.Done():
		return nil
	case err := <-fatal:
		return fmt.Errorf("working: %w", err)
	}
}

func (t *telemetry) answerReady(w http.ResponseWriter, _ *http.Request) {
	if !t.ready.Load() {
		http.Error(w, "not taking work", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}
