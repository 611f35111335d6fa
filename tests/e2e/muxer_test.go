package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/tests/chaos/oracle"
	"sluice.dev/sluice/tests/harness"
)

const (
	// muxerRules is how many canary Ingresses are compared at once, each on a path
	// of its own, and muxerRequests how many requests to each.
	muxerRules    = 160
	muxerRequests = 15
)

// muxed is one canary Ingress and what is asked of it.
type muxed struct {
	path  string
	notes map[string]string
	asked []oracle.Request
}

// TestOracleAgreesWithTraefik draws canary Ingresses, half of them rendered from
// documents and half written by hand, and requests: the real Traefik sends each of
// them where the oracle says. Requests that a weight decides about are left out.
func TestOracleAgreesWithTraefik(t *testing.T) {
	stage := newStage(t)
	seed := number(t, chaosSeed, 1)
	t.Logf("%s=%d", chaosSeed, seed)
	corpus := drawMuxed(rand.New(rand.NewPCG(uint64(seed), 5)))
	stage.mux(corpus)
	compared := 0
	require.NoError(t, harness.Await(stage.ctx, "Traefik does as the oracle says", func(ctx context.Context) (bool, error) {
		compared = 0
		for _, m := range corpus {
			for _, r := range m.asked {
				want := oracle.Traefik(m.notes, r)
				if want.Share != 0 && want.Share != want.Total {
					continue
				}
				got, err := ask(ctx, stage.Sandbox.State().Outside.GatewayURL, r)
				if err != nil {
					return false, err
				}
				if version := map[bool]string{true: "v2", false: "v1"}[want.Share > 0]; got != version {
					return false, fmt.Errorf("annotations %v, request %v: Traefik answers by %q, the oracle says %q", m.notes, r.Header, got, version)
				}
				compared++
			}
		}
		return true, nil
	}))
	require.Greater(t, compared, muxerRules*muxerRequests/2)
	t.Logf("%d requests compared", compared)
}

// drawMuxed draws the corpus.
func drawMuxed(rnd *rand.Rand) []muxed {
	corpus := make([]muxed, 0, muxerRules)
	for len(corpus) < muxerRules {
		m := muxed{path: fmt.Sprintf("/muxer/%04d", len(corpus)), notes: oracle.RandomAnnotations(rnd)}
		if len(corpus)%2 == 0 {
			adapter, _ := traffic.AdapterFor(traffic.ClassNginx) // it exists
			rendered, err := adapter.Render(kubetest.Ingress(), kubetest.Ref(1), oracle.RandomRoute(rnd))
			if err != nil {
				continue // no gateway of this class can do it
			}
			m.notes = rendered.Annotations
		}
		for range muxerRequests {
			r := oracle.RandomRequest(rnd)
			r.Path = m.path
			m.asked = append(m.asked, r)
		}
		corpus = append(corpus, m)
	}
	return corpus
}

// mux writes the Ingresses of a corpus. Each path has Services of its own, since
// Traefik decides about canaries by Service.
func (s *stage) mux(corpus []muxed) {
	main := s.ingress.DeepCopy()
	main.ObjectMeta = metav1.ObjectMeta{Name: "muxer", Namespace: s.namespace, Annotations: maps.Clone(s.ingress.Annotations)}
	main.Spec.Rules[0].HTTP.Paths = nil
	for i, m := range corpus {
		stable, canary := fmt.Sprint("stable-", i), fmt.Sprint("canary-", i)
		s.back(stable, s.v1)
		s.back(canary, s.v2)
		main.Spec.Rules[0].HTTP.Paths = append(main.Spec.Rules[0].HTTP.Paths, pathTo(m.path, stable))
		k := s.ingress.DeepCopy()
		k.ObjectMeta = metav1.ObjectMeta{Name: canary, Namespace: s.namespace, Annotations: maps.Clone(s.ingress.Annotations)}
		for name, value := range m.notes {
			if strings.HasPrefix(name, "nginx.ingress.kubernetes.io/") {
				k.Annotations[name] = value
			}
		}
		k.Spec.Rules[0].HTTP.Paths = []netv1.HTTPIngressPath{pathTo(m.path, canary)}
		s.publish(k)
	}
	s.publish(main)
}

func (s *stage) publish(k *netv1.Ingress) {
	_, err := s.Kube.NetworkingV1().Ingresses(s.namespace).Create(s.ctx, k, metav1.CreateOptions{})
	require.NoError(s.t, err)
}

// back makes a Service with one endpoint.
func (s *stage) back(name string, ips []string) {
	_, err := s.Kube.CoreV1().Services(s.namespace).Create(s.ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.namespace},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	_, err = s.Kube.DiscoveryV1().EndpointSlices(s.namespace).Create(s.ctx, s.slice(name, ips[:1], ready), metav1.CreateOptions{})
	require.NoError(s.t, err)
}

func pathTo(path, service string) netv1.HTTPIngressPath {
	exact := netv1.PathTypeExact
	return netv1.HTTPIngressPath{Path: path, PathType: &exact, Backend: netv1.IngressBackend{
		Service: &netv1.IngressServiceBackend{Name: service, Port: netv1.ServiceBackendPort{Number: 80}},
	}}
}

// ask sends one request to a gateway, and returns the version that answers.
func ask(ctx context.Context, gateway string, r oracle.Request) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway+r.Path, nil)
	if err != nil {
		return "", fmt.Errorf("making a request: %w", err)
	}
	request.Header = r.Header.Clone()
	if request.Header.Get("User-Agent") == "" {
		request.Header["User-Agent"] = []string{""} // none, instead of the client's own
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("asking the gateway: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusOK {
		return response.Status, nil
	}
	return response.Header.Get("X-Version"), nil
}
