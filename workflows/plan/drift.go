package plan

import (
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
)

// What somebody else does to the objects of a rollout changes what is known about
// the world. The facts below are all that is needed: the planner goes on from
// them as from any other world.

// RouteEdited is the world in which somebody else has written a route: until
// another one is confirmed nobody knows which of them the gateway follows. Nil is
// a route that cannot be read.
func (w World) RouteEdited(route *traffic.Route) World {
	w.RouteUnsure = true
	if route == nil || carries(*route) {
		w.MaybeRoute, w.MaybeCarries, w.CanaryDrained = true, true, false
	}
	if route == nil || route.Weight < 100 {
		w.StableDrained = false
	}
	return w
}

// RouteGone is the world in which somebody else has deleted the canary route. The
// gateway may not have noticed yet.
func (w World) RouteGone() World {
	w.RouteExists, w.RouteUnsure, w.StableDrained = false, true, false
	w.RouteLost = !w.CanaryLost
	w.Asked = traffic.Route{}
	return w
}

// RouteLate is the world in which the API server has created the canary route after
// it was removed: nobody knows whether a gateway follows it already.
func (w World) RouteLate() World {
	w.MaybeRoute, w.RouteUnsure, w.MaybeCarries, w.CanaryDrained = true, true, true, false
	return w
}

// RulesEdited is the world in which the route is for other requests than before:
// those that it does not lead yet go to stable.
func (w World) RulesEdited() World {
	w = w.RouteEdited(&w.Asked)
	w.StableDrained = false
	return w
}

// ServiceReset is the world in which somebody else has changed what the user's
// Service is narrowed by: it may send requests to canary pods.
func (w World) ServiceReset() World {
	w.MaybeNarrowed, w.Narrowed, w.Reset = true, "", true
	if w.MaybeCanary {
		w.CanaryDrained = false
	}
	return w
}

// CanaryUnknown is the world in which nobody knows how many canary pods are
// published, because somebody else has changed the canary Service or Deployment.
func (w World) CanaryUnknown() World {
	w.Canary, w.CanaryLost = 0, true
	return w
}

// CanaryGone is the world in which somebody else has deleted the canary pods.
func (w World) CanaryGone() World {
	w.Canary, w.CanaryAsked, w.CanaryLost = 0, 0, true
	return w
}

// CanaryScaled is the world in which somebody else has scaled the canary. One
// that has grown does not shrink again under its route; one that has shrunk is
// to have its size back.
func (w World) CanaryScaled(n int) World {
	w.Canary, w.CanaryAsked, w.CanaryLost = 0, max(n, w.CanaryAsked), w.CanaryLost || n == 0
	return w
}

// Bears says whether the pods that are published can take a route that somebody
// else has written at step i: up to what the step asks for they can by
// definition, beyond that by the rule of config.Rollout.NeedCanary. Of a match that
// is not the step's nobody knows the share: it may be all requests.
func Bears(r *config.Rollout, w World, i int, route traffic.Route) bool {
	return bears(r, w, i, route, w.load())
}

// BearsWithTwo is Bears for rollouts that counted such a match as the least that
// a route needs.
func BearsWithTwo(r *config.Rollout, w World, i int, route traffic.Route) bool {
	return bears(r, w, i, route, r.NeedMatch(w.load()))
}

func bears(r *config.Rollout, w World, i int, route traffic.Route, foreign int) bool {
	want := StepRoute(r, i)
	known := len(route.Matches) == 0 || sameMatches(route, want)
	if !carries(route) || known && route.Weight <= want.Weight && w.Canary >= StepReplicas(r, i, w) {
		return true
	}
	need := r.NeedCanary(route.Weight, w.load())
	switch {
	case !known:
		need = max(need, foreign)
	case len(route.Matches) > 0:
		need = max(need, r.NeedMatch(w.load()))
	}
	return w.Canary >= need
}

func sameMatches(a, b traffic.Route) bool {
	a.Weight, b.Weight = 0, 0
	return same(a, b)
}

// Same says whether two routes select the same requests.
func Same(a, b traffic.Route) bool { return same(a, b) }

// At sets a route at once, in answer to what somebody else has done: no requests
// for canary, or the last route that was confirmed. A canary that a gateway may
// not know gets none either way.
func At(w World, route traffic.Route) []Operation {
	if w.CanaryLost || !w.RouteExists {
		route = traffic.Route{}
	}
	if follows(w, route) && w.RouteExists || !carries(route) && !w.MaybeCarries {
		return nil
	}
	op := Operation{Kind: SetRoute, Route: route, NeedStable: min(1, w.Replicas)}
	if carries(route) {
		op.NeedCanary = 1
	}
	return []Operation{op}
}

// Mend gives a canary whose size somebody else has changed its size back.
func Mend(w World) []Operation {
	if !w.Held || w.Canary == w.CanaryAsked {
		return nil
	}
	return []Operation{{Kind: EnsureCanary, Replicas: w.CanaryAsked}}
}

// Apart narrows the user's Service again at once where somebody else has widened
// it. While the workload is replaced it has to be wide.
func Apart(r *config.Rollout, w World) []Operation {
	if !w.Reset || w.MaybePromoting && !w.Promoted {
		return nil
	}
	return apart(r, w, w.side(), r.NeedStable(w.Confirmed.Weight, w.load()))
}

// Halt pauses a workload whose pods are being replaced with requests on them, as
// soon as somebody else has taken away what covered it. A pod that is there goes
// on to serve, and none is told to stop.
func Halt(w World) []Operation {
	full := traffic.Route{Weight: 100}
	covered := w.StableDrained && w.RouteExists && !w.CanaryLost && follows(w, full)
	if !w.Replacing || covered {
		return nil
	}
	return []Operation{{Kind: HaltPromotion}}
}

// Cover lets the canary take every request again while the workload is replaced.
func Cover(r *config.Rollout, w World) []Operation {
	if !w.MaybePromoting || w.Promoted {
		return nil
	}
	ops := expose(w)
	return append(ops, Step(r, after(w, ops), len(r.Steps))...)
}

// expose lets a workload that is being replaced serve, for as long as it is not
// covered: it is halted, and a canary that is gone gets no requests.
func expose(w World) []Operation {
	if !w.MaybePromoting {
		return nil
	}
	ops := Halt(w)
	if w.CanaryLost {
		ops = append(ops, yield(after(w, ops))...)
	}
	return ops
}

// yield takes every request away from a canary that cannot serve any.
func yield(w World) []Operation {
	if !w.MaybeCarries {
		return nil
	}
	return []Operation{{Kind: SetRoute, NeedStable: min(1, w.Replicas)}}
}
