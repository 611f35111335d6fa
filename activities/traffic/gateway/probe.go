package gateway

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"time"

	"sluice.dev/sluice/config"
)

const (
	// probeTries is how many answers in a row are asked for where one would do.
	probeTries = 5
	// doubt is the greatest chance at which a route that is not in force may pass.
	doubt = 1e-6
	// probeTimeout bounds one probe: the application answers it, not the gateway.
	probeTimeout = 5 * time.Second
	// maxProbeAnswer bounds what is read of an answer.
	maxProbeAnswer = 64 << 10
)

// Header of a request.
type Header struct{ Name, Value string }

// Probe is how to see from outside which route a replica follows.
type Probe struct {
	// Host and Path that are asked for; no host where the Ingress names none.
	Host string
	Path string
	// Secure says that clients come by TLS.
	Secure bool
	// Into is the header with which the wanted route sends a request to canary
	// whatever its weight is, and Out the one of the route before; zero where a
	// route has none.
	Into, Out Header
	// Before are the weights of the routes that may be in force still. Sure says
	// that this is the one before and no other.
	Before []int
	Sure   bool
	// Matched says that users may come by the rule of a match, before or after.
	Matched bool
	// Counted says that the metrics of the replica tell which rule a probe came by,
	// instead of Canary.
	Counted bool
	// Canary tells from an answer whether canary gave it.
	Canary func(Answer) (bool, error)
	// Unusable says why it cannot be used for this change; empty where it can.
	Unusable string
}

// Answer is what came back.
type Answer struct {
	Header http.Header
	Body   []byte
}

// prober sends probes for one change.
type prober struct {
	client *http.Client
	probe  *Probe
	// into and out are how many answers must come from canary, and must not.
	into, out int
	// never says that no request with the header of the route before may reach
	// canary; otherwise the weight sends some there.
	never bool
	// budget of requests with that header.
	budget int
}

// probing returns the rung of probes, or why they cannot tell.
func (g *Gateways) probing(cfg Config, want Want) (rung, string) {
	switch {
	case want.Servers, want.CanaryServers:
		return rung{}, "probes do not show which pods a replica knows"
	case want.Probe == nil:
		return rung{}, "the document does not say how to tell canary's answers"
	case cfg.Service == "":
		return rung{}, "the Service of the gateway is not known"
	case cfg.headerHidesWeight():
		return rung{}, headerHidesWeight
	case want.Probe.Unusable != "":
		return rung{}, want.Probe.Unusable
	case ReadyEndpoints(g.view.SlicesOf(want.Namespace, want.CanaryService)) == 0:
		return rung{}, "the canary has no ready endpoints that could answer"
	}
	see, problem := g.see(want)
	if problem != "" {
		return rung{}, problem
	}
	name := cfg.doors(want.Probe.Secure)[0]
	return rung{
		level: LevelProbe,
		list: func() (map[string]replica, error) {
			return replicasOf(g.view, cfg, cfg.door(want.Probe.Secure), name)
		},
		look: see,
	}, ""
}

// see returns how one replica is looked at by probes, or why that cannot tell.
func (g *Gateways) see(want Want) (look, string) {
	if want.Probe.Counted {
		t, problem := newTally(g, want)
		if problem != "" {
			return nil, problem
		}
		return t.look, ""
	}
	p, problem := newProber(g.doors, want)
	if problem != "" {
		return nil, problem
	}
	return p.look, ""
}

// newProber decides which answers prove the change. A request with the new header
// reaches canary by the new route always, and by a route before with the chance
// of that route's weight. One with the old header reaches stable by the new route
// with the chance of the rest of its weight, and by the route before never.
func newProber(client *http.Client, want Want) (*prober, string) {
	p := want.Probe
	rest := 100 - want.Weight
	if want.Absent {
		rest = 100
	}
	none := Header{}
	useInto := !want.Absent && p.Into != none && p.Into != p.Out
	useOut := p.Out != none && p.Into != p.Out && rest > 0
	full := slices.Contains(p.Before, 100)
	switch {
	case !useInto && !useOut:
		return nil, "no header tells the route from the one before: the match takes the place of the probe's"
	case !useInto && !p.Sure:
		return nil, "several routes may be in force, and a match takes the place of the probe's header"
	case !useOut && full && (want.Weight < 100 || !p.Sure):
		// Where several routes may be in force, one with all requests looks like the
		// wanted one until the replica takes another in between.
		return nil, "every request goes to canary by the route before"
	}
	made := &prober{client: client, probe: p, never: rest == 100}
	if useInto {
		made.into = probeTries
		if !useOut || !p.Sure {
			made.into = triesAt(p.Before)
		}
	}
	if useOut {
		made.out = probeTries
		if rest < 50 {
			made.out = 1
		}
		// Few enough answers from stable would be a chance of less than doubt.
		made.budget = made.out * int(math.Ceil(20*100/float64(rest)))
	}
	return made, ""
}

