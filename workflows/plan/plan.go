// Package plan is the pure planner: from a document and what is known about the
// world it makes the list of operations that comes next. The workflow executes
// what it returns, `sluice plan` shows it, and tests check it; there is no second
// place where an order of operations is written down.
//
// The order is strategy A of the traffic contract (docs/ordering.md): a route
// never points at a side whose endpoints are not published, a pod is told to stop
// only after the gateway is known not to choose it, and between two writes that
// affect traffic there is always a confirmation.
package plan

import (
	"slices"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
)

// Kind is what an operation does.
type Kind string

// The kinds of operations, in the order in which they first appear.
const (
	// HoldRevision proposes the new revision and holds it, in one write.
	HoldRevision Kind = "hold-revision"
	// EnsureCanary runs canary pods and waits until they are published.
	EnsureCanary Kind = "ensure-canary"
	// SetRoute changes the route and waits until the gateway has taken it.
	SetRoute Kind = "set-route"
	// Drain waits until no request can be in flight to pods that were routed to.
	Drain Kind = "drain"
	// PromoteStable makes the new revision stable with no request on it.
	PromoteStable Kind = "promote-stable"
	// RemoveRoute deletes the route and waits until the gateway has noticed.
	RemoveRoute Kind = "remove-route"
	// RestoreTemplate puts the stable template back on the workload.
	RestoreTemplate Kind = "restore-template"
	// ReleaseWorkload removes the canary and restores every changed field.
	ReleaseWorkload Kind = "release-workload"
	// NarrowService lets the user's Service select the pods of one revision only.
	NarrowService Kind = "narrow-service"
	// WidenService gives the user's Service its own selector back.
	WidenService Kind = "widen-service"
	// RemoveCanary stops the canary pods and removes what runs them.
	RemoveCanary Kind = "remove-canary"
	// HaltPromotion pauses the workload while its pods are being replaced.
	HaltPromotion Kind = "halt-promotion"
)

// Operation is one thing to do; the fields that its kind does not need are zero.
type Operation struct {
	Kind Kind `json:"kind"`
	// Replicas of the canary.
	Replicas int `json:"replicas,omitempty"`
	// Route to set.
	Route traffic.Route `json:"route,omitzero"`
	// NeedCanary and NeedStable guard SetRoute: ready endpoints that must be
	// published before the write.
	NeedCanary int `json:"needCanary,omitempty"`
	NeedStable int `json:"needStable,omitempty"`
	// Wait of a drain.
	Wait config.Duration `json:"wait,omitempty"`
	// Settle of RestoreTemplate: wait until all pods run the stable template.
	Settle bool `json:"settle,omitempty"`
	// Side of NarrowService: whose pods the Service selects afterwards. It waits
	// for NeedStable ready ones among them.
	Side release.Side `json:"side,omitempty"`
	// Keep of NarrowService: the write must change none of the ready endpoints.
	Keep bool `json:"keep,omitempty"`
	// Again of NarrowService: what somebody else has written instead is overwritten.
	Again bool `json:"again,omitempty"`
}

