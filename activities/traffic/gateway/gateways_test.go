package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/config"
)

func TestConfirmAtOnce(t *testing.T) {
	android := header(config.MatchExact, "android")
	cases := map[string]struct {
		live []config.Match
		at   int
		want Want
	}{
		"weight 0":             {at: 0, want: weight(0)},
		"weight 10":            {at: 10, want: weight(10)},
		"weight 100":           {at: 100, want: weight(100)},
		"header":               {at: 0, live: []config.Match{android}, want: demoWant(func(w *Want) { w.Matches = []config.Match{android} })},
		"header and cookie":    {at: 5, live: []config.Match{android, cookie("beta")}, want: demoWant(func(w *Want) { w.Weight = 5; w.Matches = []config.Match{cookie("beta"), android} })},
		"absent":               {at: -1, want: demoWant(func(w *Want) { w.Absent = true })},
		"canary known":         {at: 0, want: demoWant(func(w *Want) { w.Backed = true })},
		"servers":              {at: -1, want: demoWant(func(w *Want) { w.Servers = true })},
		"servers with canary":  {at: 30, want: demoWant(func(w *Want) { w.Servers = true })},
		"service has upstream": {at: 30, want: demoWant(func(w *Want) { w.Weight = 30; w.Indirect = true })},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.both(c.at, c.live...)
				result, took, err := s.confirm(t.Context(), c.want)
				require.NoError(t, err)
				require.Equal(t, Result{Level: LevelState, Replicas: 2}, result)
				require.Equal(t, stateDwell, took)
			})
		})
	}
}

