package main

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"

	"k8s.io/client-go/rest"
)

// fault is when the worker dies, as seen from one write.
type fault string

// The faults: the write is not sent; it is done and the worker never learns; the
// worker has just learned it.
const (
	before fault = "before"
	sent   fault = "sent"
	after  fault = "after"
)

// proxy passes requests on to the API server and counts writes.
type proxy struct {
	fault   fault
	write   int
	forward *httputil.ReverseProxy

	mu      sync.Mutex
	process *os.Process
	seen    int
	dead    bool
}

func newProxy(config *rest.Config, f fault, write int) (*proxy, error) {
	if f != before && f != sent && f != after {
		return nil, fmt.Errorf("fault %q does not exist: use %s, %s or %s", f, before, sent, after)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, fmt.Errorf("reading the address of the API server: %w", err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	p := &proxy{fault: f, write: write}
	p.forward = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // watches
	}
	return p, nil
}

// watch names the process that is killed.
func (p *proxy) watch(process *os.Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.process = process
}

// killed reports, once, whether the worker was killed by a fault.
func (p *proxy) killed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	dead := p.dead
	p.dead = false
	return dead
}

func (p *proxy) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
	_ = p.process.Kill()
}

// due counts a request, and says whether it is the one.
func (p *proxy) due(r *http.Request) bool {
	if r.Method == http.MethodGet || r.URL.Query().Has("dryRun") {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen++
	return p.seen == p.write
}

// ServeHTTP passes a request on, or lets the worker die at it.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.due(r) {
		p.forward.ServeHTTP(w, r)
		return
	}
	switch p.fault {
	case before:
		p.kill()
		w.WriteHeader(http.StatusServiceUnavailable)
	case sent:
		p.forward.ServeHTTP(nowhere{header: http.Header{}}, r)
		p.kill()
		w.WriteHeader(http.StatusServiceUnavailable)
	case after:
		p.forward.ServeHTTP(w, r)
		p.kill()
	}
}

// nowhere takes an answer that nobody gets.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header { return n.header }

func (n nowhere) Write(text []byte) (int, error) { return len(text), nil }

func (n nowhere) WriteHeader(int) {}
