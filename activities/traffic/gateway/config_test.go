package gateway

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

func TestConfigValidate(t *testing.T) {
	cases := map[string]struct {
		cfg  Config
		says string
	}{
		"zero":              {Config{}, ""},
		"traefik":           {Config{Kind: KindTraefik, Service: "edge/traefik", APIPort: "api"}, ""},
		"port number":       {Config{Kind: KindTraefik, Service: "edge/traefik", APIPort: "8080"}, ""},
		"unknown kind":      {Config{Kind: "nginx"}, `kind: "nginx" is not known: use traefik, ingress-nginx, higress, aliyun-alb or none`},
		"port missing":      {Config{Kind: KindTraefik, Service: "edge/traefik"}, "service and apiPort"},
		"probes alone":      {Config{Kind: KindNginx, Service: "edge/nginx"}, ""},
		"service missing":   {Config{Kind: KindTraefik, APIPort: "api"}, "service and apiPort"},
		"no namespace":      {Config{Kind: KindTraefik, Service: "traefik", APIPort: "api"}, "use namespace/name"},
		"too many parts":    {Config{Kind: KindTraefik, Service: "a/b/c", APIPort: "api"}, "use namespace/name"},
		"port out of range": {Config{Kind: KindTraefik, Service: "a/b", APIPort: "70000"}, "apiPort: 70000 is not a port"},
		"probe port":        {Config{Kind: KindNginx, Service: "a/b", ProbePort: "0"}, "probePort: 0 is not a port"},
		"negative grace":    {Config{Grace: new(-time.Second)}, "must not be negative"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := c.cfg.Validate()
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
			_, err = New(map[string]Config{"web": c.cfg}, newView(), nil)
			require.ErrorContains(t, err, `reading the configuration of gateway "web": `)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestReplicas(t *testing.T) {
	view := newView()
	slice := view.endpoints("edge", "traefik", "api", 9000, "10.0.0.1", "10.0.0.2")
	slice.Endpoints = append(slice.Endpoints,
		endpoint("10.0.0.3", false, false, false), endpoint("10.0.0.4", false, true, true), endpoint("10.0.0.5", false, false, true))

	list := func(port string) (map[string]replica, error) {
		cfg := Config{Service: "edge/traefik", APIPort: port}
		return replicasOf(view, cfg, cfg.apiPort, port)
	}
	found, err := list("api")
	require.NoError(t, err)
	require.Equal(t, map[string]replica{
		"10.0.0.1:9000": {address: "10.0.0.1:9000"},
		"10.0.0.2:9000": {address: "10.0.0.2:9000"},
		"10.0.0.3:9000": {address: "10.0.0.3:9000", closing: true},
		"10.0.0.4:9000": {address: "10.0.0.4:9000", closing: true},
		"10.0.0.5:9000": {address: "10.0.0.5:9000", closing: true},
	}, found)

	found, err = list("8080")
	require.NoError(t, err)
	require.Contains(t, found, "10.0.0.1:8080")

	_, err = list("admin")
	require.EqualError(t, err, "no replica of the gateway found: the EndpointSlices of Service edge/traefik have no ready endpoint with port admin")
}

func TestDoors(t *testing.T) {
	slice := func(names ...string) *discoveryv1.EndpointSlice {
		s := &discoveryv1.EndpointSlice{}
		for i, name := range names {
			s.Ports = append(s.Ports, discoveryv1.EndpointPort{Name: &name, Port: new(int32(9000 + i))})
		}
		return s
	}
	cases := map[string]struct {
		cfg    Config
		secure bool
		slice  *discoveryv1.EndpointSlice
		number int
		tls    bool
	}{
		"plain":        {Config{}, false, slice("api", "websecure", "web"), 9002, false},
		"TLS":          {Config{}, true, slice("http", "https"), 9001, true},
		"TLS, no port": {Config{}, true, slice("http"), 9000, false},
		"by name":      {Config{ProbePort: "inner"}, true, slice("http", "inner"), 9001, false},
		"by number":    {Config{ProbePort: "8080"}, false, slice("http"), 8080, false},
		"443":          {Config{ProbePort: "443"}, false, slice(), 443, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			number, secure, ok := c.cfg.door(c.secure)(c.slice)
			require.True(t, ok)
			require.Equal(t, c.number, number)
			require.Equal(t, c.tls, secure)
		})
	}
	_, _, ok := Config{}.door(false)(slice("grpc"))
	require.False(t, ok)
}

func TestReadyEndpointsCountsPodsOnce(t *testing.T) {
	view := newView()
	four := view.endpoints("default", "demo", "http", 8080, "10.244.1.1", "10.244.1.2")
	four.Endpoints = append(four.Endpoints, endpoint("10.244.1.3", false, true, true), endpoint("10.244.1.4", true, true, true), endpoint("10.244.1.5", false, false, false))
	six := four.DeepCopy()
	for i := range six.Endpoints {
		pod := podRef(i)
		four.Endpoints[i].TargetRef, six.Endpoints[i].TargetRef = pod, pod
		six.Endpoints[i].Addresses[0] = "fd00::1"
	}
	require.Equal(t, 2, ReadyEndpoints([]*discoveryv1.EndpointSlice{four, six}))
	require.Zero(t, ReadyEndpoints(nil))
}

func TestBackendsOf(t *testing.T) {
	path := func(service string, port networkingv1.ServiceBackendPort) networkingv1.HTTPIngressPath {
		return networkingv1.HTTPIngressPath{Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: service, Port: port}}}
	}
	http, admin := networkingv1.ServiceBackendPort{Name: "http"}, networkingv1.ServiceBackendPort{Number: 81}
	rule := func(paths ...networkingv1.HTTPIngressPath) networkingv1.IngressRule {
		return networkingv1.IngressRule{IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: paths}}}
	}
	ingress := &networkingv1.Ingress{Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{
		{Host: "empty"},
		rule(path("other", http), path("demo", http), networkingv1.HTTPIngressPath{}),
		rule(path("demo", http), path("demo", admin)),
	}}}
	require.Equal(t, []Backend{{Port: http, Rule: 1, Path: 1}, {Port: admin, Rule: 2, Path: 1}}, BackendsOf(ingress, "demo"))
	require.Empty(t, BackendsOf(ingress, "none"))
}