// World is what is known about the release in the cluster. Fields that begin
// with "Maybe" are set before the operation that makes them true, since it may
// have happened although its result was never seen.
type World struct {
	// Replicas of the workload.
	Replicas int `json:"replicas"`
	// Begun is how many it had at the start, 0 where that is not known.
	Begun int `json:"begun,omitempty"`
	// Least is how many pods all requests need whatever an autoscaler makes of the
	// workload; 0 where a person alone scales it, who means what they do.
	Least int `json:"least,omitempty"`
	// MaybeHeld: the workload may carry the held template.
	MaybeHeld bool `json:"maybeHeld,omitempty"`
	// Held: it does.
	Held bool `json:"held,omitempty"`
	// MaybeCanary: canary Deployment or Service may exist.
	MaybeCanary bool `json:"maybeCanary,omitempty"`
	// Canary pods that are known to be published, and CanaryAsked that may exist.
	Canary      int `json:"canary,omitempty"`
	CanaryAsked int `json:"canaryAsked,omitempty"`
	// MaybeRoute: the canary route may exist.
	MaybeRoute bool `json:"maybeRoute,omitempty"`
	// RouteExists: it does, and the gateway knows it and a pod behind it that is
	// there to stay.
	RouteExists bool `json:"routeExists,omitempty"`
	// ConfirmRefill: pods that replace all earlier ones of the canary are confirmed
	// behind the route, as the first ones are, before it carries requests.
	ConfirmRefill bool `json:"confirmRefill,omitempty"`
	// CanaryLost: somebody else has taken all pods away from behind the route; those
	// that replace them are confirmed in the same way.
	CanaryLost bool `json:"canaryLost,omitempty"`
	// RouteLost: somebody else has deleted the route, behind which the gateway knew
	// the pods that there are.
	RouteLost bool `json:"routeLost,omitempty"`
	// Refilled: pods have taken the place of lost ones, and no gateway is known to
	// have them.
	Refilled bool `json:"refilled,omitempty"`
	// Asked is the route that was last written, Confirmed the one that the
	// gateway follows.
	Asked     traffic.Route `json:"asked"`
	Confirmed traffic.Route `json:"confirmed"`
	// RouteUnsure: a route was asked for since the last one was confirmed, so that
	// nobody knows which of them the gateway follows.
	RouteUnsure bool `json:"routeUnsure,omitempty"`
	// MaybeCarries: the gateway may send requests to canary. It is so from the
	// write of a route that does until one that does not is confirmed.
	MaybeCarries bool `json:"maybeCarries,omitempty"`
	// CanaryDrained: no request can be in flight to canary pods.
	CanaryDrained bool `json:"canaryDrained,omitempty"`
	// StableDrained: no request can be in flight to pods of the workload.
	StableDrained bool `json:"stableDrained,omitempty"`
	// MaybePromoting: the workload may have begun to run the new revision.
	MaybePromoting bool `json:"maybePromoting,omitempty"`
	// Replacing: its pods may be on their way from one revision to another now.
	Replacing bool `json:"replacing,omitempty"`
	// Returning: it may have got its stable template back, so that no more canary
	// pods can be made.
	Returning bool `json:"returning,omitempty"`
	// Promoted: all its pods run the new revision.
	Promoted bool `json:"promoted,omitempty"`
	// MaybeUnrouting: the route may be gone after promotion; there is no way
	// back to the old revision without a new rollout.
	MaybeUnrouting bool `json:"maybeUnrouting,omitempty"`
	// Restored: the workload has its stable template again.
	Restored bool `json:"restored,omitempty"`
	// Unattended: the workload was told to change its pods by a rollout that is
	// lost. It has done so, or does so with nothing to cover it: only the end of
	// that is waited for.
	Unattended bool `json:"unattended,omitempty"`
	// Released: nothing of ours is left.
	Released bool `json:"released,omitempty"`
	// MaybeNarrowed: the user's Service may select one revision only.
	MaybeNarrowed bool `json:"maybeNarrowed,omitempty"`
	// Narrowed: it does, published and confirmed; empty where that is not known.
	Narrowed release.Side `json:"narrowed,omitempty"`
	// Reset: somebody else has changed what it was narrowed by.
	Reset bool `json:"reset,omitempty"`
	// Resumed: somebody else lets the workload replace its pods by others, which
	// a narrowed Service does not select.
	Resumed bool `json:"resumed,omitempty"`
}

// NewWorld is the world before anything is touched, for a workload of n pods.
func NewWorld(n int) World { return World{Replicas: n, CanaryDrained: true} }

// Before is the world that a preflight has found.
func Before(o preflight.Observed) World {
	w := NewWorld(o.Replicas)
	if o.Load == nil {
		return w
	}
	w.Begun = o.Load.Pods
	if o.Load.Scaled {
		w.Least = o.Load.Pods
	}
	return w
}

// load is how many pods all requests together need.
func (w World) load() int {
	if w.Replicas == 0 {
		return 0 // the workload is gone or was put to rest
	}
	return max(w.Replicas, w.Least)
}

// Scaled is the world in which the workload has another size.
func (w World) Scaled(n int) World {
	w.Replicas = n
	if w.Least > 0 {
		w.Least = max(w.Least, n)
	}
	return w
}

// carries says whether the route sends any ordinary request to canary.
func carries(r traffic.Route) bool { return r.Weight > 0 || len(r.Matches) > 0 }

// same says whether two routes select the same requests.
func same(a, b traffic.Route) bool {
	return a.Weight == b.Weight && slices.EqualFunc(a.Matches, b.Matches, sameMatch)
}

// follows says whether the gateway is known to follow a route.
func follows(w World, route traffic.Route) bool {
	return !w.RouteUnsure && same(w.Asked, route) && same(w.Confirmed, route)
}

func sameMatch(a, b config.Match) bool {
	path := func(p *config.ValueMatch) config.ValueMatch {
		if p == nil {
			return config.ValueMatch{}
		}
		return *p
	}
	return slices.Equal(a.Headers, b.Headers) && slices.Equal(a.Cookies, b.Cookies) &&
		slices.Equal(a.Query, b.Query) && path(a.Path) == path(b.Path)
}

// StepRoute is the route of step i (from 0), or of the implicit last step where
// i is the number of steps.
func StepRoute(r *config.Rollout, i int) traffic.Route {
	if i >= len(r.Steps) {
		return traffic.Route{Weight: 100}
	}
	s := r.Steps[i]
	route := traffic.Route{Matches: s.Matches}
	if s.Weight != nil {
		route.Weight = *s.Weight
	}
	return route
}

