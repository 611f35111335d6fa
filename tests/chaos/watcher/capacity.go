package watcher

import (
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/tests/chaos/gateway"
)

// Followed is how long a rollout may take until a change of the workload's size
// is followed: until then the smaller of both sizes counts.
const Followed = 40 * time.Second

// What the contract asks for beside a share of the pods: headroom in percent,
// and the least behind a route.
const (
	headroom = 10
	fewestUp = 2
)

// need is how many of total pods a share of the requests, in percent, needs:
// that share and the headroom, rounded up, at least two, at most all.
func need(total, share int) int {
	return min(max(ceil(total*share*(100+headroom), 100*100), fewestUp), total)
}

func ceil(a, b int) int { return (a + b - 1) / b }

// size is a number of pods that the workload was given at a time.
type size struct {
	pods  int
	since time.Time
}

// Scaled says that somebody changes the size of the workload. When the time to
// follow it is over, everything is looked at again.
func (w *Watcher) Scaled(n int) {
	w.mu.Lock()
	w.sizes = append(w.sizes, size{pods: n, since: time.Now()})
	w.mu.Unlock()
	time.AfterFunc(Followed, w.look)
}

// pods is the size of the workload that there have to be pods for.
func (w *Watcher) pods() int {
	last := len(w.sizes) - 1
	n := w.sizes[last].pods
	for i := last; i > 0 && time.Since(w.sizes[i].since) < Followed; i-- {
		n = min(n, w.sizes[i-1].pods)
	}
	return n
}

// capacity is I1, I2, I3 and, after a change of the workload's size, I19: who
// gets requests has the pods for them.
func (w *Watcher) capacity(name string, e gateway.Exposure, stable, canary int) {
	if e.Carries() && canary < 1 {
		w.breaks("I1", "%s routes to canary, which has no ready endpoint", name)
	}
	if need := w.needCanary(e); canary < need && !w.repairing(canary, need) {
		w.breaks("I2", "%s has weight %d, match %v: canary needs %d ready endpoints and has %d", name, e.Weight, e.Match, need, canary)
	}
	if need := w.needStable(e); stable < need {
		w.breaks("I3", "%s has weight %d: stable needs %d ready endpoints and has %d", name, e.Weight, need, stable)
	}
	if w.EmptyStableFails && e.Stable < 1 {
		w.breaks("I3", "%s has no endpoint of stable", name)
	}
}

// needCanary is what the requests need that may reach canary, or fewer where the
// step of the document that routes them asks for a number of pods that was not
// enough in the beginning either.
func (w *Watcher) needCanary(e gateway.Exposure) int {
	if !e.Carries() {
		return 0
	}
	begun := w.sizes[0].pods
	for _, step := range w.Document.Steps {
		same := step.Weight != nil && *step.Weight == e.Weight || step.Weight == nil && e.Weight == 0
		enough := asked(step.Replicas, begun) >= need(begun, e.Weight)
		if same && e.Match == (len(step.Matches) > 0) && !w.promoting() && !step.Replicas.Implied && !enough {
			return max(1, asked(step.Replicas, w.pods()))
		}
	}
	return need(w.pods(), e.Weight)
}

// asked is a number of pods as a document gives it.
func asked(a config.Amount, total int) int {
	if !a.Percent {
		return min(a.Value, total)
	}
	return ceil(total*a.Value, 100)
}

// needStable is what the requests need that are not for canary by weight. With
// a match it is all of them: how many it takes away is not known.
func (w *Watcher) needStable(e gateway.Exposure) int { return need(w.pods(), 100-e.Weight) }

// repairing says that a pod of canary was lost, and that as many are missing.
func (w *Watcher) repairing(have, need int) bool { return have+w.lost >= need }

// Lost says how many pods of canary are not ready through nobody's fault.
func (w *Watcher) Lost(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost += n
}

// ready counts the endpoints of a Service that are published as ready and are
// pods of canary, or are not. One may stand in two slices.
func (w *Watcher) ready(service string, canary bool) int {
	pods := map[types.UID]bool{}
	for _, slice := range w.Cluster.Slices() {
		if slice.Namespace != w.Document.Namespace || slice.Labels[discoveryv1.LabelServiceName] != service {
			continue
		}
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready != nil && *e.Conditions.Ready && w.ofCanary(e.TargetRef.Name) == canary {
				pods[e.TargetRef.UID] = true
			}
		}
	}
	return len(pods)
}
