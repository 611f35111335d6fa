package watch

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics of a watcher.
type Metrics struct {
	// Registry to serve.
	Registry *prometheus.Registry
	// Started rollouts, Statuses written, pods that Slipped through unheld.
	Started, Statuses, Slipped prometheus.Counter
	answers                    *prometheus.HistogramVec
}

// NewMetrics returns metrics that nothing has counted yet.
func NewMetrics() *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "sluice", Subsystem: "watch", Name: name, Help: help})
	}
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		Started:  counter("rollouts_started_total", "Rollouts that were started because a template was changed."),
		Statuses: counter("statuses_written_total", "Writes of the status of Rollouts."),
		Slipped:  counter("slipped_pods_total", "Pods of revisions that began to roll out unheld."),
		answers: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "sluice", Subsystem: "watch", Name: "webhook_seconds", Help: "Time to answer the API server.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2, 14),
		}, []string{"path"}),
	}
	m.Registry.MustRegister(m.Started, m.Statuses, m.Slipped, m.answers,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) answered(path string, took time.Duration) {
	m.answers.WithLabelValues(path).Observe(took.Seconds())
}