// StepReplicas is the number of canary pods that step i wants; the implicit last
// step wants as many as all requests need. A number that was enough for the
// workload as it was at the start grows with it; one that was not is obeyed.
func StepReplicas(r *config.Rollout, i int, w World) int {
	if i >= len(r.Steps) {
		return w.load()
	}
	step := r.Steps[i]
	pods := r.Pods(step, w.load())
	if w.Begun > 0 && r.Pods(step, w.Begun) >= r.Need(step, w.Begun) {
		pods = max(pods, r.Need(step, w.load()))
	}
	return pods
}

// Short returns how many canary pods step i has, and how many its requests need
// where that is more; both are 0 where they are enough.
func Short(r *config.Rollout, w World, i int) (have, need int) {
	if i >= len(r.Steps) {
		return 0, 0
	}
	have, need = StepReplicas(r, i, w), r.Need(r.Steps[i], w.load())
	if have >= need {
		return 0, 0
	}
	return have, need
}

// Start is what comes before the first step.
func Start(w World) []Operation {
	if w.Held {
		return nil
	}
	return []Operation{{Kind: HoldRevision}}
}

// Step leads from the world to step i, upwards or downwards; i may be the number
// of steps, for the implicit last one. The canary never shrinks while its route
// exists, or existed until somebody else deleted it: a pod that the gateway could
// choose, or that has requests, is not told to stop.
func Step(r *config.Rollout, w World, i int) []Operation {
	want, replicas := StepRoute(r, i), StepReplicas(r, i, w)
	ops := append(Start(w), isolate(r, w, want)...)
	if w.RouteExists || !w.CanaryDrained {
		replicas = max(replicas, w.CanaryAsked)
	}
	if w.Canary != replicas {
		ops = append(ops, Operation{Kind: EnsureCanary, Replicas: replicas})
	}
	known := w.RouteExists || w.RouteLost && w.MaybePromoting && !w.CanaryLost
	if !known {
		ops = append(ops, Operation{Kind: SetRoute, NeedCanary: min(1, replicas), NeedStable: 1})
	}
	if !known && !carries(want) {
		return ops
	}
	if !follows(w, want) || !w.RouteExists {
		ops = append(ops, setRoute(r, w, want, replicas))
	}
	return ops
}

// setRoute guards a change of the route: what takes over must be able to take it.
func setRoute(r *config.Rollout, w World, want traffic.Route, canary int) Operation {
	op := Operation{Kind: SetRoute, Route: want, NeedStable: 1}
	if carries(want) {
		op.NeedCanary = max(1, canary)
	}
	if w.RouteUnsure || returns(w.Confirmed, want) {
		op.NeedStable = r.NeedStable(want.Weight, w.load())
	}
	return op
}

// returns says whether requests that one route sends to canary go to stable by
// another: those of a weight that falls, or of a match that it does not have.
func returns(from, to traffic.Route) bool {
	if to.Weight == 100 {
		return false
	}
	return to.Weight < from.Weight || slices.ContainsFunc(from.Matches, func(m config.Match) bool {
		return !slices.ContainsFunc(to.Matches, func(other config.Match) bool { return sameMatch(m, other) })
	})
}

// Finish promotes under cover: the canary at full size takes every request, the
// workload is replaced with no request on it, requests move back, the canary
// drains and goes. It can be called again after a failure in the middle.
func Finish(r *config.Rollout, w World) []Operation {
	var ops []Operation
	if !w.Promoted {
		ops = cover(r, w)
		ops = append(ops, open(after(w, ops))...)
		ops = append(ops, Operation{Kind: PromoteStable})
		w = after(w, ops)
	}
	return append(ops, retire(r, w, w.load())...)
}

// cover lets the canary take every request before the workload is replaced.
func cover(r *config.Rollout, w World) []Operation {
	if w.Unattended {
		return uncover(r, w)
	}
	ops := expose(w)
	ops = append(ops, Step(r, after(w, ops), len(r.Steps))...)
	if !after(w, ops).StableDrained {
		ops = append(ops, drain(r))
	}
	return ops
}

// uncover takes away a route that leads to no pods; any other one stays until
// the workload has changed its pods.
func uncover(r *config.Rollout, w World) []Operation {
	ops := open(w)
	if w.Canary > 0 {
		return ops
	}
	return append(ops, empty(r, after(w, ops), 1)...)
}

// drain waits for requests in flight.
func drain(r *config.Rollout) Operation {
	return Operation{Kind: Drain, Wait: r.Traffic.Grace}
}