// TestConfirmNever are states that are not what is wanted, with what is said of
// them when the time is over.
func TestConfirmNever(t *testing.T) {
	android, pattern := header(config.MatchExact, "android"), header(config.MatchRegex, "android")
	matched := func(matches ...config.Match) Want { return demoWant(func(w *Want) { w.Matches = matches }) }
	cases := map[string]struct {
		prepare func(s *site)
		want    Want
		says    string
	}{
		"no canary yet":     {func(s *site) { s.both(-1) }, weight(10), "10.0.0.1:8080 has no canary yet; 10.0.0.2:8080 has no canary yet"},
		"no canary at 0":    {func(s *site) { s.both(-1) }, weight(0), "has no canary yet"},
		"other weight":      {func(s *site) { s.both(10) }, weight(30), "10.0.0.1:8080 has weight 10"},
		"one is behind":     {func(s *site) { s.both(30); s.second.take(10, nil) }, weight(30), "confirmed by 1 of 2 gateway replicas; 10.0.0.2:8080 has weight 10"},
		"weight not undone": {func(s *site) { s.both(30) }, weight(0), "has weight 30"},
		"match not undone":  {func(s *site) { s.both(0, android) }, weight(0), "still has the rule of a match"},
		"match missing":     {func(s *site) { s.both(0) }, matched(android), "has no rule for the match yet"},
		"other match":       {func(s *site) { s.both(0, pattern) }, matched(android), "has another rule for the match"},
		"match and cookie":  {func(s *site) { s.both(0, android, cookie("beta")) }, matched(android), "has another rule for the match"},
		"not removed":       {func(s *site) { s.both(0) }, demoWant(func(w *Want) { w.Absent = true }), "still has the canary"},
		"canary server missing": {func(s *site) {
			s.both(10)
			s.endpoints("default", "demo-canary", "http", 8080, "10.244.1.9", "10.244.1.10")
		}, weight(10), "has 1 servers of canary, 1 of the 2 that are ready"},
		"old server of canary": {func(s *site) {
			s.both(0)
			s.endpoints("default", "demo-canary", "http", 8080, "10.244.1.10")
		}, demoWant(func(w *Want) { w.Backed = true }), "has 1 servers of canary, 0 of the 1 that are ready"},
		"server of canary that goes": {func(s *site) {
			s.both(0)
			for _, r := range []*traefikReplica{s.first, s.second} {
				r.set("services/default-demo-demo-80-canary", balancer("10.244.1.9", "10.244.1.8"))
			}
		}, demoWant(func(w *Want) { w.Backed = true }), "has 2 servers of canary, 1 of the 1 that are ready"},
		"canary has no endpoints": {func(s *site) {
			s.both(10)
			s.endpoints("default", "demo-canary", "http", 8080)
		}, weight(10), "has 1 servers of canary, 0 of the 0 that are ready"},
		"canary pod is fenced": {func(s *site) {
			s.both(10)
			for _, r := range []*traefikReplica{s.first, s.second} {
				r.set("services/default-demo-demo-80-canary", map[string]any{"loadBalancer": map[string]any{"servers": []any{
					map[string]any{"url": "http://10.244.1.9:8080", "fenced": true},
				}}})
			}
		}, weight(10), "has 0 servers of canary, 0 of the 1 that are ready"},
		"stable server is gone": {func(s *site) {
			s.endpoints("default", "demo", "http", 8080, "10.244.1.1")
		}, demoWant(func(w *Want) { w.Servers = true }), "has 2 servers of stable, 1 of the 1 that are ready"},
		"rule is refused": {func(s *site) {
			s.both(0)
			for _, r := range []*traefikReplica{s.first, s.second} {
				r.set("routers/default-demo-rule-0-path-0-canary", map[string]any{
					"rule": `(Path("/")) && (Header("user-agent", "android"))`, "status": "disabled", "error": []string{"bad rule"},
				})
			}
		}, matched(android), "refuses the rule of the match: bad rule"},
		"weight not undone, no Service": {func(s *site) {
			s.both(10)
			s.services.Replace(nil, "") //nolint:errcheck // the indexer of a test cannot fail
		}, weight(0), "has weight 10"},
		"no Service": {func(s *site) {
			s.both(10)
			s.services.Replace(nil, "") //nolint:errcheck // the indexer of a test cannot fail
		}, weight(10), "reading Service default/demo-canary"},
		"no such port": {func(s *site) { s.both(10) }, demoWant(func(w *Want) {
			w.Weight = 10
			w.Backends[0].Port = networkingv1.ServiceBackendPort{Name: "grpc"}
		}), "reading Service default/demo-canary: it has no port grpc"},
		"a replica is frozen": {func(s *site) { s.both(10); s.second.freeze(true) }, weight(10),
			"confirmed by 1 of 2 gateway replicas; 10.0.0.2:8080 does not answer"},
		"no replicas": {func(s *site) { s.endpoints("edge", "traefik", "web", 8000) }, weight(10),
			"no replica of the gateway found: the EndpointSlices of Service edge/traefik have no ready endpoint with port 8080"},
		"no slices": {func(s *site) { delete(s.slices, "edge/traefik") }, weight(10),
			"no replica of the gateway found: Service edge/traefik has no EndpointSlices in a namespace that is watched"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				c.prepare(s)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, took, err := s.confirm(ctx, c.want)
				require.ErrorContains(t, err, c.says)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, 10*time.Second, took)
				require.GreaterOrEqual(t, len(s.told), 9, "progress is told about once a second")
			})
		})
	}
}

func TestConfirmWaitsForTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.both(10)
		time.AfterFunc(300*time.Millisecond, func() { s.first.take(30, nil) })
		time.AfterFunc(2*time.Second, func() { s.second.take(30, nil) })
		_, took, err := s.confirm(t.Context(), weight(30))
		require.NoError(t, err)
		require.GreaterOrEqual(t, took, 2*time.Second+stateDwell)
		require.Less(t, took, 2*time.Second+stateDwell+2*pollInterval)
	})
}

func TestConfirmFrozenReplicaComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.both(10)
		s.second.freeze(true)
		time.AfterFunc(30*time.Second, func() { s.second.freeze(false) })
		result, took, err := s.confirm(t.Context(), weight(10))
		require.NoError(t, err)
		require.Equal(t, 2, result.Replicas)
		require.GreaterOrEqual(t, took, 30*time.Second)
		require.Contains(t, s.told, "confirmed by 1 of 2 gateway replicas; 10.0.0.2:8080 does not answer")
	})
}

