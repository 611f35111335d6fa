package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// countingReplica routes as Traefik does, answers the same for both sides, and
// counts by router.
type countingReplica struct {
	*doorReplica
	// silent replicas do not count by router; slow is how late a request counts.
	silent bool
	slow   time.Duration
	counts map[string]int
}

func newCounting() *countingReplica {
	return &countingReplica{doorReplica: newDoor(), counts: map[string]int{}}
}

func (c *countingReplica) ServeHTTP(out http.ResponseWriter, req *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code != 0 {
		out.WriteHeader(c.code)
		return
	}
	if req.URL.Path == "/metrics" {
		fmt.Fprintln(out, "# TYPE traefik_router_requests_total counter")
		for service, n := range c.counts {
			fmt.Fprintf(out, "traefik_router_requests_total{code=\"200\",method=\"GET\",protocol=\"http\",router=\"r@p\",service=%q} %d\n", service+"@"+traefikProvider, n)
		}
		fmt.Fprintln(out, `traefik_service_requests_total{service="default-demo-demo-80-canary@kubernetesingressnginx"} 7e+06`)
		return
	}
	service := "default-demo-demo-80"
	switch {
	case c.rule.Name != "" && req.Header.Get(c.rule.Name) == c.rule.Value:
		service += "-canary"
	case c.exists:
		service += "-wrr"
	}
	if !c.silent {
		time.AfterFunc(c.slow, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.counts[service]++
		})
	}
}

// countedSite is two replicas of Traefik whose state cannot be read.
type countedSite struct {
	*site
	first, second *countingReplica
}

func newCountedSite(t *testing.T) *countedSite {
	t.Helper()
	s := &countedSite{site: newSite(t), first: newCounting(), second: newCounting()}
	network := wires{"10.0.0.1:8000": s.first, "10.0.0.2:8000": s.second, "10.0.0.1:9100": s.first, "10.0.0.2:9100": s.second}
	cfg := Config{Kind: KindTraefik, Service: "edge/traefik", APIPort: "8080", MetricsPort: "9100"}
	gateways, err := New(map[string]Config{traefikClass: cfg}, s.fakeView, network)
	require.NoError(t, err)
	s.gateways = gateways
	return s
}

func (s *countedSite) both(weight int, rule Header) {
	s.first.take(weight, rule)
	s.second.take(weight, rule)
}

// others send requests through both replicas until the test ends, with a header
// or without.
func (s *countedSite) others(t *testing.T, header Header) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	go func() {
		for ctx.Err() == nil {
			for _, address := range []string{"10.0.0.1:8000", "10.0.0.2:8000"} {
				_, _ = askThrough(ctx, s.gateways.doors, replica{address: address}, &Probe{Path: "/version"}, header)
			}
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
}

// tallied wants a weight that is to be seen by counters.
func tallied(weight int, into, out Header) Want {
	return demoWant(func(w *Want) {
		w.Weight, w.Level = weight, LevelProbe
		w.Probe = &Probe{Path: "/version", Into: into, Out: out, Counted: true}
	})
}

func TestTallyConfirms(t *testing.T) {
	none := Header{}
	cases := map[string]struct {
		weight int
		rule   Header
		want   Want
	}{
		"first route":          {0, nonce("a"), tallied(0, nonce("a"), none)},
		"weight up":            {30, nonce("b"), tallied(30, nonce("b"), nonce("a"))},
		"everything":           {100, nonce("b"), tallied(100, nonce("b"), nonce("a"))},
		"back from everything": {0, nonce("b"), tallied(0, nonce("b"), nonce("a"))},
		"removed":              {-1, none, absent(tallied(0, none, nonce("a")))},
	}
	for name, c := range cases {
		for _, slow := range []time.Duration{0, 200 * time.Millisecond} {
			t.Run(fmt.Sprint(name, slow), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newCountedSite(t)
					s.first.slow, s.second.slow = slow, slow
					s.both(c.weight, c.rule)
					s.others(t, none)
					result, took, err := s.confirm(t.Context(), c.want)
					require.NoError(t, err)
					require.Equal(t, Result{Level: LevelProbe, Replicas: 2}, result)
					require.GreaterOrEqual(t, took, probeDwell)
					require.Less(t, took, probeDwell+time.Second)
				})
			})
		}
	}
}

