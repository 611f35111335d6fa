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
	discoveryv1 "k8s.io/api/discovery/v1"
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
	pods    int // of the workload, as far as the watcher has to expect
}

// New returns a watcher that sees, but does not judge before Start.
func New(o Options) *Watcher {
	w := &Watcher{
		Options: o, known: map[string]bool{}, open: map[*gateway.Replica]map[string]bool{}, left: map[string]time.Time{},
		objects: newLedger(), pods: o.Pods,
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
	if !w.started || w.known[invariant+text] {
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

// Scaled says that somebody changes the size of the workload: for what there is
// to be expected of it, the smaller size counts until the end.
func (w *Watcher) Scaled(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pods = min(w.pods, n)
	w.objects.scaled = true
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

// capacity is I1, I2 and I3: who gets requests has the pods for them.
func (w *Watcher) capacity(name string, e gateway.Exposure, stable, canary int) {
	if e.Carries() && canary < 1 {
		w.breaks("I1", "%s routes to canary, which has no ready endpoint", name)
	}
	if need := w.needCanary(e); canary < need {
		w.breaks("I2", "%s has weight %d, match %v: canary needs %d ready endpoints and has %d", name, e.Weight, e.Match, need, canary)
	}
	if need := w.needStable(e); stable < need {
		w.breaks("I3", "%s has weight %d: stable needs %d ready endpoints and has %d", name, e.Weight, need, stable)
	}
	if w.EmptyStableFails && e.Stable < 1 {
		w.breaks("I3", "%s has no endpoint of stable", name)
	}
}

// needCanary is what the document asks for a weight, or its share of the pods
// where no step has that weight.
func (w *Watcher) needCanary(e gateway.Exposure) int {
	if !e.Carries() {
		return 0
	}
	for _, step := range w.Document.Steps {
		same := step.Weight != nil && *step.Weight == e.Weight || step.Weight == nil && e.Weight == 0
		if same && e.Match == (len(step.Matches) > 0) {
			return max(1, step.Replicas.Of(w.pods))
		}
	}
	return max(1, (w.pods*e.Weight+99)/100)
}

// needStable is the share of stable, rounded up.
func (w *Watcher) needStable(e gateway.Exposure) int {
	return (w.pods*(100-e.Weight) + 99) / 100
}

// ready counts the endpoints of a Service that are published as ready and are
// pods of canary, or are not.
func (w *Watcher) ready(service string, canary bool) int {
	n := 0
	for _, slice := range w.Cluster.Slices() {
		if slice.Namespace != w.Document.Namespace || slice.Labels[discoveryv1.LabelServiceName] != service {
			continue
		}
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready != nil && *e.Conditions.Ready && w.ofCanary(e.TargetRef.Name) == canary {
				n++
			}
		}
	}
	return n
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
