package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

const (
	// routerRequests are the requests that a replica of Traefik counts by router;
	// it does so if it is started with --metrics.prometheus.addRoutersLabels.
	routerRequests = "traefik_router_requests_total"
	// maxMetrics bounds what is read of a replica's metrics.
	maxMetrics = 64 << 20
	// countTime is how long after an answer its request is waited for in the
	// counters, and countPause the time between two looks at them: a request is
	// counted after it has been answered.
	countTime  = 500 * time.Millisecond
	countPause = 50 * time.Millisecond
)

// countsNothing is why metrics prove nothing, and what to do about it.
const countsNothing = "does not count the requests of this Ingress by router: start it with --metrics.prometheus.addRoutersLabels=true, and tell the worker the port of its metrics (metricsPort)"

// counts are requests that one replica has counted since it started: those that
// the rule of a header or cookie has sent to canary, and those that came by the
// paths' own rules, whichever side they went to.
type counts struct{ ruled, plain float64 }

// meter reads what the replicas of Traefik have counted for one Ingress.
type meter struct {
	client *http.Client
	// ruled and plain are the services of the two kinds of routers.
	ruled, plain map[string]bool
}

// newMeter returns the meter of the Ingress of a change. A router is known by the
// service that it leads to: those of canary's rules lead to canary itself, all
// others to stable, or to the choice by weight.
func newMeter(client *http.Client, want Want) meter {
	m := meter{client: client, ruled: map[string]bool{}, plain: map[string]bool{}}
	for _, backend := range want.Backends {
		n := traefikNames(want, backend)
		m.ruled[n.canary+"@"+traefikProvider] = true
		m.plain[n.stable+"@"+traefikProvider] = true
		m.plain[n.split+"@"+traefikProvider] = true
	}
	return m
}

// read returns the counts of one replica.
func (m meter) read(ctx context.Context, address string) (counts, error) {
	if address == "" {
		return counts{}, errors.New("has no port with the name of metricsPort")
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return counts{}, fmt.Errorf("cannot be asked: %w", err)
	}
	answer, err := m.client.Do(request)
	if err != nil {
		return counts{}, unreachable(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return counts{}, fmt.Errorf("answers GET /metrics with %s", answer.Status)
	}
	return m.sum(io.LimitReader(answer.Body, maxMetrics))
}

// sum adds up the series of the routers. Only their lines are parsed: a replica
// may have a great many others.
func (m meter) sum(metrics io.Reader) (counts, error) {
	var own bytes.Buffer
	lines := bufio.NewScanner(metrics)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if bytes.HasPrefix(lines.Bytes(), []byte(routerRequests+"{")) {
			own.Write(lines.Bytes())
			own.WriteByte('\n')
		}
	}
	if err := lines.Err(); err != nil {
		return counts{}, unreachable(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(&own)
	if err != nil {
		return counts{}, fmt.Errorf("has counters that cannot be read: %w", err)
	}
	var sums counts
	for _, series := range families[routerRequests].GetMetric() {
		service := labelOf(series, "service")
		switch n := series.GetUntyped().GetValue(); {
		case m.ruled[service]:
			sums.ruled += n
		case m.plain[service]:
			sums.plain += n
		}
	}
	return sums, nil
}

// labelOf returns the value of a label; empty where the series has none of it.
func labelOf(series *dto.Metric, name string) string {
	for _, label := range series.GetLabel() {
		if label.GetName() == name {
			return label.GetValue()
		}
	}
	return ""
}

// await reads until enough is counted, and returns the last counts, enough or
// not.
func (m meter) await(ctx context.Context, address string, enough func(counts) bool) (counts, error) {
	for end := time.Now().Add(countTime); ; {
		now, err := m.read(ctx, address)
		if err != nil || enough(now) || time.Now().After(end) {
			return now, err
		}
		select {
		case <-time.After(countPause):
		case <-ctx.Done():
			return now, fmt.Errorf("cannot be asked: %w", context.Cause(ctx))
		}
	}
}

// tally tells by its metrics what a replica does with the probes of one change.
type tally struct {
	meter
	doors *http.Client
	probe *Probe
	// absent says that the header before must lead nowhere, instead of the new one
	// to canary.
	absent bool
	mu     sync.Mutex
	// last counts of canary's rules by replica.
	last map[string]float64
}

// newTally returns the tally of a change, or why nothing can be counted. Nobody
// else knows the header of a probe, so that canary's rule counts probes alone,
// unless users come by a rule as well.
func newTally(g *Gateways, want Want) (*tally, string) {
	p, none := want.Probe, Header{}
	switch {
	case p.Matched:
		return nil, "users come by the rule of a match, too, so that counters do not tell probes"
	case want.Absent && p.Out == none || !want.Absent && (p.Into == none || p.Into == p.Out):
		return nil, "no header of a probe tells the route from the one before"
	}
	return &tally{meter: newMeter(g.client, want), doors: g.doors, probe: p, absent: want.Absent, last: map[string]float64{}}, ""
}

// look sends probes through one replica and compares its counters.
func (t *tally) look(ctx context.Context, r replica) (verdict, error) {
	before, err := t.read(ctx, r.meter)
	if err != nil {
		return verdict{}, err
	}
	if t.late(r, before) {
		return pending("still sends probes of the route before to canary")
	}
	header := t.probe.Into
	if t.absent {
		header = t.probe.Out
	}
	for range probeTries {
		if _, err := askThrough(ctx, t.doors, r, t.probe, header); err != nil {
			return verdict{}, err
		}
	}
	if t.absent {
		return t.gone(ctx, r, before)
	}
	after, err := t.await(ctx, r.meter, func(now counts) bool { return now.ruled-before.ruled >= probeTries })
	if err != nil {
		return verdict{}, err
	}
	if n := after.ruled - before.ruled; n != probeTries {
		return pending("has counted %.0f probes for canary of %d", n, probeTries)
	}
	return verdict{done: true}, nil
}

// gone wants all probes to be counted by the paths' own rules, and none by
// canary's.
func (t *tally) gone(ctx context.Context, r replica, before counts) (verdict, error) {
	after, err := t.await(ctx, r.meter, func(now counts) bool { return now.plain-before.plain >= probeTries })
	switch {
	case err != nil:
		return verdict{}, err
	case after.ruled > before.ruled:
		return pending("still sends probes of the route before to canary")
	case after.plain-before.plain < probeTries:
		return verdict{}, errors.New(countsNothing)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last[r.address] = after.ruled
	return verdict{done: true}, nil
}

// late reports whether canary's rules have counted more since the last look,
// which had been over before they did.
func (t *tally) late(r replica, now counts) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, known := t.last[r.address]
	t.last[r.address] = now.ruled
	return t.absent && known && now.ruled > last
}

// Counts returns an error that says why the replicas of the gateway of a class
// cannot prove changes of a route by their metrics, and what to do; nil where
// they can. Requests of Ask must have come through each of them before.
func (g *Gateways) Counts(ctx context.Context, class string, want Want) error {
	cfg, m := g.configs[class], newMeter(g.client, want)
	secure := want.Probe != nil && want.Probe.Secure
	listed, err := replicasOf(g.view, cfg, cfg.door(secure), cfg.doors(secure)[0])
	if err != nil {
		return err
	}
	for _, r := range listed {
		if r.closing {
			continue
		}
		now, err := m.await(ctx, r.meter, func(now counts) bool { return now.plain >= probeTries })
		if err == nil && now.plain < probeTries {
			err = errors.New(countsNothing)
		}
		if err != nil {
			return fmt.Errorf("gateway replica %s %w", r.address, err)
		}
	}
	return nil
}