// TestConfirmInNoTime names the replica that is missing also where the time ends
// before it is known not to answer.
func TestConfirmInNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.both(10)
		s.second.freeze(true)
		ctx, cancel := context.WithTimeout(t.Context(), 2*stateDwell)
		defer cancel()
		_, _, err := s.confirm(ctx, weight(10))
		require.ErrorContains(t, err, "confirmed by 1 of 2 gateway replicas; 10.0.0.2:8080 has not answered yet")
	})
}

func TestConfirmReplicaThatIsGoneIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.both(10)
		s.second.freeze(true)
		time.AfterFunc(5*time.Second, func() { s.endpoints("edge", "traefik", "web", 8000, "10.0.0.1") })
		result, took, err := s.confirm(t.Context(), weight(10))
		require.NoError(t, err)
		require.Equal(t, 1, result.Replicas)
		require.Less(t, took, 6*time.Second)
	})
}

func TestConfirmReplicaThatJoinsHasToConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.endpoints("edge", "traefik", "web", 8000, "10.0.0.1")
		s.both(10)
		s.second.take(-1, nil)
		// It joins while the first one is within its dwell.
		time.AfterFunc(stateDwell/2, func() { s.endpoints("edge", "traefik", "web", 8000, "10.0.0.1", "10.0.0.2") })
		time.AfterFunc(3*time.Second, func() { s.second.take(10, nil) })
		result, took, err := s.confirm(t.Context(), weight(10))
		require.NoError(t, err)
		require.Equal(t, 2, result.Replicas)
		require.GreaterOrEqual(t, took, 3*time.Second)
	})
}

func TestConfirmStartsTheDwellAgainWhenInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(c *Config) { c.Dwell = time.Second })
		s.both(10)
		time.AfterFunc(600*time.Millisecond, func() { s.second.take(30, nil) })
		time.AfterFunc(1400*time.Millisecond, func() { s.second.take(10, nil) })
		_, took, err := s.confirm(t.Context(), weight(10))
		require.NoError(t, err)
		require.GreaterOrEqual(t, took, 2400*time.Millisecond)
	})
}

