package gateway

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config"
)

// doorReplica routes requests by a canary route as ingress-nginx does, and
// answers for both sides.
type doorReplica struct {
	mu     sync.Mutex
	exists bool
	weight int
	rule   Header
	code   int
	host   string
	asked  int
	dice   *rand.Rand
}

func newDoor() *doorReplica { return &doorReplica{dice: rand.New(rand.NewPCG(1, 2))} }

// take makes the replica follow a route; a negative weight is none.
func (d *doorReplica) take(weight int, rule Header) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.exists, d.weight, d.rule = weight >= 0, weight, rule
}

func (d *doorReplica) ServeHTTP(out http.ResponseWriter, req *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	d.host = req.Host
	canary := d.exists && (d.rule.Name != "" && req.Header.Get(d.rule.Name) == d.rule.Value || d.dice.IntN(100) < d.weight)
	version := "v1"
	if canary {
		version = "v2"
	}
	out.Header().Set("X-Version", version)
	if d.code != 0 {
		out.WriteHeader(d.code)
	}
}

// doorSite is two replicas of ingress-nginx.
type doorSite struct {
	*site
	first, second *doorReplica
}

func newDoorSite(t *testing.T) *doorSite {
	t.Helper()
	s := &doorSite{site: newSite(t), first: newDoor(), second: newDoor()}
	network := wires{"10.0.0.1:8000": s.first, "10.0.0.2:8000": s.second}
	gateways, err := New(map[string]Config{traefikClass: {Kind: KindNginx, Service: "edge/traefik"}}, s.fakeView, network)
	require.NoError(t, err)
	s.gateways = gateways
	return s
}

func (s *doorSite) both(weight int, rule Header) {
	s.first.take(weight, rule)
	s.second.take(weight, rule)
}

func nonce(value string) Header { return Header{"X-Sluice-Probe", value} }

var android = Header{"user-agent", "android"}

// probed wants a weight that is to be seen by probes; into is the header of the
// new route, out of the one before, which had one of the weights before.
func probed(weight int, into, out Header, sure bool, before ...int) Want {
	return demoWant(func(w *Want) {
		w.Weight = weight
		w.Probe = &Probe{Path: "/version", Into: into, Out: out, Before: before, Sure: sure,
			Canary: func(a Answer) (bool, error) { return a.Header.Get("X-Version") == "v2", nil }}
	})
}

func absent(want Want) Want {
	want.Absent, want.Weight = true, 0
	return want
}

func TestProbeConfirms(t *testing.T) {
	none := Header{}
	cases := map[string]struct {
		weight int
		rule   Header
		want   Want
	}{
		"first route":           {0, nonce("a"), probed(0, nonce("a"), none, true)},
		"weight up":             {30, nonce("b"), probed(30, nonce("b"), nonce("a"), true, 10)},
		"weight 99":             {99, nonce("b"), probed(99, nonce("b"), nonce("a"), true, 10)},
		"everything":            {100, nonce("b"), probed(100, nonce("b"), nonce("a"), true, 30)},
		"everything again":      {100, nonce("b"), probed(100, nonce("b"), nonce("a"), true, 100)},
		"back from everything":  {0, nonce("b"), probed(0, nonce("b"), nonce("a"), true, 100)},
		"several may be there":  {0, nonce("c"), probed(0, nonce("c"), nonce("b"), false, 100, 30)},
		"exact match":           {0, android, probed(0, android, nonce("a"), true, 0)},
		"match that is no rule": {0, none, probed(0, none, nonce("a"), true, 0)},
		"after a match":         {100, nonce("c"), probed(100, nonce("c"), android, true, 0)},
		"removed":               {-1, none, absent(probed(0, none, nonce("a"), true, 0))},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newDoorSite(t)
				s.both(c.weight, c.rule)
				result, took, err := s.confirm(t.Context(), c.want)
				require.NoError(t, err)
				require.Equal(t, Result{Level: LevelProbe, Replicas: 2}, result)
				require.GreaterOrEqual(t, took, probeDwell)
				require.Less(t, took, probeDwell+time.Second)
			})
		})
	}
}

