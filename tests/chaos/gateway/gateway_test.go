package gateway_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/tests/chaos/gateway"
	"sluice.dev/sluice/tests/chaos/oracle"
)

const prefix = "nginx.ingress.kubernetes.io/"

// end is a kind of endpoints of one side.
type end int

const (
	ready end = iota
	terminating
	none
)

func slice(service, ip string, e end) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{
		Name: service + "-1", Namespace: kubetest.Namespace, Labels: map[string]string{discoveryv1.LabelServiceName: service},
	}}
	if e != none {
		s.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{
			Ready: new(e == ready), Serving: new(true), Terminating: new(e == terminating),
		}}}
	}
	return s
}

func canary(notes map[string]string) *netv1.Ingress {
	k := kubetest.Ingress()
	k.Name = "demo-canary"
	k.Annotations[prefix+"canary"] = "true"
	for name, value := range notes {
		k.Annotations[prefix+name] = value
	}
	k.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "demo-canary"
	return k
}

// TestPersonalities checks what becomes of 100 requests where the personalities
// differ.
func TestPersonalities(t *testing.T) {
	type fate struct{ stable, canary, lost int }
	for name, c := range map[string]struct {
		weight             string
		stable, canary     end
		nginx, traefik, gw fate
	}{
		"both ready":              {"20", ready, ready, fate{80, 20, 0}, fate{80, 20, 0}, fate{80, 20, 0}},
		"canary empty":            {"20", ready, none, fate{100, 0, 0}, fate{100, 0, 0}, fate{80, 0, 20}},
		"canary terminating":      {"20", ready, terminating, fate{100, 0, 0}, fate{80, 0, 20}, fate{80, 0, 20}},
		"stable empty":            {"20", none, ready, fate{0, 0, 100}, fate{0, 20, 80}, fate{0, 20, 80}},
		"stable empty, all to it": {"100", none, ready, fate{0, 0, 100}, fate{0, 100, 0}, fate{0, 100, 0}},
		"all terminating":         {"20", terminating, terminating, fate{0, 0, 100}, fate{0, 0, 100}, fate{0, 0, 100}},
		"weight 0, canary empty":  {"0", ready, none, fate{100, 0, 0}, fate{100, 0, 0}, fate{100, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			for personality, want := range map[gateway.Personality]fate{gateway.Nginx: c.nginx, gateway.Traefik: c.traefik, gateway.GatewayAPI: c.gw} {
				synctest.Test(t, func(t *testing.T) {
					g := gateway.New("one", "10.9.0.1:8080", personality, gateway.Lag{})
					g.See(watch.Added, kubetest.Ingress())
					g.See(watch.Added, canary(map[string]string{"canary-weight": c.weight}))
					g.See(watch.Added, slice("demo", "10.0.0.1", c.stable))
					g.See(watch.Added, slice("demo-canary", "10.0.0.2", c.canary))
					time.Sleep(time.Millisecond)
					var got fate
					for range 100 {
						switch a := g.Ask(oracle.Request{Path: "/version", Header: http.Header{}}); {
						case a.Lost != "":
							got.lost++
						case a.Pod == "10.0.0.2":
							got.canary++
						default:
							got.stable++
						}
					}
					require.Equal(t, want, got, personality)
				})
			}
		})
	}
}

// TestLagAndFreeze checks when a change counts.
func TestLagAndFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gateway.New("one", "10.9.0.1:8080", gateway.Traefik, gateway.Lag{Routes: 2 * time.Second, Endpoints: time.Second})
		ask := func() string { return g.Ask(oracle.Request{Path: "/version", Header: http.Header{}}).Pod }
		g.See(watch.Added, kubetest.Ingress())
		g.See(watch.Added, slice("demo", "10.0.0.1", ready))
		time.Sleep(1900 * time.Millisecond)
		require.Empty(t, ask(), "the route has not come yet")
		time.Sleep(200 * time.Millisecond)
		require.Equal(t, "10.0.0.1", ask())
		g.Freeze(30 * time.Second)
		g.See(watch.Modified, slice("demo", "10.0.0.9", ready))
		time.Sleep(29 * time.Second)
		require.Equal(t, "10.0.0.1", ask(), "a frozen replica goes on with what it knows")
		time.Sleep(2 * time.Second)
		require.Equal(t, "10.0.0.9", ask())
		g.See(watch.Deleted, slice("demo", "10.0.0.9", ready))
		time.Sleep(2 * time.Second)
		require.Empty(t, ask())
	})
}

func TestAPIRefusesStrangers(t *testing.T) {
	request, err := http.NewRequest(http.MethodGet, "http://10.9.0.7:8080/api/http/services/x", nil)
	require.NoError(t, err)
	_, err = gateway.API{}.RoundTrip(request)
	require.ErrorContains(t, err, "nobody is there")
}
