package standin

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"

	"k8s.io/client-go/kubernetes"
)

// Metrics serves the pages of an application: /nginx/N, /envoy/N (with the tags
// of Istio) and /envoy-own/N (with those of Envoy) of replica N of the gateway,
// from 0, and /kube. Gateways are the addresses of Traefik's metrics.
func Metrics(a App, gateways []string, client kubernetes.Interface) http.Handler {
	mux := http.NewServeMux()
	gateway := func(pattern string, name func(all []series, replica int) *page) {
		mux.HandleFunc("GET "+pattern+"/{replica}", func(w http.ResponseWriter, r *http.Request) {
			replica, err := strconv.Atoi(r.PathValue("replica"))
			if err != nil || replica < 0 || replica >= len(gateways) {
				http.NotFound(w, r)
				return
			}
			all, err := a.ask(r.Context(), gateways[replica])
			answer(w, func() (*page, error) { return name(all, replica), err })
		})
	}
	gateway("/nginx", a.nginx)
	gateway("/envoy", func(all []series, _ int) *page { return a.envoy(all, false) })
	gateway("/envoy-own", func(all []series, _ int) *page { return a.envoy(all, true) })
	mux.HandleFunc("GET /kube", func(w http.ResponseWriter, r *http.Request) {
		answer(w, func() (*page, error) {
			used, err := usages("/proc")
			if err != nil {
				return nil, err
			}
			return a.kube(r.Context(), client, used)
		})
	})
	return mux
}

func answer(w http.ResponseWriter, read func() (*page, error)) {
	p, err := read()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_ = p.write(w)
}

// Credentials are what a guarded server asks for.
type Credentials struct {
	// Username with Password, or Token, has to be given.
	Username, Password, Token string
	// Tenant has to be named by every request.
	Tenant string
}

// tenantHeader is what Mimir, Cortex and Loki name it.
const tenantHeader = "X-Scope-OrgID"

// Guard hands requests with the right credentials on to a server, without them.
func Guard(c Credentials, backend *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(backend)
		r.Out.Header.Del("Authorization")
	}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		username, password, _ := r.BasicAuth()
		known := username == c.Username && password == c.Password || r.Header.Get("Authorization") == "Bearer "+c.Token
		switch {
		case !known:
			w.Header().Set("WWW-Authenticate", `Basic realm="metrics"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
		case r.Header.Get(tenantHeader) != c.Tenant:
			http.Error(w, fmt.Sprintf("no such tenant: %q", r.Header.Get(tenantHeader)), http.StatusUnauthorized)
		default:
			proxy.ServeHTTP(w, r)
		}
	})
}