// TestTallyDoubts are replicas that follow the route before, or count nothing.
func TestTallyDoubts(t *testing.T) {
	none := Header{}
	gone := absent(tallied(0, none, nonce("a")))
	cases := map[string]struct {
		prepare func(s *countedSite)
		want    Want
		says    string
	}{
		"first route missing": {func(s *countedSite) { s.both(-1, none) }, tallied(0, nonce("a"), none), "has counted 0 probes for canary of 5"},
		"one is behind":       {func(s *countedSite) { s.both(30, nonce("b")); s.second.take(30, nonce("a")) }, tallied(30, nonce("b"), nonce("a")), "confirmed by 1 of 2 gateway replicas; 10.0.0.2:8000 has counted 0"},
		"all go there anyhow": {func(s *countedSite) { s.both(100, nonce("a")) }, tallied(30, nonce("b"), nonce("a")), "has counted 0 probes"},
		"not removed":         {func(s *countedSite) { s.both(0, nonce("a")) }, gone, "still sends probes of the route before to canary"},
		"counts late":         {func(s *countedSite) { s.both(0, nonce("a")); s.first.slow, s.second.slow = time.Second, time.Second }, gone, "still sends probes of the route before to canary"},
		"counts nothing":      {func(s *countedSite) { s.first.silent, s.second.silent = true, true }, gone, "--metrics.prometheus.addRoutersLabels=true"},
		"no metrics":          {func(s *countedSite) { s.first.code = http.StatusForbidden }, gone, "10.0.0.1:8000 answers GET /metrics with 403"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newCountedSite(t)
				if name != "counts nothing" {
					s.others(t, none)
				}
				c.prepare(s)
				_, _, err := s.confirm(t.Context(), c.want)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Contains(t, err.Error()+strings.Join(s.told, "\n"), c.says)
			})
		})
	}
}

// TestTallyCannotTell where users come by a rule, or the gateway is another.
func TestTallyCannotTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCountedSite(t)
		s.others(t, android)
		s.both(0, android)
		want := tallied(0, nonce("b"), android)
		want.Probe.Matched = true
		result, _, err := s.confirm(t.Context(), want)
		require.NoError(t, err)
		require.Equal(t, Result{Level: LevelGrace, Note: "users come by the rule of a match, too, so that counters do not tell probes"}, result)

		result, _, err = s.confirm(t.Context(), absent(tallied(0, Header{}, Header{})))
		require.NoError(t, err)
		require.Equal(t, Result{Level: LevelGrace, Note: "no header of a probe tells the route from the one before"}, result)
	})
}

// TestCounts is asked before anything is changed.
func TestCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCountedSite(t)
		probe := &Probe{Path: "/version"}
		require.ErrorContains(t, s.gateways.Counts(t.Context(), traefikClass, demoWant(nil)), "gateway replica 10.0.0.")
		_, err := s.gateways.Ask(t.Context(), traefikClass, probe)
		require.NoError(t, err)
		require.NoError(t, s.gateways.Counts(t.Context(), traefikClass, demoWant(nil)))

		other := demoWant(func(w *Want) { w.Ingress = "other" })
		require.ErrorContains(t, s.gateways.Counts(t.Context(), traefikClass, other), "does not count the requests of this Ingress by router")
	})
}

func TestMeterPort(t *testing.T) {
	view := newView()
	slice := view.endpoints("edge", "traefik", "web", 8000, "10.0.0.1")
	slice.Ports = append(slice.Ports, *slice.Ports[0].DeepCopy())
	slice.Ports[1].Name, slice.Ports[1].Port = new("metrics"), new(int32(9100))
	cases := map[string]struct {
		cfg  Config
		want string
	}{
		"by name":          {Config{Kind: KindTraefik, MetricsPort: "metrics"}, "10.0.0.1:9100"},
		"that of the API":  {Config{Kind: KindTraefik, APIPort: "8080"}, "10.0.0.1:8080"},
		"no such port":     {Config{Kind: KindTraefik, MetricsPort: "meter"}, ""},
		"no such counters": {Config{Kind: KindNginx, MetricsPort: "metrics"}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.cfg.Service = "edge/traefik"
			listed, err := replicasOf(view, c.cfg, c.cfg.door(false), "web")
			require.NoError(t, err)
			require.Equal(t, c.want, listed["10.0.0.1:8000"].meter)
		})
	}
	require.ErrorContains(t, Config{Kind: KindTraefik, Service: "a/b", APIPort: "api", MetricsPort: "70000"}.Validate(), "metricsPort: 70000 is not a port")
	_, err := meter{}.read(t.Context(), "")
	require.ErrorContains(t, err, "metricsPort")
}

func TestMeterReadsTheTextFormat(t *testing.T) {
	m := meter{ruled: map[string]bool{"canary": true}, plain: map[string]bool{"stable": true, "split": true}}
	sums, err := m.sum(strings.NewReader(`# TYPE traefik_router_requests_total counter
traefik_router_requests_total{code="200",router="a{b} \"c\", service=\"stable\"",service="canary"} 3
traefik_router_requests_total{service="stable",code="200"} 4
traefik_router_requests_total{service="split"} 1e+01 1700000000000
traefik_router_requests_total{service="other"} 99
traefik_service_requests_total{service="canary"} not parsed
`))
	require.NoError(t, err)
	require.Equal(t, counts{ruled: 3, plain: 14}, sums)

	none, err := m.sum(strings.NewReader(""))
	require.NoError(t, err)
	require.Zero(t, none)
	for _, bad := range []string{`traefik_router_requests_total{service="canary"} many` + "\n", `traefik_router_requests_total{service="canary` + "\n"} {
		_, err := m.sum(strings.NewReader(bad))
		require.ErrorContains(t, err, "counters that cannot be read")
	}
}
