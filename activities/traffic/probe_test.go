package traffic

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/config"
)

// door is one replica of ingress-nginx: it follows the canary Ingress with a lag,
// and answers for both sides. Its weights send everything or nothing.
type door struct {
	server *kubetest.Server
	lag    time.Duration
	// answers of stable and canary; "random" differ from each other, none is a 404.
	stable, canary string
	// route in use, the one that is known, and since when it is.
	route, known string
	changed      time.Time
	paths        []string
}

func (d *door) RoundTrip(req *http.Request) (*http.Response, error) {
	if now := d.now(); now != d.known {
		d.known, d.changed = now, time.Now()
	}
	if time.Since(d.changed) >= d.lag {
		d.route = d.known
	}
	d.paths = append(d.paths, req.Host+req.URL.Path)
	var notes map[string]string
	_ = json.Unmarshal([]byte(d.route), &notes)
	header, value := notes[nginxHeader], notes[nginxHeaderValue]
	answer, code := d.stable, http.StatusOK
	switch answer {
	case "random":
		answer = fmt.Sprint(len(d.paths))
	case "":
		code = http.StatusNotFound
	}
	if notes[nginxWeight] == "100" || header != "" && req.Header.Get(header) == value {
		answer = d.canary
	}
	r := response(code, answer)
	r.Status = fmt.Sprint(code)
	r.Header = http.Header{"X-Version": {answer}}
	return r, nil
}

// now is the route of the canary Ingress as text, empty if there is none.
func (d *door) now() string {
	k, err := d.server.Tracker().Get(networkingv1.SchemeGroupVersion.WithResource("ingresses"), kubetest.Namespace, "demo-canary")
	ingress, ok := k.(*networkingv1.Ingress)
	if !ok || err != nil {
		return ""
	}
	text, _ := json.Marshal(ingress.Annotations)
	return string(text)
}

// doorFixture is the fixture with one replica of ingress-nginx.
func doorFixture(t *testing.T, objects ...runtime.Object) (*fixture, *door) {
	t.Helper()
	f := newFixture(t, append([]runtime.Object{kubetest.Ingress()}, objects...)...)
	d := &door{server: f.server, stable: "v1", canary: "v2"}
	d.known = d.now()
	d.route = d.known
	gateways, err := gateway.New(map[string]gateway.Config{"nginx": {Kind: gateway.KindNginx, Service: "edge/traefik"}}, f.Cluster, d)
	require.NoError(t, err)
	f.Gateways = gateways
	return f, d
}

// probed asks for a route with a probe.
func probed(seq int64, weight int, probe config.Probe) RouteRequest {
	req := request(seq, weight)
	req.Ref.Confirm.Probe = &probe
	return req
}

var byHeader = config.Probe{Header: "X-Version", Equals: "v2"}

func TestSetRouteByProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := doorFixture(t)
		d.lag = 3 * time.Second
		seen := map[string]bool{}
		for i, weight := range []int{0, 30, 100, 0} {
			got, err := f.set(probed(int64(i+1), weight, byHeader))
			require.NoError(t, err)
			require.Equal(t, Confirmation{Level: LevelProbe, Gateways: 1, Expected: 1, Millis: got.Millis, Wrote: true}, got)
			require.GreaterOrEqual(t, got.Millis, int64(4000), "the lag and the dwell")
			require.Less(t, got.Millis, int64(5000))
			require.Equal(t, config.ProbeHeader, f.live().Annotations[nginxHeader])
			value := f.live().Annotations[nginxHeaderValue]
			require.Len(t, value, 24)
			require.False(t, seen[value], "every write has a nonce of its own")
			seen[value] = true
		}
		require.Equal(t, d.paths[0][len(d.paths[0])-len("/version"):], "/version", "the path of the Ingress")
		absent := probed(5, 0, byHeader)
		absent.Absent = true
		got, err := f.set(absent)
		require.NoError(t, err)
		require.Equal(t, LevelProbe, got.Level)
		require.GreaterOrEqual(t, got.Millis, int64(4000))
	})
}

