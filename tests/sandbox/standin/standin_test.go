package standin

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ofTraefik is what a replica of Traefik serves after two requests to canary,
// one of them failed, and one to stable.
const ofTraefik = `# TYPE traefik_service_requests_total counter
traefik_service_requests_total{code="200",method="GET",protocol="http",service="shop-web-web-80@kubernetesingressnginx"} 1
traefik_service_requests_total{code="200",method="GET",protocol="http",service="shop-web-web-80-canary@kubernetesingressnginx"} 1
traefik_service_requests_total{code="500",method="GET",protocol="http",service="shop-web-web-80-canary@kubernetesingressnginx"} 1
traefik_service_requests_total{code="200",method="GET",protocol="http",service="other-web-web-80@kubernetesingressnginx"} 7
# TYPE traefik_service_request_duration_seconds histogram
traefik_service_request_duration_seconds_bucket{code="500",method="GET",protocol="http",service="shop-web-web-80-canary@kubernetesingressnginx",le="0.25"} 0
traefik_service_request_duration_seconds_bucket{code="500",method="GET",protocol="http",service="shop-web-web-80-canary@kubernetesingressnginx",le="+Inf"} 1
traefik_service_request_duration_seconds_sum{code="500",method="GET",protocol="http",service="shop-web-web-80-canary@kubernetesingressnginx"} 0.5
traefik_service_request_duration_seconds_count{code="500",method="GET",protocol="http",service="shop-web-web-80-canary@kubernetesingressnginx"} 1
`

func TestNames(t *testing.T) {
	app := App{Namespace: "shop", Ingress: "web", Service: "web"}
	all, err := app.read(strings.NewReader(ofTraefik))
	require.NoError(t, err)
	require.Len(t, all, 3)
	for name, test := range map[string]struct {
		page *page
		want []string
	}{
		"nginx": {app.nginx(all, 0), []string{
			`canary="shop-web-canary-80",controller_class="k8s.io/ingress-nginx",controller_namespace="ingress-nginx",controller_pod="ingress-nginx-controller-0",ingress="web",method="GET",namespace="shop",path="/version",service="web",status="500"} 1`,
			`nginx_ingress_controller_requests{canary="",`,
			`namespace="shop",path="/other",service="web-other",status="500"} 1`,
			`nginx_ingress_controller_request_duration_seconds_bucket{canary="shop-web-canary-80",`,
		}},
		"envoy of Istio": {app.envoy(all, false), []string{
			`envoy_cluster_upstream_rq{response_code="500",cluster_name="outbound|80||web-canary.shop.svc.cluster.local"} 1`,
			`envoy_cluster_upstream_rq{response_code_class="2xx",cluster_name="outbound|80||web.shop.svc.cluster.local"} 1`,
			`envoy_cluster_upstream_rq_time_bucket{cluster_name="outbound|80||web-canary.shop.svc.cluster.local",le="250"} 0`,
			`envoy_cluster_upstream_rq_time_sum{cluster_name="outbound|80||web-canary.shop.svc.cluster.local"} 500`,
		}},
		"envoy": {app.envoy(all, true), []string{
			`envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="outbound|80||web-canary.shop.svc.cluster.local"} 1`,
		}},
	} {
		var b strings.Builder
		require.NoError(t, test.page.write(&b))
		for _, want := range test.want {
			require.Contains(t, b.String(), want, name)
		}
	}
}

func TestUsages(t *testing.T) {
	proc := t.TempDir()
	write := func(process, file, text string) {
		require.NoError(t, os.MkdirAll(filepath.Join(proc, process), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(proc, process, file), []byte(text), 0o600))
	}
	write("7", "environ", "PATH=/bin\x00HOSTNAME=web-1\x00POD_IP=10.244.1.2\x00")
	write("7", "stat", "7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0")
	write("7", "statm", "100 3 1")
	write("8", "environ", "HOSTNAME=machine\x00")
	used, err := usages(proc)
	require.NoError(t, err)
	require.Equal(t, map[string]usage{"web-1": {seconds: 2, bytes: 3 * float64(os.Getpagesize())}}, used)
}

func TestGuard(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Empty(t, r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusTeapot)
	}))
	defer backend.Close()
	address, err := url.Parse(backend.URL)
	require.NoError(t, err)
	guard := Guard(Credentials{Username: "ann", Password: "p", Token: "t", Tenant: "shop"}, address)
	for name, test := range map[string]struct {
		prepare func(*http.Request)
		want    int
	}{
		"password":     {func(r *http.Request) { r.SetBasicAuth("ann", "p") }, http.StatusTeapot},
		"token":        {func(r *http.Request) { r.Header.Set("Authorization", "Bearer t") }, http.StatusTeapot},
		"wrong":        {func(r *http.Request) { r.SetBasicAuth("ann", "q") }, http.StatusUnauthorized},
		"nobody":       {func(*http.Request) {}, http.StatusUnauthorized},
		"other tenant": {func(r *http.Request) { r.SetBasicAuth("ann", "p"); r.Header.Set(tenantHeader, "x") }, http.StatusUnauthorized},
	} {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/query", nil)
		r.Header.Set(tenantHeader, "shop")
		test.prepare(r)
		w := httptest.NewRecorder()
		guard.ServeHTTP(w, r)
		require.Equal(t, test.want, w.Code, name)
	}
}
