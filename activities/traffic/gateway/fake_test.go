package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"sluice.dev/sluice/config"
)

// fakeView is a cluster that a test writes.
type fakeView struct {
	mu       sync.Mutex
	services cache.Indexer
	slices   map[string][]*discoveryv1.EndpointSlice
}

func newView() *fakeView {
	v := &fakeView{
		services: cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}),
		slices:   map[string][]*discoveryv1.EndpointSlice{},
	}
	v.service("default", "demo", 80)
	v.service("default", "demo-canary", 80)
	v.endpoints("default", "demo", "http", 8080, "10.244.1.1", "10.244.1.2")
	v.endpoints("default", "demo-canary", "http", 8080, "10.244.1.9")
	return v
}

func (v *fakeView) Services(namespace string) corelisters.ServiceNamespaceLister {
	return corelisters.NewServiceLister(v.services).Services(namespace)
}

func (v *fakeView) SlicesOf(namespace, service string) []*discoveryv1.EndpointSlice {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.slices[namespace+"/"+service]
}

func (v *fakeView) service(namespace, name string, port int32) {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	s.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: port}}
	_ = v.services.Add(s)
}

// endpoints replaces the slices of a Service by one with ready pods.
func (v *fakeView) endpoints(namespace, service, portName string, port int32, addresses ...string) *discoveryv1.EndpointSlice {
	var list []discoveryv1.Endpoint
	for _, address := range addresses {
		list = append(list, endpoint(address, true, true, false))
	}
	return v.publish(namespace, service, portName, port, list...)
}

// publish replaces the slices of a Service by one.
func (v *fakeView) publish(namespace, service, portName string, port int32, list ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{Ports: []discoveryv1.EndpointPort{{Name: &portName, Port: &port}}, Endpoints: list}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.slices[namespace+"/"+service] = []*discoveryv1.EndpointSlice{s}
	return s
}

func endpoint(address string, ready, serving, terminating bool) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{
		Addresses:  []string{address},
		Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &terminating},
	}
}

// traefikReplica answers as the API of Traefik does for the Ingress default/demo.
type traefikReplica struct {
	mu     sync.Mutex
	frozen bool
	asked  int
	// objects by path below /api/http.
	objects map[string]any
}

func newReplica() *traefikReplica {
	r := &traefikReplica{}
	r.take(-1, nil)
	return r
}

// take makes the replica's state that of a canary of a weight, none if negative.
func (r *traefikReplica) take(weight int, matches []config.Match) {
	const stable = "default-demo-demo-80"
	objects := map[string]any{"services/" + stable: balancer("10.244.1.1", "10.244.1.2")}
	if weight >= 0 {
		objects["services/"+stable+"-canary"] = balancer("10.244.1.9")
		objects["services/"+stable+"-wrr"] = map[string]any{"weighted": map[string]any{"services": []any{
			map[string]any{"name": stable, "weight": 100 - weight},
			map[string]any{"name": stable + "-canary", "weight": weight},
		}}}
	}
	if len(matches) > 0 {
		objects["routers/default-demo-rule-0-path-0-canary"] = map[string]any{
			"rule": `(Path("/version")) && (` + traefikRule(matches) + ")", "status": "enabled",
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.objects = objects
}

func (r *traefikReplica) set(path string, object any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.objects[path] = object
}

func balancer(addresses ...string) map[string]any {
	var list []any
	for _, address := range addresses {
		list = append(list, map[string]any{"url": "http://" + address + ":8080"})
	}
	return map[string]any{"loadBalancer": map[string]any{"servers": list}}
}

func (r *traefikReplica) freeze(frozen bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen = frozen
}

func (r *traefikReplica) ServeHTTP(out http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.asked++
	frozen := r.frozen
	path, _, known := strings.Cut(strings.TrimPrefix(req.URL.Path, "/api/http/"), "@"+traefikProvider)
	object, found := r.objects[path]
	r.mu.Unlock()
	if frozen {
		<-req.Context().Done()
		return
	}
	out.Header().Set("Content-Type", "application/json")
	if !known || !found {
		http.Error(out, fmt.Sprintf(`{"message":"service not found: %s"}`, path), http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(out).Encode(object)
}

func client(network http.RoundTripper) *http.Client { return &http.Client{Transport: network} }

func podRef(i int) *corev1.ObjectReference {
	return &corev1.ObjectReference{Kind: "Pod", Namespace: "default", Name: fmt.Sprintf("demo-%d", i)}
}

// wires is a network without sockets, so that time in a test is the test's.
type wires map[string]http.Handler

func (w wires) RoundTrip(req *http.Request) (*http.Response, error) {
	handler, ok := w[req.URL.Host]
	if !ok {
		return nil, fmt.Errorf("no such host: %s", req.URL.Host)
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

// site is two replicas of Traefik in front of the Ingress default/demo.
type site struct {
	*fakeView
	first, second *traefikReplica
	gateways      *Gateways
	told          []string
}

const traefikClass = "nginx"

func newSite(t *testing.T, change ...func(*Config)) *site {
	t.Helper()
	s := &site{fakeView: newView(), first: newReplica(), second: newReplica()}
	s.endpoints("edge", "traefik", "web", 8000, "10.0.0.1", "10.0.0.2")
	cfg := Config{Kind: KindTraefik, Service: "edge/traefik", APIPort: "8080"}
	for _, c := range change {
		c(&cfg)
	}
	network := wires{"10.0.0.1:8080": s.first, "10.0.0.2:8080": s.second}
	gateways, err := New(map[string]Config{traefikClass: cfg}, s, network)
	require.NoError(t, err)
	s.gateways = gateways
	return s
}

// confirm gives up after some minutes, so that a mistake fails and does not hang.
func (s *site) confirm(ctx context.Context, want Want) (Result, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	begun := time.Now()
	result, err := s.gateways.Confirm(ctx, traefikClass, want, func(progress string, _ time.Duration) { s.told = append(s.told, progress) })
	return result, time.Since(begun), err
}

// both makes the state of both replicas that of a canary.
func (s *site) both(weight int, matches ...config.Match) {
	s.first.take(weight, matches)
	s.second.take(weight, matches)
}

func demoWant(change func(*Want)) Want {
	want := Want{
		Namespace: "default", Ingress: "demo", Service: "demo", CanaryService: "demo-canary",
		Backends: []Backend{{Port: networkingv1.ServiceBackendPort{Number: 80}}},
	}
	if change != nil {
		change(&want)
	}
	return want
}

func weight(n int) Want { return demoWant(func(w *Want) { w.Weight = n }) }

func header(kind config.MatchType, value string) config.Match {
	return config.Match{Headers: []config.ValueMatch{{Name: "user-agent", Type: kind, Value: value}}}
}

func cookie(name string) config.Match {
	return config.Match{Cookies: []config.ValueMatch{{Name: name, Type: config.MatchExact, Value: "always"}}}
}
