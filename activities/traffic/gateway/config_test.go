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
		"service missing":   {Config{Kind: KindTraefik, APIPort: "api"}, "service and apiPort"},
		"no namespace":      {Config{Kind: KindTraefik, Service: "traefik", APIPort: "api"}, "use namespace/name"},
		"too many parts":    {Config{Kind: KindTraefik, Service: "a/b/c", APIPort: "api"}, "use namespace/name"},
		"port out of range": {Config{Kind: KindTraefik, Service: "a/b", APIPort: "70000"}, "apiPort: 70000 is not a port"},
		"negative grace":    {Config{Grace: -time.Second}, "must not be negative"},
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

	found, err := replicasOf(view, Config{Service: "edge/traefik", APIPort: "api"})
	require.NoError(t, err)
	require.Equal(t, map[string]replica{
		"10.0.0.1:9000": {address: "10.0.0.1:9000"},
		"10.0.0.2:9000": {address: "10.0.0.2:9000"},
		"10.0.0.4:9000": {address: "10.0.0.4:9000", leaving: true},
	}, found)

	found, err = replicasOf(view, Config{Service: "edge/traefik", APIPort: "8080"})
	require.NoError(t, err)
	require.Contains(t, found, "10.0.0.1:8080")

	_, err = replicasOf(view, Config{Service: "edge/traefik", APIPort: "admin"})
	require.EqualError(t, err, "no replica of the gateway found: the EndpointSlices of Service edge/traefik have no ready endpoint with port admin")
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
