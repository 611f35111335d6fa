package main

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// serveMetrics answers /metrics with what this process uses (CPU seconds,
// memory, goroutines), if an address was given for it. The server's own
// thousands of series are left out: keeping them would be part of the CPU time
// that a benchmark wants to know.
func serveMetrics(opts options) (stop func() error, err error) {
	if !opts.metrics.IsValid() {
		return func() error { return nil }, nil
	}
	l, err := net.Listen("tcp", opts.metrics.String())
	if err != nil {
		return nil, fmt.Errorf("listening for metrics (--metrics): %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.Handler())
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = srv.Serve(l) }() // always ends with the error that Close causes
	return srv.Close, nil
}
