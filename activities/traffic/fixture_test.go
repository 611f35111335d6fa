package traffic

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/config"
)

// fixture is a cluster with the Ingress shop/demo, two stable and one canary
// endpoint, and a gateway that takes changes after a lag.
type fixture struct {
	*Activities
	t       *testing.T
	server  *kubetest.Server
	gateway *fakeGateway
}

func newFixture(t *testing.T, objects ...runtime.Object) *fixture {
	t.Helper()
	server := kubetest.New()
	// The pods are not of interest here: the test publishes endpoints itself.
	server.Freeze()
	canary := kubetest.Service()
	canary.Name = "demo-canary"
	for _, o := range append([]runtime.Object{workload("r1", false), kubetest.Service(), canary, slice(kubetest.Namespace, "demo", "10.1.0.1", "10.1.0.2"),
		slice(kubetest.Namespace, "demo-canary", "10.1.0.9"), slice("edge", "traefik", "10.0.0.1")}, objects...) {
		server.Put(o)
	}
	f := &fixture{t: t, server: server, gateway: &fakeGateway{server: server}}
	f.gateway.known = f.gateway.now()
	f.gateway.used = f.gateway.known
	f.Activities = &Activities{Cluster: kubetest.Cluster(t, server)}
	f.configure(gateway.Config{Kind: gateway.KindTraefik, Service: "edge/traefik", APIPort: "http"})
	return f
}

// configure gives the class of the Ingress another gateway.
func (f *fixture) configure(c gateway.Config) {
	f.t.Helper()
	var err error
	f.Gateways, err = gateway.New(map[string]gateway.Config{"nginx": c}, f.Cluster, f.gateway)
	require.NoError(f.t, err)
}

// workload is the Deployment on which a rollout is open; no rollout has no ID.
func workload(id string, promoting bool) *appsv1.Deployment {
	d := kubetest.Deployment(5)
	if id != "" {
		text, _ := json.Marshal(release.Record{ID: id, Promoting: promoting})
		d.Annotations = map[string]string{release.AnnotationRelease: string(text)}
	}
	return d
}

func slice(namespace, service string, addresses ...string) *discoveryv1.EndpointSlice {
	name, port := "http", int32(8080)
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: namespace, Name: service + "-slice", Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
	}
	for _, address := range addresses {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}})
	}
	return s
}

// canary is the canary Ingress as an earlier operation of rollout id wrote it.
func canary(id string, seq int64, weight int) *networkingv1.Ingress {
	ref := kubetest.Ref(seq)
	ref.ID = id
	k, err := nginx{}.Render(kubetest.Ingress(), ref, Route{Weight: weight})
	if err != nil {
		panic(err)
	}
	k.Annotations[release.AnnotationMark] = kube.Mark(k)
	return k
}

func (f *fixture) live() *networkingv1.Ingress {
	f.t.Helper()
	k, err := f.server.NetworkingV1().Ingresses(kubetest.Namespace).Get(f.t.Context(), "demo-canary", metav1.GetOptions{})
	require.NoError(f.t, err)
	return k
}

// set runs SetRoute with a deadline of a minute.
func (f *fixture) set(req RouteRequest) (Confirmation, error) {
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	return f.SetRoute(ctx, req)
}

func request(seq int64, weight int) RouteRequest {
	return RouteRequest{Ref: kubetest.Ref(seq), Route: Route{Weight: weight}}
}

// fakeGateway is one replica of Traefik: it follows the canary Ingress with a
// lag and answers as the API of Traefik does.
type fakeGateway struct {
	server *kubetest.Server
	lag    time.Duration
	// used is the route in use; the one that is known is so since a time.
	used    shown
	known   shown
	changed time.Time
}

// shown is a route as the API shows it: its weight, empty where there is none, and
// the value of the probe's header.
type shown struct{ weight, nonce string }

func (g *fakeGateway) RoundTrip(req *http.Request) (*http.Response, error) {
	if now := g.now(); now != g.known {
		g.known, g.changed = now, time.Now()
	}
	if time.Since(g.changed) >= g.lag {
		g.used = g.known
	}
	return g.answer(req.URL.Path), nil
}

// now is the route of the canary Ingress.
func (g *fakeGateway) now() shown {
	k, err := g.server.Tracker().Get(networkingv1.SchemeGroupVersion.WithResource("ingresses"), kubetest.Namespace, "demo-canary")
	if ingress, ok := k.(*networkingv1.Ingress); ok && err == nil {
		return shown{ingress.Annotations[nginxWeight], ingress.Annotations[nginxHeaderValue]}
	}
	return shown{}
}

func (g *fakeGateway) answer(path string) *http.Response {
	const stable = "/api/http/services/shop-demo-demo-80"
	var weight int
	_, _ = fmt.Sscan(g.used.weight, &weight)
	bodies := map[string]string{stable + "@kubernetesingressnginx": servers("10.1.0.1", "10.1.0.2")}
	if g.used.weight != "" {
		bodies[stable+"-canary@kubernetesingressnginx"] = servers("10.1.0.9")
		bodies[stable+"-wrr@kubernetesingressnginx"] = fmt.Sprintf(`{"weighted":{"services":[
			{"name":"shop-demo-demo-80","weight":%d},{"name":"shop-demo-demo-80-canary","weight":%d}]}}`, 100-weight, weight)
	}
	if g.used.nonce != "" {
		bodies["/api/http/routers/shop-demo-rule-0-path-0-canary@kubernetesingressnginx"] = fmt.Sprintf(
			`{"status":"enabled","rule":"(Path(\"/\")) && (Header(\"%s\", \"%s\"))"}`, config.ProbeHeader, g.used.nonce)
	}
	if body, ok := bodies[path]; ok {
		return response(http.StatusOK, body)
	}
	return response(http.StatusNotFound, `{"message":"service not found"}`)
}

func response(code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Status: http.StatusText(code), Body: io.NopCloser(strings.NewReader(body))}
}

func servers(addresses ...string) string {
	list := []map[string]string{}
	for _, address := range addresses {
		list = append(list, map[string]string{"url": "http://" + address + ":8080"})
	}
	data, _ := json.Marshal(map[string]any{"loadBalancer": map[string]any{"servers": list}})
	return string(data)
}
