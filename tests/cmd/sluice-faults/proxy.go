package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// fault is what happens at one write.
type fault string

// The faults. The worker dies: the write is not sent; it is done and the worker
// never learns; the worker has just learned it; it waits for the consequences. Or
// the API server answers: somebody else has written first, and nothing is done; a
// timeout, and it is done or not.
const (
	before         fault = "before"
	sent           fault = "sent"
	after          fault = "after"
	confirming     fault = "confirm"
	conflict       fault = "conflict"
	timeoutApplied fault = "timeout-applied"
	timeoutLost    fault = "timeout-lost"
)

// faults are all of them.
var faults = []fault{before, sent, after, confirming, conflict, timeoutApplied, timeoutLost}

// consequences is how long after a write the worker waits for what it does.
const consequences = 700 * time.Millisecond

// proxy passes requests on to the API server and counts writes.
type proxy struct {
	fault   fault
	write   int
	forward *httputil.ReverseProxy
	// happened is called when the fault has happened.
	happened func()

	mu      sync.Mutex
	process *os.Process
	seen    int
	dead    bool
}

func newProxy(config *rest.Config, f fault, write int, happened func()) (*proxy, error) {
	if !slices.Contains(faults, f) {
		return nil, fmt.Errorf("fault %q does not exist: use one of %v", f, faults)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, fmt.Errorf("reading the address of the API server: %w", err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	p := &proxy{fault: f, write: write, happened: happened}
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

// due counts a request, and says whether it is the one. Only writes to what a
// rollout works on count: no dry runs, Events and questions about permissions.
func (p *proxy) due(r *http.Request) bool {
	if r.Method == http.MethodGet || r.URL.Query().Has("dryRun") || !counted.MatchString(r.URL.Path) {
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
	defer p.happened()
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
	case confirming:
		p.forward.ServeHTTP(w, r)
		time.AfterFunc(consequences, p.kill)
	case conflict:
		reason := metav1.StatusReasonConflict
		if r.Method == http.MethodPost {
			reason = metav1.StatusReasonAlreadyExists
		}
		answer(w, http.StatusConflict, reason)
	case timeoutApplied:
		p.forward.ServeHTTP(nowhere{header: http.Header{}}, r)
		answer(w, http.StatusGatewayTimeout, metav1.StatusReasonTimeout)
	case timeoutLost:
		answer(w, http.StatusGatewayTimeout, metav1.StatusReasonTimeout)
	}
}

// counted are the paths of the objects of a rollout.
var counted = regexp.MustCompile(`/(deployments|services|ingresses|poddisruptionbudgets|horizontalpodautoscalers)(/|$)`)

// answer is an error of the API server.
func answer(w http.ResponseWriter, code int32, reason metav1.StatusReason) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(code))
	_ = json.NewEncoder(w).Encode(metav1.Status{ // the worker may be gone
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Code: code, Reason: reason, Message: "made up by sluice-faults: " + string(reason),
	})
}

// nowhere takes an answer that nobody gets.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header { return n.header }

func (n nowhere) Write(text []byte) (int, error) { return len(text), nil }

func (n nowhere) WriteHeader(int) {}
