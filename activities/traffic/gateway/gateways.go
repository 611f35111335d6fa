package gateway

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Level is a rung of the ladder: how a change was confirmed.
type Level string

// The levels, best first.
const (
	// LevelState reads the gateway's own state on every replica.
	LevelState Level = "state"
	// LevelGrace waits for the time that the gateway needs at most.
	LevelGrace Level = "grace"
)

// Result says how a change was confirmed and by how many replicas.
type Result struct {
	Level Level
	// Replicas that confirmed; 0 where only time was waited.
	Replicas int
}

// Gateways are the gateways of a cluster by the class of Ingresses they serve.
// A class that is not configured is a gateway of which nothing is known.
type Gateways struct {
	configs map[string]Config
	view    View
	client  *http.Client
}

// New returns the gateways of a cluster. Their replicas are asked through
// transport; nil is one that keeps few connections open. The error names the
// class and the field of a configuration that is wrong.
func New(configs map[string]Config, view View, transport http.RoundTripper) (*Gateways, error) {
	if transport == nil {
		transport = newTransport()
	}
	for _, class := range slices.Sorted(maps.Keys(configs)) {
		if err := configs[class].Validate(); err != nil {
			return nil, fmt.Errorf("reading the configuration of gateway %q: %w", class, err)
		}
	}
	return &Gateways{configs: configs, view: view, client: &http.Client{Transport: transport}}, nil
}

// newTransport keeps connections open between looks and bounds how many there
// are, so that hundreds of rollouts do not flood one gateway.
func newTransport() *http.Transport {
	return &http.Transport{
		MaxIdleConnsPerHost: 8,
		MaxConnsPerHost:     16,
		IdleConnTimeout:     30 * time.Second,
	}
}

// Confirm returns when the gateway of a class does what is wanted, or with an
// error that says what was missing when ctx ends. Tell is given the progress
// about once a second; it must not block.
func (g *Gateways) Confirm(ctx context.Context, class string, want Want, tell func(string)) (Result, error) {
	cfg := g.configs[class]
	level, look := g.rung(cfg, want)
	if look == nil {
		return Result{Level: level}, waitGrace(ctx, cfg, tell)
	}
	replicas, err := newWatch(cfg, g.view, tell, look).confirm(ctx)
	return Result{Level: level, Replicas: replicas}, err
}

// Kind returns the kind of the gateway of a class; KindNone where nothing is known.
func (g *Gateways) Kind(class string) Kind { return g.configs[class].kind() }

// Replicas returns how many replicas of the gateway of a class there are to ask;
// 0 where its state cannot be read.
func (g *Gateways) Replicas(class string) int {
	cfg := g.configs[class]
	if !cfg.readable() {
		return 0
	}
	found, _ := replicasOf(g.view, cfg)
	return len(found)
}

// rung picks the best rung of the ladder that there is for a gateway: the level,
// and how to look at one replica. There is nothing to look at where only time
// can tell.
func (g *Gateways) rung(cfg Config, want Want) (Level, look) {
	if !cfg.readable() || want.Servers && want.Indirect || len(want.Backends) == 0 {
		return LevelGrace, nil
	}
	t := traefik{client: g.client, view: g.view}
	return LevelState, func(ctx context.Context, address string) (verdict, error) { return t.look(ctx, address, want) }
}

// waitGrace waits the whole grace: one that is interrupted starts again, since
// nobody knows how much of it the gateway was running for.
func waitGrace(ctx context.Context, cfg Config, tell func(string)) error {
	end := time.Now().Add(cfg.grace())
	beat := time.NewTicker(tellInterval)
	defer beat.Stop()
	timer := time.NewTimer(cfg.grace())
	defer timer.Stop()
	for {
		tell(fmt.Sprintf("waiting until the gateway has certainly taken the change: %s left", time.Until(end).Round(time.Second)))
		select {
		case <-timer.C:
			return nil
		case <-beat.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting %s for the gateway: %w", cfg.grace(), context.Cause(ctx))
		}
	}
}
