package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/config"
)

// Level is a rung of the ladder: how a change was confirmed.
type Level = config.ConfirmLevel

// The levels, best first.
const (
	// LevelState reads the gateway's own state on every replica.
	LevelState = config.ConfirmState
	// LevelProbe sends requests through every replica that only the new route
	// sends to canary.
	LevelProbe = config.ConfirmProbe
	// LevelGrace waits for the time that the gateway needs at most.
	LevelGrace = config.ConfirmGrace
)

// Result says how a change was confirmed and by how many replicas.
type Result struct {
	Level Level
	// Replicas that confirmed; 0 where only time was waited.
	Replicas int
	// Note says why it was not a better level, or not the one that is pinned;
	// empty where it was.
	Note string
}

// Tell is given the progress for people, and how long of a grace is over. It
// must not block.
type Tell func(progress string, waited time.Duration)

// Gateways are the gateways of a cluster by the class of Ingresses they serve.
// A class that is not configured is a gateway of which nothing is known.
type Gateways struct {
	configs map[string]Config
	view    View
	client  *http.Client
	// doors is for probes, each of which has a connection of its own.
	doors *http.Client
	// knock reports whether a replica takes connections at an address.
	knock func(ctx context.Context, address string) error
	// pace of all who ask.
	pace pace
}

// New returns the gateways of a cluster. Their replicas are asked through
// transport; nil is one that keeps few connections open. The error names the
// class and the field of a configuration that is wrong.
func New(configs map[string]Config, view View, transport http.RoundTripper) (*Gateways, error) {
	doors := transport
	if transport == nil {
		transport, doors = newTransport(), newDoors()
	}
	for _, class := range slices.Sorted(maps.Keys(configs)) {
		if err := configs[class].Validate(); err != nil {
			return nil, fmt.Errorf("reading the configuration of gateway %q: %w", class, err)
		}
	}
	return &Gateways{
		configs: configs, view: view, client: &http.Client{Transport: transport}, knock: knock,
		doors: &http.Client{Transport: doors, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
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

// newDoors opens a connection for every probe: one that is kept would meet the
// same process of the replica again. The certificate is the gateway's for its
// clients, not for the address of a replica: which side answers is not a secret,
// and nothing is sent that is.
func newDoors() *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		MaxConnsPerHost:   4,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _ := ctx.Value(hostKey{}).(string)
			dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: host}}
			return dialer.DialContext(ctx, network, address)
		},
	}
}

// hostKey is the host of a probe in its context, for TLS.
type hostKey struct{}

// Confirm returns when the gateway of a class does what is wanted, or with an
// error that says what was missing when ctx ends. Tell is given the progress
// about once a second.
func (g *Gateways) Confirm(ctx context.Context, class string, want Want, tell Tell) (Result, error) {
	cfg := g.configs[class]
	r := g.rung(cfg, want)
	result := Result{Level: r.level, Note: r.note}
	if r.look == nil {
		return result, waitGrace(ctx, cfg.grace(), want.Waited, tell)
	}
	var err error
	result.Replicas, err = newWatch(g, cfg, r, tell).confirm(ctx)
	return result, err
}

// Kind returns the kind of the gateway of a class; KindUnknown where nothing is known.
func (g *Gateways) Kind(class string) Kind { return g.configs[class].Kind }

// Grace returns how long the gateway of a class takes at most.
func (g *Gateways) Grace(class string) time.Duration { return g.configs[class].grace() }

// rung is one rung of the ladder for one change: the level, and how to list and
// look at replicas. There is nothing to look at where only time can tell.
type rung struct {
	level Level
	note  string
	list  func() (map[string]replica, error)
	look  look
}

// rung picks the best rung that there is, or the one that is pinned. Where that
// cannot tell, the grace is waited: a way back must always exist.
func (g *Gateways) rung(cfg Config, want Want) rung {
	var why []string
	for _, level := range []Level{LevelState, LevelProbe} {
		if want.Level != "" && want.Level != level {
			continue
		}
		r, problem := g.at(level, cfg, want)
		if problem == "" {
			r.note = strings.Join(why, "; ")
			return r
		}
		if want.Level != "" || level == LevelProbe && want.Probe != nil {
			why = append(why, problem)
		}
	}
	return rung{level: LevelGrace, note: strings.Join(why, "; ")}
}

// at returns the rung of a level, or why there is none for the change.
func (g *Gateways) at(level Level, cfg Config, want Want) (rung, string) {
	if level == LevelProbe {
		return g.probing(cfg, want)
	}
	switch {
	case !cfg.readable():
		return rung{}, "the state of the gateway cannot be asked for"
	case len(want.Backends) == 0 || (want.Servers || want.CanaryServers) && want.Indirect:
		return rung{}, "the state of the gateway does not show this change"
	}
	t := traefik{client: g.client, view: g.view}
	return rung{
		level: LevelState,
		list:  func() (map[string]replica, error) { return replicasOf(g.view, cfg, cfg.apiPort, cfg.APIPort) },
		look: func(ctx context.Context, r replica) (verdict, error) {
			v, err := t.look(ctx, r.address, want)
			v.blind = v.blind || v.done && want.Unsure && want.Nonce == ""
			return v, err
		},
	}, ""
}

// waitGrace waits a grace of which a part is over.
func waitGrace(ctx context.Context, grace, waited time.Duration, tell Tell) error {
	begun := time.Now().Add(-min(max(waited, 0), grace))
	beat := time.NewTicker(tellInterval)
	defer beat.Stop()
	timer := time.NewTimer(time.Until(begun.Add(grace)))
	defer timer.Stop()
	for {
		over := time.Since(begun)
		tell(fmt.Sprintf("waiting until the gateway has certainly taken the change: %s left", (grace-over).Round(time.Second)), over)
		select {
		case <-timer.C:
			return nil
		case <-beat.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting %s for the gateway: %w", grace, context.Cause(ctx))
		}
	}
}
