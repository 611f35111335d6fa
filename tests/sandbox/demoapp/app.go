package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"time"
)

// app answers requests as the configuration says.
type app struct {
	config
	started time.Time
	metrics *metrics
}

// newApp returns the handler of an application that was started at the time.
func newApp(c config, started time.Time) http.Handler {
	a := &app{config: c, started: started, metrics: newMetrics(c.version)}
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", a.metrics.serve)
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/readyz", a.ready)
	mux.HandleFunc("/", a.answer)
	return mux
}

func (a *app) ready(w http.ResponseWriter, _ *http.Request) {
	if a.neverReady != "" {
		http.Error(w, "NEVER_READY is set", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (a *app) answer(w http.ResponseWriter, r *http.Request) {
	defer a.metrics.begin()()
	began := time.Now()
	if a.latency > 0 && happens(a.latencyShare) {
		select {
		case <-time.After(a.latency):
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("X-Version", a.version)
	w.Header().Set("X-Pod", a.pod)
	code := http.StatusOK
	if a.fails(r) {
		code = http.StatusInternalServerError
	}
	a.metrics.observe(code, time.Since(began))
	w.WriteHeader(code)
	fmt.Fprintf(w, "version: %s\n", a.version)
}

func (a *app) fails(r *http.Request) bool {
	if a.failHeader != "" && r.Header.Get(a.failHeader) != a.failValue {
		return false
	}
	if a.failFile != "" {
		if _, err := os.Stat(a.failFile); err != nil {
			return false
		}
	}
	return time.Since(a.started) >= a.failAfter && happens(a.failShare)
}

// happens is true with the probability share, and never for a share of 0.
func happens(share float64) bool {
	return rand.Float64() < share
}