// retire takes the canary out of service: no requests, drained, no route, gone.
// needStable endpoints of stable must be published before they take over.
func retire(r *config.Rollout, w World, needStable int) []Operation {
	ops := apart(r, w, w.side(), needStable)
	ops = append(ops, empty(r, after(w, ops), needStable)...)
	if after(w, ops).MaybeRoute {
		ops = append(ops, Operation{Kind: RemoveRoute})
	}
	ops = append(ops, rejoin(r, after(w, ops))...)
	if !w.Released {
		ops = append(ops, Operation{Kind: ReleaseWorkload})
	}
	return ops
}

// empty moves every request away from the canary and waits for those in flight.
// A workload without pods cannot take them over, and is not waited for. Of a
// route that is gone but not confirmed to be, the confirmation is waited for
// before requests in flight are.
func empty(r *config.Rollout, w World, needStable int) []Operation {
	var ops []Operation
	switch {
	case w.MaybeCarries:
		ops = append(ops, Operation{Kind: SetRoute, NeedStable: min(needStable, w.load())})
	case w.MaybeRoute && !w.RouteExists && !w.CanaryDrained:
		ops = append(ops, Operation{Kind: RemoveRoute})
	}
	if !w.CanaryDrained {
		ops = append(ops, drain(r))
	}
	return ops
}

// CanAbort says whether the old revision can still be returned to without loss.
func CanAbort(w World) bool { return !w.MaybeUnrouting }

// Abort returns every request to stable and restores what was changed. Before
// promotion began, stable serves already and requests simply move back; after
// that, the canary covers while the old template returns to the workload.
func Abort(r *config.Rollout, w World) []Operation {
	if w.MaybePromoting {
		return abortPromotion(r, w)
	}
	touched := w.MaybeHeld || w.MaybeCanary || w.MaybeRoute || w.MaybeNarrowed || w.Restored
	var ops []Operation
	if w.Resumed && !w.Restored {
		ops = append(ops, Operation{Kind: RestoreTemplate, Settle: true})
		w = after(w, ops)
	}
	ops = append(ops, apart(r, w, release.SideStable, 1)...)
	ops = append(ops, empty(r, after(w, ops), 1)...)
	if after(w, ops).MaybeRoute {
		ops = append(ops, Operation{Kind: RemoveRoute})
	}
	ops = append(ops, rejoin(r, after(w, ops))...)
	if touched && !w.Restored {
		ops = append(ops, Operation{Kind: RestoreTemplate})
	}
	if touched && !w.Released {
		ops = append(ops, Operation{Kind: ReleaseWorkload})
	}
	return ops
}

// abortPromotion brings the old template back under cover of the canary.
func abortPromotion(r *config.Rollout, w World) []Operation {
	var ops []Operation
	if !w.Restored {
		ops = coverReturn(r, w)
		ops = append(ops, open(after(w, ops))...)
		ops = append(ops, Operation{Kind: RestoreTemplate, Settle: true})
		w = after(w, ops)
	}
	return append(ops, retire(r, w, 1)...)
}

// coverReturn lets the canary take every request before the old template comes
// back. It is at full size, unless somebody has made it smaller; it can grow
// only as long as the workload has the template that it is made of.
func coverReturn(r *config.Rollout, w World) []Operation {
	if w.Unattended {
		return uncover(r, w)
	}
	if w.CanaryLost && (!w.Held || w.Returning) {
		// Nothing is left to cover it with, and nothing to make it of.
		return yield(w)
	}
	ops := expose(w)
	need := 1
	if w.Held && !w.Returning && after(w, ops).Canary < w.load() {
		ops = append(ops, Operation{Kind: EnsureCanary, Replicas: max(w.load(), w.CanaryAsked)})
		need = w.load()
	}
	if after(w, ops).Refilled {
		ops = append(ops, Operation{Kind: SetRoute, NeedCanary: 1, NeedStable: min(1, w.Replicas)})
	}
	if full := (traffic.Route{Weight: 100}); !follows(after(w, ops), full) {
		ops = append(ops, Operation{Kind: SetRoute, Route: full, NeedCanary: need})
	}
	if !after(w, ops).StableDrained {
		ops = append(ops, drain(r))
	}
	return ops
}

// Revise empties the canary so that its revision can be replaced: no request is
// ever routed to a pod of the superseded revision afterwards. Stable takes all of
// them over, and has the pods for it: who cannot wait for those aborts.
func Revise(r *config.Rollout, w World) []Operation {
	ops := apart(r, w, release.SideStable, w.load())
	ops = append(ops, empty(r, after(w, ops), w.load())...)
	return append(ops, Operation{Kind: HoldRevision})
}

// after returns the world in which all of ops have succeeded.
func after(w World, ops []Operation) World {
	for _, op := range ops {
		w = w.Begin(op).Done(op)
	}
	return w
}
