package analysis

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"sluice.dev/sluice/activities/analysis/prom"
	"sluice.dev/sluice/config"
)

// link is the way to one server. It is opened when it is first needed, and tried
// again at every sample until its credentials can be read. It is safe for use by
// many goroutines.
type link struct {
	server  config.Prometheus
	secrets prom.Secrets

	mu     sync.Mutex
	opened *prom.Client
}

// open reads the credentials. The error says which one cannot be read.
func (l *link) open(ctx context.Context) (*prom.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.opened != nil {
		return l.opened, nil
	}
	client, err := prom.New(ctx, l.server, l.secrets)
	if err == nil {
		l.opened = client
	}
	return client, err
}

// measure opens the link within the server's timeout; every error but that of ctx
// is a *prom.Failure.
func (l *link) measure(ctx context.Context) (*prom.Client, error) {
	limited, cancel := context.WithTimeout(ctx, l.server.Timeout.Std())
	defer cancel()
	client, err := l.open(limited)
	switch {
	case err == nil:
		return client, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, prom.Broken(l.server.Name, err)
}

// Value is that of the client.
func (l *link) Value(ctx context.Context, query string, at time.Time) (float64, string, error) {
	client, err := l.measure(ctx)
	if err != nil {
		return 0, "", err
	}
	return client.Value(ctx, query, at)
}

// Counters are those of the client.
func (l *link) Counters(ctx context.Context, queries []string, at time.Time, most int) ([]map[string]float64, string, error) {
	client, err := l.measure(ctx)
	if err != nil {
		return nil, "", err
	}
	return client.Counters(ctx, queries, at, most)
}

// openAll opens every link; the error says which credential cannot be read.
func openAll(ctx context.Context, links map[string]*link) error {
	for _, name := range slices.Sorted(maps.Keys(links)) {
		if _, err := links[name].open(ctx); err != nil {
			return err
		}
	}
	return nil
}
