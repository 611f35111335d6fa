package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"sluice.dev/sluice/config/settings"
)

// servers answer until they are closed, which is after the worker has stopped:
// whoever asks while it stops learns that it does.
type servers []*http.Server

// open serves what the settings say.
func (s *servers) open(ctx context.Context, w settings.Worker, t *telemetry) error {
	for _, address := range addresses(w) {
		if _, err := s.serve(ctx, "health and metrics", address, t.handler()); err != nil {
			return err
		}
	}
	if w.ProfilingAddress == "" {
		return nil
	}
	_, err := s.serve(ctx, "profiles", w.ProfilingAddress, profiles())
	return err
}

// serve answers on an address, which it returns with the port that it got. The
// context bounds only the time to listen.
func (s *servers) serve(ctx context.Context, what, address string, handler http.Handler) (net.Addr, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for %s on %q: %w", what, address, err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			slog.Error("serving "+what, "error", err)
		}
	}()
	*s = append(*s, server)
	return listener.Addr(), nil
}

// close ends all servers.
func (s *servers) close() {
	for _, server := range *s {
		_ = server.Close()
	}
}

// addresses to serve on; metrics and health may share one.
func addresses(w settings.Worker) []string {
	var list []string
	for _, address := range []string{w.MetricsAddress, w.HealthAddress} {
		if address != "" && (len(list) == 0 || list[0] != address) {
			list = append(list, address)
		}
	}
	return list
}

// profiles answers /debug/pprof/.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
