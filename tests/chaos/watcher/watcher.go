// Package watcher checks the invariants of docs/chaos.md. It sees every version
// of every object, everything that a replica of the gateway begins to do, every
// pod that is told to stop and every answer, and knows nothing of the planner.
package watcher

import (
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/tests/chaos/cluster"
	"sluice.dev/sluice/tests/chaos/gateway"
)

// Options say what is watched.
type Options struct {
	Cluster  *cluster.Cluster
	Replicas []*gateway.Replica
	// Document of the rollout, and Pods of its workload at the beginning.
	Document config.Rollout
	Pods     int
	// Path that the Ingress routes.
	Path string
	// EmptyStableFails says that the gateway answers no request at all while
	// stable has no endpoint.
	EmptyStableFails bool
}

// Watcher collects what must not be. Make it with New.
type Watcher struct {
	Options

	mu      sync.Mutex
	started bool
	broken  []string
	known   map[string]bool

	// open are the pods that each replica may choose, left is when the last one
	// of them stopped to.
	open map[*gateway.Replica]map[string]bool
	left map[string]time.Time

	routes  route // as written last
	objects ledger
	answers answers
	aborted bool
	meddled bool
	// createdLate says that one object may be created twice.
	createdLate bool
	sizes       []size // of the workload, one after the other
	lost        int    // pods of canary that are sick
}

// New returns a watcher that sees, but does not judge before Start.
func New(o Options) *Watcher {
	w := &Watcher{
		Options: o, known: map[string]bool{}, open: map[*gateway.Replica]map[string]bool{}, left: map[string]time.Time{},
		objects: newLedger(), sizes: []size{{pods: o.Pods}},
	}
	for _, g := range o.Replicas {
		w.open[g] = map[string]bool{}
		g.OnChange(w.look)
	}
	o.Cluster.WatchOrders(w.ordered)
	return w
}

// Start begins to judge: the application runs and nothing has been done to it.
func (w *Watcher) Start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.objects.snapshot(w.Cluster)
	w.started = true
}

// Finish returns what must not have been.
func (w *Watcher) Finish() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.terminal()
	w.started = false
	return w.broken
}

// Seen returns what must not have been until now.
func (w *Watcher) Seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.broken)
}

// breaks notes that an invariant is broken, once for each wording.
func (w *Watcher) breaks(invariant, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !w.started || w.known[invariant+text] || w.meddled && !prevents(invariant) {
		return
	}
	w.known[invariant+text] = true
	w.broken = append(w.broken, fmt.Sprintf("%s at %s: %s", invariant, time.Now().Format("04:05.000"), text))
}

// See takes a version of an object.
func (w *Watcher) See(event watch.EventType, obj runtime.Object) {
	w.mu.Lock()
	w.record(event, obj)
	w.mu.Unlock()
	w.look()
}

// Aborted says that somebody has asked for the way back.
func (w *Watcher) Aborted() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.aborted = true
}

// Meddled says that somebody changes an object of the rollout. From then on only
// what can hold is judged: that no request is lost, that no replica sends requests
// to a side without pods, and the end.
func (w *Watcher) Meddled() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.meddled = true
}

// CreatedLate says that the API server may create one object a second time, after the
// one that was made when it was asked again.
func (w *Watcher) CreatedLate() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.createdLate = true
}

// prevents says whether a rollout can keep an invariant up against others: not
// which routes there are, not that pods which somebody else lets the gateway
// choose are not on their way out already, not who created what how often.
func prevents(invariant string) bool {
	return invariant == "I1" || invariant == "I13" || invariant == "I20"
}

// look checks what holds in every state.
func (w *Watcher) look() {
	stable, canary := w.ready(w.Document.Traffic.Service, false), w.ready(w.Document.Traffic.Service+"-canary", true)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.Replicas {
		e := g.Exposed(w.Path)
		w.follow(g, e)
		w.capacity(g.Name, e, stable, canary)
		w.mixed(g.Name, e)
	}
}

// follow remembers which pods a replica may choose, and since when no longer.
func (w *Watcher) follow(g *gateway.Replica, e gateway.Exposure) {
	for pod := range w.open[g] {
		if !e.Open[pod] {
			w.left[pod] = time.Now()
		}
	}
	w.open[g] = e.Open
}

// ordered is I4: a pod is told to stop when no replica can have chosen it for as
// long as a request may take.
func (w *Watcher) ordered(p *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ip := p.Status.PodIP
	for _, g := range w.Replicas {
		if w.open[g][ip] {
			w.breaks("I4", "pod %s is told to stop while %s may choose it", p.Name, g.Name)
			return
		}
	}
	if left, ok := w.left[ip]; ok {
		if since := time.Since(left); since < w.Document.Traffic.Grace.Std() {
			w.breaks("I4", "pod %s is told to stop %s after a replica could choose it", p.Name, since)
		}
	}
}