func TestSetRouteByProbeRepeatedIsTheSameWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := doorFixture(t)
		for _, seq := range []int64{1, 2} {
			_, err := f.set(probed(seq, 10, byHeader))
			require.NoError(t, err)
		}
		writes, before := len(f.server.Writes()), f.live()
		got, err := f.set(probed(2, 10, byHeader))
		require.NoError(t, err)
		require.False(t, got.Wrote)
		require.Equal(t, LevelProbe, got.Level)
		require.Len(t, f.server.Writes(), writes)
		require.Equal(t, before.Annotations, f.live().Annotations)
	})
}

func TestSetRouteByProbeOfAMatch(t *testing.T) {
	android := func(kind config.MatchType) []config.Match {
		return []config.Match{{Headers: []config.ValueMatch{{Name: "user-agent", Type: kind, Value: "android"}}}}
	}
	cases := map[string]struct {
		kind  config.MatchType
		level Level
		note  string
	}{
		"exact":   {config.MatchExact, LevelProbe, ""},
		"pattern": {config.MatchRegex, LevelProbe, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, d := doorFixture(t)
				d.lag = time.Second
				_, err := f.set(probed(1, 0, byHeader))
				require.NoError(t, err)
				req := probed(2, 0, byHeader)
				req.Route.Matches = android(c.kind)
				got, err := f.set(req)
				require.NoError(t, err)
				require.Equal(t, c.level, got.Level)
				require.Equal(t, "user-agent", f.live().Annotations[nginxHeader])

				// A weight beside the same match is another route with the same header.
				req = probed(3, 50, byHeader)
				req.Route.Matches = android(c.kind)
				got, err = f.set(req)
				require.NoError(t, err)
				require.Equal(t, LevelGrace, got.Level)
				require.Equal(t, "no header tells the route from the one before: the match takes the place of the probe's", got.Note)
			})
		})
	}
}

func TestSetRouteByProbeFallsToGrace(t *testing.T) {
	cases := map[string]struct {
		objects []runtime.Object
		probe   config.Probe
		note    string
	}{
		"one revision on both sides": {[]runtime.Object{workload("r1", true)}, byHeader, "both sides may run the same revision"},
		"stable was not seen":        {nil, config.Probe{}, "nobody has seen what stable answers"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, d := doorFixture(t, c.objects...)
				got, err := f.set(probed(1, 0, c.probe))
				require.NoError(t, err)
				require.Equal(t, LevelGrace, got.Level)
				require.Contains(t, got.Note, c.note)
				require.Equal(t, int64(10_000), got.Millis)
				require.Empty(t, d.paths)
			})
		})
	}
	t.Run("pod names tell the sides apart", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			pod := &corev1.Pod{}
			pod.Namespace, pod.Name, pod.Labels = kubetest.Namespace, "demo-canary-1", map[string]string{release.LabelRollout: "r1", release.LabelTrack: release.TrackCanary}
			f, d := doorFixture(t, workload("r1", true), pod)
			d.stable, d.canary = "demo-7", "demo-canary-1"
			got, err := f.set(probed(1, 0, config.Probe{Contains: "{pod}"}))
			require.NoError(t, err)
			require.Equal(t, LevelProbe, got.Level)
		})
	})
}

func TestSetRouteByProbeNeverConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := doorFixture(t)
		d.lag = time.Hour
		_, err := f.set(probed(1, 10, byHeader))
		require.ErrorContains(t, err, "confirming the route of Ingress shop/demo: confirmed by 0 of 1 gateway replicas; 10.0.0.1:8080 does not send probes to canary yet (0 of 5)")
	})
}

func TestSetRouteCreatesOnlyWhileTheRolloutIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, kubetest.Ingress(), workload("", false))
		_, err := f.set(request(1, 10))
		requireTerminal(t, err, "Superseded")
		got, err := f.set(request(2, 0))
		require.NoError(t, err, "the way back needs none where there is none")
		require.Equal(t, LevelState, got.Level)
		require.Empty(t, f.server.Writes())
	})
}

