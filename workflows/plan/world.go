package plan

import "sluice.dev/sluice/activities/traffic"

// Begin returns the world while op is being done: everything that it may do is
// taken as done, and everything that it may end is taken as ended.
func (w World) Begin(op Operation) World {
	switch op.Kind {
	case HoldRevision:
		w.MaybeHeld, w.Held = true, false
		// Pods of an earlier revision do not count for the new one. Where requests
		// go to them it is the same revision that is held again.
		if w.CanaryDrained {
			w.Canary, w.CanaryAsked = 0, 0
		}
	case EnsureCanary:
		w.MaybeCanary, w.CanaryAsked = true, op.Replicas
		w.Refilled = w.Refilled || w.CanaryLost
		if w.CanaryLost || w.ConfirmRefill && w.Canary == 0 && w.CanaryDrained {
			// Behind a route that has stayed, the gateway may still have pods that
			// are gone, and none of those that come.
			w.RouteExists, w.CanaryLost, w.RouteLost = false, false, false
		}
	case SetRoute:
		w.MaybeRoute, w.RouteUnsure, w.Asked = true, true, op.Route
		if carries(op.Route) {
			w.MaybeCarries, w.CanaryDrained = true, false
		}
		if op.Route.Weight < 100 {
			w.StableDrained = false
		}
	case PromoteStable:
		w.MaybePromoting, w.Replacing = true, true
	case RemoveRoute:
		w.RouteExists = false
		w.MaybeUnrouting = w.Promoted && !w.Restored
		w.Asked = traffic.Route{}
	case RestoreTemplate:
		w.Promoted, w.Returning, w.Replacing = false, true, w.MaybePromoting
	case NarrowService:
		w.MaybeNarrowed, w.Narrowed = true, ""
	case WidenService:
		w.Narrowed = ""
	case RemoveCanary:
		w.Canary = 0
	case Drain, ReleaseWorkload, HaltPromotion:
	}
	return w
}

// Done returns the world after op has succeeded.
func (w World) Done(op Operation) World {
	switch op.Kind {
	case HoldRevision:
		w.Held = true
	case EnsureCanary:
		w.Canary = op.Replicas
	case SetRoute:
		w.RouteExists, w.RouteUnsure, w.Confirmed = true, false, op.Route
		w.RouteLost, w.Refilled = false, false
		w.MaybeCarries = carries(op.Route)
	case Drain:
		// What carries no request at the time of a drain is drained by it.
		if !w.MaybeCarries {
			w.CanaryDrained = true
		}
		if w.Confirmed.Weight == 100 && !w.RouteUnsure {
			w.StableDrained = true
		}
	case PromoteStable:
		w.Promoted, w.Restored, w.Replacing = true, false, false
	case RemoveRoute:
		w.MaybeRoute, w.RouteExists, w.RouteUnsure, w.Confirmed = false, false, false, traffic.Route{}
		w.MaybeCarries = false
	case RestoreTemplate:
		w.Restored, w.Held, w.MaybeHeld, w.Replacing = true, false, false, false
	case ReleaseWorkload:
		w.Released, w.MaybeCanary, w.MaybeHeld = true, false, false
		w.Canary, w.CanaryAsked = 0, 0
	case NarrowService:
		w.Narrowed, w.Reset = op.Side, false
	case WidenService:
		w.MaybeNarrowed, w.Reset = false, false
	case RemoveCanary:
		w.MaybeCanary, w.Canary, w.CanaryAsked = false, 0, 0
	case HaltPromotion:
		w.Replacing = false
	}
	return w
}