// TestProbeDoubts are replicas that follow the route before, or none.
func TestProbeDoubts(t *testing.T) {
	none := Header{}
	cases := map[string]struct {
		prepare func(s *doorSite)
		want    Want
		says    string
	}{
		"first route missing":  {func(s *doorSite) { s.both(-1, none) }, probed(0, nonce("a"), none, true), "10.0.0.1:8000 does not send probes to canary yet (0 of 5)"},
		"one is behind":        {func(s *doorSite) { s.both(30, nonce("b")); s.second.take(10, nonce("a")) }, probed(30, nonce("b"), nonce("a"), true, 10), "confirmed by 1 of 2 gateway replicas; 10.0.0.2:8000 "},
		"most go there anyhow": {func(s *doorSite) { s.both(99, nonce("a")) }, probed(30, nonce("b"), nonce("a"), true, 99), "still sends probes of the route before to canary"},
		"more go there anyhow": {func(s *doorSite) { s.both(90, nonce("a")) }, probed(100, nonce("b"), nonce("a"), true, 90), "does not send probes to canary yet"},
		"all go there anyhow":  {func(s *doorSite) { s.both(100, nonce("a")) }, probed(0, nonce("b"), nonce("a"), true, 100), "still sends probes of the route before to canary"},
		"one of several":       {func(s *doorSite) { s.both(90, nonce("a")) }, probed(0, nonce("c"), nonce("b"), false, 90, 30), "gateway replicas; 10.0.0.1:8000 "},
		"not removed":          {func(s *doorSite) { s.both(0, nonce("a")) }, absent(probed(0, none, nonce("a"), true, 0)), "still sends probes of the route before to canary"},
		"match not replaced":   {func(s *doorSite) { s.both(0, android) }, probed(100, nonce("c"), android, true, 0), "does not send probes to canary yet"},
		"not 2xx":              {func(s *doorSite) { s.both(0, nonce("a")); s.first.code = 308 }, probed(0, nonce("a"), none, true), "10.0.0.1:8000 answers GET /version with 308 Permanent Redirect"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newDoorSite(t)
				c.prepare(s)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, _, err := s.confirm(ctx, c.want)
				require.ErrorContains(t, err, c.says)
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
		})
	}
}

// TestProbeFallsToGrace are changes that probes cannot show: time must tell, and
// the result says why.
func TestProbeFallsToGrace(t *testing.T) {
	none := Header{}
	unusable := probed(0, nonce("b"), nonce("a"), true, 10)
	unusable.Probe.Unusable = "both sides run the same revision"
	pinned := weight(10)
	pinned.Level = LevelProbe
	state := weight(10)
	state.Level = LevelState
	servers := probed(0, nonce("b"), nonce("a"), true, 10)
	servers.Servers = true
	cases := map[string]struct {
		want Want
		note string
	}{
		"same match":        {probed(30, android, android, true, 10), "no header tells the route from the one before"},
		"match, unsure":     {probed(30, none, nonce("a"), false, 10), "several routes may be in force"},
		"all, no header":    {probed(30, nonce("b"), none, true, 100), "every request goes to canary by the route before"},
		"all twice, unsure": {probed(100, nonce("c"), nonce("b"), false, 100, 0), "every request goes to canary by the route before"},
		"unusable":          {unusable, "both sides run the same revision"},
		"endpoints":         {servers, "probes do not show which pods a replica knows"},
		"pinned, no probe":  {pinned, "the document does not say how to tell canary's answers"},
		"pinned, no state":  {state, "the state of the gateway cannot be asked for"},
		"removed, no trace": {absent(probed(0, none, none, true)), "no header tells"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newDoorSite(t)
				result, took, err := s.confirm(t.Context(), c.want)
				require.NoError(t, err)
				require.Equal(t, LevelGrace, result.Level)
				require.Contains(t, result.Note, c.note)
				require.Equal(t, graces[KindNginx], took)
				require.Zero(t, s.first.asked)
			})
		})
	}
	t.Run("canary without pods", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newDoorSite(t)
			s.endpoints("default", "demo-canary", "http", 8080)
			result, _, err := s.confirm(t.Context(), probed(0, nonce("a"), none, true))
			require.NoError(t, err)
			require.Equal(t, Result{Level: LevelGrace, Note: "the canary has no ready endpoints that could answer"}, result)
		})
	})
}

// TestProbeChance counts how often probes let a replica pass that follows the
// route before: never, where the chance is one in a million.
func TestProbeChance(t *testing.T) {
	for _, before := range []int{1, 30, 90, 99} {
		door := newDoor()
		door.take(before, nonce("a"))
		p, problem := newProber(client(wires{"r": door}), probed(100, nonce("b"), nonce("a"), true, before))
		require.Empty(t, problem)
		for range 1000 {
			v, err := p.look(t.Context(), replica{address: "r"})
			require.NoError(t, err)
			require.False(t, v.done, "weight %d", before)
		}
	}
}

func TestProbeIsSentToTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newDoorSite(t)
		s.both(0, nonce("a"))
		want := probed(0, nonce("a"), Header{}, true)
		want.Probe.Host = "shop.example.com"
		_, _, err := s.confirm(t.Context(), want)
		require.NoError(t, err)
		require.Equal(t, "shop.example.com", s.first.host)

		answers, err := s.gateways.Ask(t.Context(), traefikClass, want.Probe)
		require.NoError(t, err)
		require.Len(t, answers, 2*probeTries)
		require.Equal(t, "v1", answers[0].Header.Get("X-Version"))

		s.second.code = http.StatusNotFound
		_, err = s.gateways.Ask(t.Context(), traefikClass, want.Probe)
		require.EqualError(t, err, "gateway replica 10.0.0.2:8000 answers GET shop.example.com/version with 404 Not Found")
	})
}

func TestProbeByTLS(t *testing.T) {
	g, err := New(nil, newView(), nil)
	require.NoError(t, err)
	server, address := tlsDoor(t)
	_, err = askThrough(t.Context(), g.doors, replica{address: address, secure: true}, &Probe{Host: "shop.example.com", Path: "/"}, Header{})
	require.NoError(t, err)
	require.Equal(t, "shop.example.com", <-server)
}

func TestAvailableLevels(t *testing.T) {
	g, err := New(map[string]Config{
		"traefik": {Kind: KindTraefik, Service: "a/b", APIPort: "api"}, "doors": {Kind: KindNginx, Service: "a/b"}, "blind": {Kind: KindNginx},
		"higress": {Kind: KindHigress, Service: "a/b"},
	}, newView(), nil)
	require.NoError(t, err)
	told := &config.Probe{}
	cases := map[string]struct {
		class  string
		pinned Level
		probe  *config.Probe
		want   Level
		says   string
	}{
		"state":            {"traefik", "", told, LevelState, "state: the API of every replica of a/b"},
		"probe":            {"doors", "", told, LevelProbe, "probe: requests through every replica of a/b"},
		"nothing declared": {"doors", "", nil, LevelGrace, "grace: 10s after each change"},
		"weight hidden":    {"higress", "", told, LevelGrace, "grace: 10s after each change"},
		"no Service":       {"blind", "", told, LevelGrace, "grace: 10s after each change"},
		"counters":         {"doors", "", &config.Probe{Metrics: true}, LevelGrace, "grace: 10s after each change"},
		"counters, pinned": {"traefik", LevelProbe, &config.Probe{Metrics: true}, LevelProbe, "probe: requests through every replica of a/b, as its metrics count them"},
		"pinned":           {"traefik", LevelGrace, told, LevelGrace, "grace: 5s after each change"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			level := g.Best(c.class, c.pinned, c.probe)
			require.Equal(t, c.want, level)
			require.Equal(t, c.says, g.Describe(c.class, level, c.probe))
		})
	}
	require.Contains(t, g.Available("doors", LevelState, told), "has no state API")
	require.Contains(t, g.Available("blind", LevelProbe, told), "does not know the Service")
	require.Contains(t, g.Available("doors", LevelProbe, nil), "does not say how to tell")
	require.Contains(t, g.Available("higress", LevelProbe, told), "ignores the weight")
	require.Contains(t, g.Available("doors", LevelProbe, &config.Probe{Metrics: true}), "do not tell probes from other requests")
	require.Empty(t, g.Available("blind", LevelGrace, nil))
}

// TestProbeDwellsAgain is a replica whose processes do not agree yet.
func TestProbeDwellsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newDoorSite(t)
		s.both(30, nonce("b"))
		time.AfterFunc(600*time.Millisecond, func() { s.second.take(10, nonce("a")) })
		time.AfterFunc(1400*time.Millisecond, func() { s.second.take(30, nonce("b")) })
		_, took, err := s.confirm(t.Context(), probed(30, nonce("b"), nonce("a"), true, 10))
		require.NoError(t, err)
		require.GreaterOrEqual(t, took, 2400*time.Millisecond)
		require.Contains(t, strings.Join(s.told, "\n"), "confirmed by 1 of 2 gateway replicas; 10.0.0.2:8000 does not send probes to canary yet")
	})
}

// tlsDoor is a replica that tells the name that it was asked for by TLS.
func tlsDoor(t *testing.T) (<-chan string, string) {
	t.Helper()
	names := make(chan string, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { names <- r.TLS.ServerName }))
	t.Cleanup(server.Close)
	return names, server.Listener.Addr().String()
}