// TestGraceIsNotShortened runs attempts of one activity: what counts of an
// earlier one is what its heartbeats prove.
func TestGraceIsNotShortened(t *testing.T) {
	const grace = 10 * time.Second
	version := func(f *fixture) string { return versionOf(f.live()) }
	cases := map[string]struct {
		left func(*fixture) trail
		took time.Duration
	}{
		"first attempt":          {func(*fixture) trail { return trail{} }, grace},
		"4 s were waited":        {func(f *fixture) trail { return trail{Version: version(f), Waited: 4 * time.Second} }, 6 * time.Second},
		"for another version":    {func(*fixture) trail { return trail{Version: "x", Waited: 4 * time.Second} }, grace},
		"a negative time":        {func(f *fixture) trail { return trail{Version: version(f), Waited: -time.Hour} }, grace},
		"more than there is":     {func(f *fixture) trail { return trail{Version: version(f), Waited: time.Hour} }, 0},
		"a version without time": {func(f *fixture) trail { return trail{Version: version(f)} }, grace},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, _ := doorFixture(t, canary("r1", 4, 30))
				got, err := f.setRoute(t.Context(), request(4, 30), c.left(f))
				require.NoError(t, err)
				require.Equal(t, LevelGrace, got.Level)
				require.Equal(t, c.took.Milliseconds(), got.Millis)
			})
		})
	}
	t.Run("a new write begins again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, _ := doorFixture(t, canary("r1", 4, 30))
			got, err := f.setRoute(t.Context(), request(4, 50), trail{Version: version(f), Waited: 9 * time.Second})
			require.NoError(t, err)
			require.Equal(t, grace.Milliseconds(), got.Millis)
		})
	})
}

// TestGraceLeavesATrail reads what an attempt leaves behind.
func TestGraceLeavesATrail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := doorFixture(t, canary("r1", 4, 30))
		env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
		var last trail
		env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
			var progress string
			require.NoError(t, details.Get(&progress, &last))
			require.Contains(t, progress, "waiting until the gateway has certainly taken the change")
		})
		env.RegisterActivity(f.Activities)
		_, err := env.ExecuteActivity(f.SetRoute, request(4, 30))
		require.NoError(t, err)
		require.Equal(t, versionOf(f.live()), last.Version)
		require.LessOrEqual(t, last.Waited, 10*time.Second)
	})
}

// TestRemovalIsProvenAfterACrash is an attempt that finds the route gone: the one
// before has left what a probe needs.
func TestRemovalIsProvenAfterACrash(t *testing.T) {
	absent := probed(5, 0, byHeader)
	absent.Absent = true
	gone := trail{Before: []earlier{{Name: config.ProbeHeader, Value: "abc"}}}
	for name, c := range map[string]struct {
		left  trail
		level Level
	}{"with a trail": {gone, LevelProbe}, "without": {trail{}, LevelGrace}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, _ := doorFixture(t)
				got, err := f.setRoute(t.Context(), absent, c.left)
				require.NoError(t, err)
				require.Equal(t, c.level, got.Level)
			})
		})
	}
}

func TestEarlierRoutesAreKeptWhileUnsure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := doorFixture(t)
		for i, weight := range []int{100, 30, 0} {
			req := probed(int64(i+1), weight, byHeader)
			req.Unsure = i > 0
			_, err := f.set(req)
			require.NoError(t, err)
		}
		var before []earlier
		require.NoError(t, json.Unmarshal([]byte(f.live().Annotations[release.AnnotationBefore]), &before))
		require.Len(t, before, 2)
		require.Equal(t, []int{100, 30}, []int{before[0].Weight, before[1].Weight})
		require.NotEqual(t, before[0].Value, before[1].Value)

		_, err := f.set(probed(4, 0, byHeader))
		require.NoError(t, err)
		before = nil
		require.NoError(t, json.Unmarshal([]byte(f.live().Annotations[release.AnnotationBefore]), &before))
		require.Len(t, before, 1)
	})
}

