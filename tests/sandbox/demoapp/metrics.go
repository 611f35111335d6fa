package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// bounds are the upper ends of the latency histogram's buckets, in seconds.
var bounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// metrics counts requests and writes them as Prometheus reads them. By hand,
// because the client library would be most of this small program.
type metrics struct {
	version string

	mu      sync.Mutex
	active  int
	codes   map[int]uint64
	buckets []uint64 // cumulative, one per bound
	sum     float64
	count   uint64
}

func newMetrics(version string) *metrics {
	return &metrics{version: version, codes: map[int]uint64{http.StatusOK: 0}, buckets: make([]uint64, len(bounds))}
}

// begin notes a request under way; the function it returns notes its end.
func (m *metrics) begin() (end func()) {
	m.add(1)
	return func() { m.add(-1) }
}

func (m *metrics) add(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.active += n
}

func (m *metrics) observe(code int, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.codes[code]++
	m.count++
	m.sum += took.Seconds()
	for i, bound := range bounds {
		if took.Seconds() <= bound {
			m.buckets[i]++
		}
	}
}

func (m *metrics) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	m.write(w)
}

func (m *metrics) write(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprintln(w, "# HELP http_requests_total Requests answered.")
	fmt.Fprintln(w, "# TYPE http_requests_total counter")
	for _, code := range slices.Sorted(maps.Keys(m.codes)) {
		fmt.Fprintf(w, "http_requests_total{code=\"%d\",version=%q} %d\n", code, m.version, m.codes[code])
	}
	fmt.Fprintln(w, "# HELP http_requests_in_flight Requests under way.")
	fmt.Fprintln(w, "# TYPE http_requests_in_flight gauge")
	fmt.Fprintf(w, "http_requests_in_flight{version=%q} %d\n", m.version, m.active)
	fmt.Fprintln(w, "# HELP http_request_duration_seconds Time from the request to its answer.")
	fmt.Fprintln(w, "# TYPE http_request_duration_seconds histogram")
	for i, bound := range bounds {
		fmt.Fprintf(w, "http_request_duration_seconds_bucket{version=%q,le=\"%g\"} %d\n", m.version, bound, m.buckets[i])
	}
	fmt.Fprintf(w, "http_request_duration_seconds_bucket{version=%q,le=\"+Inf\"} %d\n", m.version, m.count)
	fmt.Fprintf(w, "http_request_duration_seconds_sum{version=%q} %g\n", m.version, m.sum)
	fmt.Fprintf(w, "http_request_duration_seconds_count{version=%q} %d\n", m.version, m.count)
}