func TestConfirmTerminatingReplicas(t *testing.T) {
	leaving := func(s *site, serving bool) {
		s.publish("edge", "traefik", "web", 8000, endpoint("10.0.0.1", true, true, false), endpoint("10.0.0.2", false, serving, true))
	}
	// gone is when its pod is removed, by the kubelet or by force.
	gone := func(s *site) {
		s.publish("edge", "traefik", "web", 8000, endpoint("10.0.0.1", true, true, false))
	}
	for name, frozen := range map[string]bool{"is asked": false, "does not answer, as on a node that is lost,": true} {
		t.Run("one that "+name+" has to confirm until it is gone", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.first.take(10, nil)
				s.second.freeze(frozen)
				leaving(s, true)
				time.AfterFunc(2*time.Second, func() { leaving(s, false) })
				time.AfterFunc(10*time.Second, func() { gone(s) })
				result, took, err := s.confirm(t.Context(), weight(10))
				require.NoError(t, err)
				require.Equal(t, 1, result.Replicas)
				require.GreaterOrEqual(t, took, 10*time.Second)
				require.Less(t, took, 11*time.Second)
			})
		})
	}
	t.Run("one that is not ready comes back as it was", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.both(10)
			s.second.freeze(true)
			s.publish("edge", "traefik", "web", 8000, endpoint("10.0.0.1", true, true, false), endpoint("10.0.0.2", false, false, false))
			time.AfterFunc(30*time.Second, func() { s.second.freeze(false) })
			_, took, err := s.confirm(t.Context(), weight(10))
			require.NoError(t, err)
			require.GreaterOrEqual(t, took, 30*time.Second)
		})
	})
	// refusing is a site whose second replica has closed the port of its API, on real
	// sockets, and answers clients by err.
	refusing := func(t *testing.T, err error) *site {
		s := newSite(t)
		s.first.take(10, nil)
		server := httptest.NewServer(s.first)
		t.Cleanup(server.Close)
		closed := httptest.NewServer(http.NotFoundHandler())
		closed.Close()
		s.gateways.client.Transport = rerouted{"10.0.0.1:8080": server.Listener.Addr().String(), "10.0.0.2:8080": closed.Listener.Addr().String()}
		s.gateways.knock = func(_ context.Context, address string) error {
			require.Equal(t, "10.0.0.2:8000", address)
			return err
		}
		return s
	}
	for _, serves := range []bool{true, false} {
		t.Run(fmt.Sprintf("serving=%t: one that has closed its doors has not", serves), func(t *testing.T) {
			s := refusing(t, syscall.ECONNREFUSED)
			leaving(s, serves)
			result, _, err := s.confirm(t.Context(), weight(10))
			require.NoError(t, err)
			require.Equal(t, 1, result.Replicas, "it routes nothing any more")
		})
		for name, open := range map[string]error{"takes requests": nil, "does not answer": context.DeadlineExceeded} {
			t.Run(fmt.Sprintf("serving=%t: one that refuses to be asked and %s has to confirm", serves, name), func(t *testing.T) {
				s := refusing(t, open)
				leaving(s, serves)
				ctx, cancel := context.WithTimeout(t.Context(), 4*stateDwell)
				defer cancel()
				_, _, err := s.confirm(ctx, weight(10))
				require.ErrorContains(t, err, "confirmed by 1 of 2 gateway replicas; 10.0.0.2:8080 refuses to be asked and still takes requests at 10.0.0.2:8000")
			})
		}
	}
	t.Run("nor has one that is not ready and refuses", func(t *testing.T) {
		s := refusing(t, syscall.EHOSTUNREACH)
		s.publish("edge", "traefik", "web", 8000, endpoint("10.0.0.1", true, true, false), endpoint("10.0.0.2", false, false, false))
		result, _, err := s.confirm(t.Context(), weight(10))
		require.NoError(t, err)
		require.Equal(t, 1, result.Replicas)
	})
	t.Run("one that is ready and refuses has to confirm", func(t *testing.T) {
		s := refusing(t, syscall.ECONNREFUSED)
		ctx, cancel := context.WithTimeout(t.Context(), 4*stateDwell)
		defer cancel()
		_, _, err := s.confirm(ctx, weight(10))
		require.ErrorContains(t, err, "confirmed by 1 of 2 gateway replicas; 10.0.0.2:8080 refuses connections")
	})
}

// rerouted sends requests for one address to another, over real sockets.
type rerouted map[string]string

func (r rerouted) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Host = r[req.URL.Host]
	return http.DefaultTransport.RoundTrip(req)
}

// TestConfirmBlind are changes that Traefik's state cannot show, since it drops
// a canary without endpoints by itself.
func TestConfirmBlind(t *testing.T) {
	empty := func(s *site) { s.endpoints("default", "demo-canary", "http", 8080) }
	deleted := func(s *site) {
		empty(s)
		service, err := s.Services("default").Get("demo-canary")
		require.NoError(t, err)
		require.NoError(t, s.services.Delete(service))
	}
	absent := demoWant(func(w *Want) { w.Absent = true })
	for name, c := range map[string]struct {
		prepare func(s *site)
		want    Want
	}{
		"absent, no endpoints":   {empty, absent},
		"absent, no Service":     {deleted, absent},
		"weight 0, no endpoints": {empty, weight(0)},
		"weight 0, no Service":   {deleted, weight(0)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.both(-1)
				c.prepare(s)
				_, took, err := s.confirm(t.Context(), c.want)
				require.NoError(t, err)
				require.GreaterOrEqual(t, took, graces[KindTraefik])
				require.Less(t, took, graces[KindTraefik]+time.Second)
			})
		})
	}
}