// triesAt returns how many answers from canary in a row leave less than a doubt
// that a route of one of the weights gave them.
func triesAt(before []int) int {
	most := 0
	for _, weight := range before {
		if weight < 100 {
			most = max(most, weight)
		}
	}
	if most == 0 {
		return probeTries
	}
	return max(probeTries, int(math.Ceil(math.Log(doubt)/math.Log(float64(most)/100))))
}

// look sends the probes through one replica.
func (p *prober) look(ctx context.Context, r replica) (verdict, error) {
	for i := range p.into {
		canary, err := p.ask(ctx, r, p.probe.Into)
		if err != nil {
			return verdict{}, err
		}
		if !canary {
			return pending("does not send probes to canary yet (%d of %d)", i, p.into)
		}
	}
	stable := 0
	for range p.budget {
		if stable == p.out {
			break
		}
		canary, err := p.ask(ctx, r, p.probe.Out)
		switch {
		case err != nil:
			return verdict{}, err
		case !canary:
			stable++
		case p.never:
			return pending("still sends probes of the route before to canary")
		}
	}
	if stable < p.out {
		return pending("still sends probes of the route before to canary")
	}
	return verdict{done: true}, nil
}

// ask sends one probe and reports whether canary answered.
func (p *prober) ask(ctx context.Context, r replica, header Header) (bool, error) {
	answer, err := askThrough(ctx, p.client, r, p.probe, header)
	if err != nil {
		return false, err
	}
	return p.probe.Canary(answer)
}

// askThrough sends one request through a replica.
func askThrough(ctx context.Context, client *http.Client, r replica, p *Probe, header Header) (Answer, error) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, hostKey{}, p.Host), probeTimeout)
	defer cancel()
	scheme := "http://"
	if r.secure {
		scheme = "https://"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+r.address+p.Path, nil)
	if err != nil {
		return Answer{}, fmt.Errorf("cannot be asked: %w", err)
	}
	if p.Host != "" {
		request.Host = p.Host
	}
	request.Header.Set("User-Agent", "sluice-probe")
	if header.Name != "" {
		request.Header.Set(header.Name, header.Value)
	}
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, unreachable(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxProbeAnswer))
	if err != nil {
		return Answer{}, unreachable(err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return Answer{}, fmt.Errorf("answers GET %s%s with %s", p.Host, p.Path, response.Status)
	}
	return Answer{Header: response.Header, Body: body}, nil
}

// Ask sends a request of a probe, without its header, through every replica of
// the gateway of a class that is open, some times each, and returns the answers.
func (g *Gateways) Ask(ctx context.Context, class string, p *Probe) ([]Answer, error) {
	cfg := g.configs[class]
	listed, err := replicasOf(g.view, cfg, cfg.door(p.Secure), cfg.doors(p.Secure)[0])
	if err != nil {
		return nil, err
	}
	var answers []Answer
	for _, r := range listed {
		if r.closing {
			continue
		}
		for range probeTries {
			answer, err := askThrough(ctx, g.doors, r, p, Header{})
			if err != nil {
				return nil, fmt.Errorf("gateway replica %s %w", r.address, err)
			}
			answers = append(answers, answer)
		}
	}
	return answers, nil
}

// Available returns why a level cannot be used with the gateway of a class, as
// far as that is known before anything is changed; empty where it can. Probe is
// that of the document, nil where it has none.
func (g *Gateways) Available(class string, level Level, probe *config.Probe) string {
	cfg := g.configs[class]
	switch {
	case level == LevelState && !cfg.readable():
		return "the gateway of class " + class + " has no state API that the worker knows of"
	case level == LevelProbe && cfg.Service == "":
		return "the worker does not know the Service of the gateway of class " + class
	case level == LevelProbe && cfg.headerHidesWeight():
		return headerHidesWeight
	case level == LevelProbe && probe == nil:
		return "the document does not say how to tell canary's answers"
	case level == LevelProbe && probe.Metrics && cfg.meterPort() == "":
		return "the metrics of the gateway of class " + class + " do not tell probes from other requests, as those of Traefik do"
	}
	return ""
}

// Best returns the level that changes are confirmed by with the gateway of a
// class: the one that is pinned, or the best that is available.
func (g *Gateways) Best(class string, pinned Level, probe *config.Probe) Level {
	if pinned != "" {
		return pinned
	}
	for _, level := range []Level{LevelState, LevelProbe} {
		if g.Available(class, level, probe) == "" {
			return level
		}
	}
	return LevelGrace
}

// Describe says how a level works with the gateway of a class and the probe of a
// document, for people.
func (g *Gateways) Describe(class string, level Level, probe *config.Probe) string {
	cfg := g.configs[class]
	switch level {
	case LevelState:
		return "state: the API of every replica of " + cfg.Service
	case LevelProbe:
		if probe != nil && probe.Metrics {
			return "probe: requests through every replica of " + cfg.Service + ", as its metrics count them"
		}
		return "probe: requests through every replica of " + cfg.Service
	default:
		return "grace: " + cfg.grace().String() + " after each change"
	}
}
