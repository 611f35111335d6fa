// Package gateway is a gateway in memory: replicas that follow Ingresses,
// Services and EndpointSlices with a lag of their own, and say where a request
// would go. It has the personalities of three real ones, which differ where
// requests are lost: what an empty side means, and which pods count.
package gateway

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"sluice.dev/sluice/tests/chaos/oracle"
)

// Personality is the product that a gateway behaves like.
type Personality string

// The personalities.
const (
	// Nginx uses ready endpoints, sends the requests of an empty canary to stable
	// and answers 503 to everything where stable is empty.
	Nginx Personality = "nginx"
	// Traefik keeps endpoints that are terminating, sends no request to them, and
	// answers 503 where a side has no others; a side without any is left out.
	Traefik Personality = "traefik"
	// GatewayAPI uses ready endpoints and answers 503 for the share of an empty
	// side.
	GatewayAPI Personality = "gateway-api"
)

// Lag is how late a replica sees changes.
type Lag struct {
	Routes, Endpoints time.Duration
}

// Replica is one process of a gateway. Make it with New.
type Replica struct {
	// Name for messages, Address of its API.
	Name, Address string
	personality   Personality
	lag           Lag

	mu        sync.Mutex
	ingresses map[string]*netv1.Ingress
	slices    map[string]*discoveryv1.EndpointSlice
	versions  map[string]int64
	frozen    bool
	missed    []func()
	changes   []func()
	rotation  int
	shares    map[string]*edf
}

// New returns a replica that knows nothing yet. It follows a cluster by See.
func New(name, address string, personality Personality, lag Lag) *Replica {
	return &Replica{
		Name: name, Address: address, personality: personality, lag: lag,
		ingresses: map[string]*netv1.Ingress{}, slices: map[string]*discoveryv1.EndpointSlice{}, versions: map[string]int64{},
		shares: map[string]*edf{},
	}
}

// OnChange is told whenever what the replica does may have changed.
func (g *Replica) OnChange(tell func()) { g.changes = append(g.changes, tell) }

// See takes a version of an object, which counts when the lag is over.
func (g *Replica) See(event watch.EventType, obj runtime.Object) {
	var lag time.Duration
	switch obj.(type) {
	case *netv1.Ingress:
		lag = g.lag.Routes
	case *discoveryv1.EndpointSlice:
		lag = g.lag.Endpoints
	default:
		return
	}
	time.AfterFunc(lag, func() { g.apply(func() { g.store(event, obj) }) })
}

// apply changes what the replica does, or keeps the change while it is frozen.
func (g *Replica) apply(change func()) {
	g.mu.Lock()
	if g.frozen {
		g.missed = append(g.missed, change)
		g.mu.Unlock()
		return
	}
	change()
	changes := g.changes
	g.mu.Unlock()
	for _, tell := range changes {
		tell()
	}
}

// store takes a version over, unless it has a later one: timers that end at the
// same instant have no order.
func (g *Replica) store(event watch.EventType, obj runtime.Object) {
	if !g.newer(obj) {
		return
	}
	switch o := obj.(type) {
	case *netv1.Ingress:
		name := o.Namespace + "/" + o.Name
		if g.ingresses[name] = o; event == watch.Deleted {
			delete(g.ingresses, name)
		}
	case *discoveryv1.EndpointSlice:
		name := o.Namespace + "/" + o.Name
		if g.slices[name] = o; event == watch.Deleted {
			delete(g.slices, name)
		}
	}
	// Every new configuration begins its rotation again.
	g.shares = map[string]*edf{}
}

func (g *Replica) newer(obj runtime.Object) bool {
	m, _ := obj.(metav1.Object) // every object has it
	name := fmt.Sprintf("%T %s/%s", obj, m.GetNamespace(), m.GetName())
	version, _ := strconv.ParseInt(m.GetResourceVersion(), 10, 64)
	if version < g.versions[name] {
		return false
	}
	g.versions[name] = version
	return true
}

// Freeze stops a replica from following the cluster for a time; it goes on to
// route requests by what it knows.
func (g *Replica) Freeze(d time.Duration) {
	g.mu.Lock()
	g.frozen = true
	g.mu.Unlock()
	time.AfterFunc(d, func() {
		g.mu.Lock()
		g.frozen = false
		missed := g.missed
		g.missed = nil
		g.mu.Unlock()
		for _, change := range missed {
			g.apply(change)
		}
	})
}

// Answer is what becomes of a request: the pod that gets it, or the reason why
// it gets none.
type Answer struct {
	Pod    string
	Canary bool
	Lost   string
}

// Ask routes a request.
func (g *Replica) Ask(r oracle.Request) Answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	route := g.route(r.Path)
	if route == nil {
		return Answer{Lost: "404: no Ingress has the path"}
	}
	toCanary := false
	decision := g.decide(route, r)
	switch decision {
	case oracle.Canary:
		toCanary = true
	case oracle.Stable:
	default:
		toCanary = g.turn(route.service, decision)
	}
	side := route.stable
	if toCanary {
		side = route.canary
	}
	if g.personality == Nginx && len(route.stable.open) == 0 {
		return Answer{Lost: "503: stable has no endpoint"}
	}
	if len(side.open) == 0 {
		return Answer{Canary: toCanary, Lost: fmt.Sprintf("503: no endpoint is open, %d are fenced", side.fenced)}
	}
	g.rotation++
	return Answer{Canary: toCanary, Pod: side.open[g.rotation%len(side.open)]}
}

// decide says which side a request is for, before anything is known of pods.
func (g *Replica) decide(route *route, r oracle.Request) oracle.Decision {
	if route.notes == nil || route.canaryDropped(g.personality) {
		return oracle.Stable
	}
	if g.personality == Traefik {
		return oracle.Traefik(route.notes, r)
	}
	return oracle.Nginx(route.notes, r)
}

// Exposure is what a replica may do with requests now: the weight of canary, and
// whether a match leads there; Open are the pods that it could choose on either
// side, by their addresses, and OpenToStable those for requests to stable, none
// where there are no such requests.
type Exposure struct {
	Weight, Total int
	Match         bool
	Open          map[string]bool
	OpenToStable  []string
	Stable        int
	Canary        int
	Routed        bool
}

// Carries says whether any request may go to canary.
func (e Exposure) Carries() bool { return e.Weight > 0 || e.Match }

// Exposed tells what the replica may do with the requests of a path.
func (g *Replica) Exposed(path string) Exposure {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := Exposure{Total: 100, Open: map[string]bool{}}
	route := g.route(path)
	if route == nil {
		return e
	}
	e.Stable, e.Canary = len(route.stable.open), len(route.canary.open)
	if route.notes != nil {
		e.Routed = true
		e.Weight, e.Total = route.weight()
		e.Match = route.matches()
	}
	toStable := e.Weight < e.Total || e.Match
	if route.canaryDropped(g.personality) || !e.Carries() {
		toStable = true
	}
	if toStable {
		e.OpenToStable = route.stable.open
		for _, pod := range route.stable.open {
			e.Open[pod] = true
		}
	}
	if e.Carries() {
		for _, pod := range route.canary.open {
			e.Open[pod] = true
		}
	}
	return e
}
