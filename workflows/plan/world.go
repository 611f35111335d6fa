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
		if w.CanaryLost || w.ConfirmRefill && w.Canary == 0 && w.CanaryDrained {
			// Behind a route that has stayed, the gateway may still have pods that
			// are gone, and none of those that come.
			w.RouteExists, w.CanaryLost = false, false
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
		w.MaybePromoting = true
	case RemoveRoute:
		w.RouteExists = false
		w.MaybeUnrouting = w.Promoted && !w.Restored
		w.Asked = traffic.Route{}
	case RestoreTemplate:
		w.Promoted = false
	case NarrowService:
		w.MaybeNarrowed, w.Narrowed = true, ""
	case WidenService:
		w.Narrowed = ""
	case RemoveCanary:
		w.Canary = 0
	case Drain, ReleaseWorkload:
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
		w.Promoted, w.Restored = true, false
	case RemoveRoute:
		w.MaybeRoute, w.RouteExists, w.RouteUnsure, w.Confirmed = false, false, false, traffic.Route{}
		w.MaybeCarries = false
	case RestoreTemplate:
		w.Restored, w.Held, w.MaybeHeld = true, false, false
	case ReleaseWorkload:
		w.Released, w.MaybeCanary, w.MaybeHeld = true, false, false
		w.Canary, w.CanaryAsked = 0, 0
	case NarrowService:
		w.Narrowed = op.Side
	case WidenService:
		w.MaybeNarrowed = false
	case RemoveCanary:
		w.MaybeCanary, w.Canary, w.CanaryAsked = false, 0, 0
	}
	return w
}