// TestConfirmUnsure goes back to a weight that the replicas still show, since
// they have not got to the one in between.
func TestConfirmUnsure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.both(100)
		time.AfterFunc(time.Second, func() { s.second.take(0, nil) })
		time.AfterFunc(2*time.Second, func() { s.second.take(100, nil) })
		_, took, err := s.confirm(t.Context(), demoWant(func(w *Want) { w.Weight, w.Unsure = 100, true }))
		require.NoError(t, err)
		require.GreaterOrEqual(t, took, graces[KindTraefik])
		require.Less(t, took, graces[KindTraefik]+time.Second)
	})
}

// TestConfirmUnsureFrozen is a replica that was frozen before the change in between
// reached it: when it goes on it still shows what is wanted, and goes through that
// change first.
func TestConfirmUnsureFrozen(t *testing.T) {
	const frozen = 30 * time.Second
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.both(0)
		s.second.freeze(true)
		time.AfterFunc(frozen, func() { s.second.freeze(false) })
		time.AfterFunc(frozen+time.Second, func() { s.second.take(10, nil) })
		time.AfterFunc(frozen+3*time.Second, func() { s.second.take(0, nil) })
		_, took, err := s.confirm(t.Context(), demoWant(func(w *Want) { w.Unsure = true }))
		require.NoError(t, err)
		require.GreaterOrEqual(t, took, frozen+graces[KindTraefik])
		require.Less(t, took, frozen+graces[KindTraefik]+time.Second)
	})
}

// TestConfirmUnsureByNonce is a replica that shows what is wanted from before a change
// that was not confirmed, and longer than a grace. The nonce tells when it has got past
// both, and then nothing has to be waited for.
func TestConfirmUnsureByNonce(t *testing.T) {
	const frozen = 30 * time.Second
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		want := demoWant(func(w *Want) { w.Weight, w.Unsure, w.Nonce = 100, true, "n2" })
		s.both(100)
		s.first.take(100, want.matched())
		time.AfterFunc(frozen, func() { s.second.take(0, Want{Nonce: "n1"}.matched()) })
		time.AfterFunc(frozen+time.Second, func() { s.second.take(100, want.matched()) })
		_, took, err := s.confirm(t.Context(), want)
		require.NoError(t, err)
		require.GreaterOrEqual(t, took, frozen+time.Second)
		require.Less(t, took, frozen+2*time.Second)
	})
}

// TestDoorsOfClients are the ports at which clients come in.
func TestDoorsOfClients(t *testing.T) {
	port := func(name string, number int32, protocol corev1.Protocol) discoveryv1.EndpointPort {
		return discoveryv1.EndpointPort{Name: &name, Port: &number, Protocol: &protocol}
	}
	slice := &discoveryv1.EndpointSlice{Ports: []discoveryv1.EndpointPort{
		port("web", 8000, corev1.ProtocolTCP), port("websecure", 8443, corev1.ProtocolTCP), port("http3", 8443, corev1.ProtocolUDP),
		port("api", 8080, corev1.ProtocolTCP), port("metrics", 9100, corev1.ProtocolTCP),
	}}
	unnamed := &discoveryv1.EndpointSlice{Ports: []discoveryv1.EndpointPort{{Port: new(int32(80))}}}
	for name, c := range map[string]struct {
		config Config
		slice  *discoveryv1.EndpointSlice
		want   []string
	}{
		"all but API and metrics": {Config{Kind: KindTraefik, APIPort: "api", MetricsPort: "metrics"}, slice, []string{"10.0.0.1:8000", "10.0.0.1:8443"}},
		"the API by its number":   {Config{Kind: KindTraefik, APIPort: "8080", MetricsPort: "9100"}, slice, []string{"10.0.0.1:8000", "10.0.0.1:8443"}},
		"probes have their own":   {Config{Kind: KindTraefik, APIPort: "api", MetricsPort: "metrics", ProbePort: "81"}, slice, []string{"10.0.0.1:8000", "10.0.0.1:8443", "10.0.0.1:81"}},
		"a port without a name":   {Config{Kind: KindNginx}, unnamed, []string{"10.0.0.1:80"}},
		"the API alone":           {Config{Kind: KindTraefik, APIPort: "80"}, unnamed, nil},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, c.config.doorsOf(c.slice, "10.0.0.1"))
		})
	}
}