func TestValueOf(t *testing.T) {
	answer := gateway.Answer{Header: http.Header{"X-Version": {"v2"}}, Body: []byte(` {"app":{"version":"v3","build":7}} `)}
	cases := map[string]struct {
		probe config.Probe
		want  string
		says  string
	}{
		"header":        {config.Probe{Header: "x-version"}, "v2", ""},
		"no header":     {config.Probe{Header: "other"}, "", ""},
		"body":          {config.Probe{}, `{"app":{"version":"v3","build":7}}`, ""},
		"field":         {config.Probe{JSON: "app.version"}, "v3", ""},
		"number":        {config.Probe{JSON: "app.build"}, "7", ""},
		"missing field": {config.Probe{JSON: "app.name"}, "", "answers without field app.name: known are build, version"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := valueOf(c.probe, answer)
			if c.says != "" {
				require.EqualError(t, err, c.says)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	_, err := valueOf(config.Probe{JSON: "a"}, gateway.Answer{Body: []byte("<html>")})
	require.ErrorContains(t, err, "not JSON")
}

func TestTagOf(t *testing.T) {
	for image, tag := range map[string]string{
		"version:v1": "v1", "registry:5000/a/b:v2": "v2", "registry:5000/a/b": "", "a@sha256:00": "", "a:v3@sha256:00": "v3",
	} {
		require.Equal(t, tag, tagOf(image), image)
	}
	containers := []corev1.Container{{Name: "main", Image: "a:v1"}, {Name: "side", Image: "b:v7"}}
	require.Equal(t, "v1", tagsOf(containers)(""))
	require.Equal(t, "v7", tagsOf(containers)("side"))
	require.Empty(t, tagsOf(containers)("none"))
}

func TestProbesOfPlaces(t *testing.T) {
	base := kubetest.Ingress()
	base.Spec.Rules[0].Host = "shop.example.com"
	ref := kubetest.Ref(1)
	ref.Confirm.Probe = &config.Probe{}
	require.Equal(t, &gateway.Probe{Host: "shop.example.com", Path: "/version"}, doorOf(base, ref))
	base.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{"shop.example.com"}}}
	require.True(t, doorOf(base, ref).Secure)
	base.Spec.Rules[0].Host = "*.example.com"
	ref.Confirm.Probe = &config.Probe{Host: "a.example.com", Path: "/v"}
	require.Equal(t, &gateway.Probe{Host: "a.example.com", Path: "/v"}, doorOf(base, ref))
}

// TestProbeByCounters are the changes in which users may come by a rule of
// canary's, so that its counter says nothing of probes.
func TestProbeByCounters(t *testing.T) {
	cookie := []config.Match{{Cookies: []config.ValueMatch{{Name: "vip", Type: config.MatchExact, Value: cookieAlways}}}}
	cases := map[string]struct {
		before, route Route
		matched       bool
	}{
		"weights":        {Route{Weight: 10, Nonce: "a"}, Route{Weight: 30, Nonce: "b"}, false},
		"to a match":     {Route{Nonce: "a"}, Route{Nonce: "b", Matches: cookie}, true},
		"from a match":   {Route{Nonce: "a", Matches: cookie}, Route{Weight: 30, Nonce: "b"}, true},
		"between others": {Route{Nonce: "a", Matches: cookie}, Route{Nonce: "b", Matches: cookie}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			req := probed(2, c.route.Weight, config.Probe{Metrics: true})
			req.Route = c.route
			adapter, err := AdapterFor(req.Ref.Class)
			require.NoError(t, err)
			live, err := adapter.Render(kubetest.Ingress(), req.Ref, c.before)
			require.NoError(t, err)
			live.Annotations[release.AnnotationSeq] = "1"
			change := &change{req: req, adapter: adapter, base: kubetest.Ingress(), probing: true}
			change.before = change.earlierOf(live)
			got := (&Activities{}).probe(change)
			require.True(t, got.Counted)
			require.Equal(t, c.matched, got.Matched)
			require.Equal(t, gateway.Header{Name: config.ProbeHeader, Value: "a"}, got.Out)
			require.Equal(t, gateway.Header{Name: config.ProbeHeader, Value: "b"}, got.Into)
		})
	}
	unreadable := kubetest.Ingress()
	require.True(t, (&change{req: probed(2, 0, config.Probe{}), adapter: nginx{}}).earlierOf(unreadable)[0].Matched)
}