// TestKnock connects to a port that is open and to one that was closed.
func TestKnock(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.Listener.Addr().String()
	require.NoError(t, knock(t.Context(), address))
	server.Close()
	require.True(t, refuses(knock(t.Context(), address)))
}

func TestConfirmByGrace(t *testing.T) {
	cases := map[string]struct {
		cfg  Config
		want Want
		took time.Duration
	}{
		"class not configured":   {Config{}, weight(10), 10 * time.Second},
		"traefik without API":    {Config{Kind: KindTraefik}, weight(10), 5 * time.Second},
		"ingress-nginx":          {Config{Kind: KindNginx}, weight(10), 10 * time.Second},
		"higress":                {Config{Kind: KindHigress}, weight(10), 10 * time.Second},
		"aliyun-alb":             {Config{Kind: KindALB}, weight(10), time.Minute},
		"own grace":              {Config{Kind: KindNginx, Grace: new(3 * time.Second)}, weight(10), 3 * time.Second},
		"own grace of 0":         {Config{Kind: KindNginx, Grace: new(time.Duration(0))}, weight(10), 0},
		"no gateway":             {Config{Kind: KindNone}, weight(10), 0},
		"a part is over":         {Config{Kind: KindNginx}, demoWant(func(w *Want) { w.Weight, w.Waited = 10, 4*time.Second }), 6 * time.Second},
		"all is over":            {Config{Kind: KindNginx}, demoWant(func(w *Want) { w.Weight, w.Waited = 10, time.Hour }), 0},
		"grace is pinned":        {Config{Kind: KindTraefik, Service: "edge/traefik", APIPort: "8080"}, demoWant(func(w *Want) { w.Weight, w.Level = 10, LevelGrace }), 5 * time.Second},
		"no path to the Service": {Config{Kind: KindTraefik, Service: "a/b", APIPort: "api"}, demoWant(func(w *Want) { w.Backends = nil }), 5 * time.Second},
		"servers not its state":  {Config{Kind: KindTraefik, Service: "a/b", APIPort: "api"}, demoWant(func(w *Want) { w.Servers, w.Indirect = true, true }), 5 * time.Second},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, func(cfg *Config) { *cfg = c.cfg })
				result, took, err := s.confirm(t.Context(), c.want)
				require.NoError(t, err)
				require.Equal(t, Result{Level: LevelGrace}, result)
				require.Equal(t, c.took, took)
				require.GreaterOrEqual(t, len(s.told), int(c.took/time.Second))
			})
		})
	}
}

func TestConfirmGraceEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(cfg *Config) { *cfg = Config{Kind: KindALB} })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err := s.confirm(ctx, weight(10))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "waiting 1m0s for the gateway")
	})
}

// TestConfirmAsksLittle bounds what a confirmation costs the gateway.
func TestConfirmAsksLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.both(10)
		time.AfterFunc(2*time.Second, func() { s.both(30) })
		_, _, err := s.confirm(t.Context(), weight(30))
		require.NoError(t, err)
		require.LessOrEqual(t, s.first.asked, 2*3+int(2*time.Second/pollInterval)+1)
	})
}

func TestNotTraefik(t *testing.T) {
	cases := map[string]struct {
		handler http.HandlerFunc
		says    string
	}{
		"other server":  {http.NotFound, "has no Traefik API there: check apiPort"},
		"unauthorized":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, "answers GET /api/http/services/default-demo-demo-80-wrr@kubernetesingressnginx with 401 Unauthorized"},
		"not JSON":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "with something that is not of Traefik's API"},
		"endless":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxAnswer+1)) }, "with something that is not of Traefik's API"},
		"JSON of other": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"error":"nope"}`, http.StatusNotFound) }, "has no Traefik API there"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.gateways.client.Transport = wires{"10.0.0.1:8080": c.handler, "10.0.0.2:8080": c.handler}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, _, err := s.confirm(ctx, demoWant(func(w *Want) { w.Absent = true }))
				require.ErrorContains(t, err, c.says)
			})
		})
	}
}
