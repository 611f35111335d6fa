package plan

import (
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
)

// GraceOf is how long a repair lets requests in flight finish: what the rollout has
// recorded, or the document says, whichever is longer. The document may be a guess, or
// an older one, and no request may be cut short by it.
func GraceOf(doc *config.Rollout, m preflight.Remains) config.Duration {
	if recorded := m.Observed.Ref.Grace; recorded != nil {
		return max(doc.Traffic.Grace, *recorded)
	}
	return doc.Traffic.Grace
}

// WorldOf is the world as a rollout whose workflow is lost has left it. What the
// cluster does not say for certain is taken as it would do most harm: a route is
// written, but no gateway is known to follow it.
func WorldOf(m preflight.Remains) World {
	w := NewWorld(m.Observed.Replicas)
	w.MaybeHeld, w.Held = m.Held, m.Held && !m.Returning
	// Without the record nobody knows what the template was.
	w.Restored = !m.Held
	w.MaybeCanary, w.Canary, w.CanaryAsked = m.Canary, m.Replicas, m.Replicas
	// A route may be gone without any gateway having noticed.
	w.MaybeRoute = m.Routed || m.Canary && m.Observed.Ref.Ingress != ""
	w.RouteUnsure, w.MaybeCarries = m.Routed, m.Routed && m.Backed
	w.CanaryDrained = !m.Routed && !m.Canary
	w.Asked = traffic.Route{Weight: m.Weight}
	w.MaybeNarrowed = m.Narrowed
	if !m.Held {
		// Nobody knows which pods the Service should be narrowed to.
		w.Narrowed = release.SideStable
	}
	if !m.Promoting {
		return w
	}
	if m.Promoted && m.Selects == release.SideNew || m.Restored && m.Selects == release.SideStable {
		w.Narrowed = m.Selects
	}
	covered := m.Carries && m.Backed && m.Replicas > 0
	w.MaybePromoting, w.Unattended = true, m.Promoted || m.Restored || !covered
	if m.Weight == 100 {
		// The promotion began when this was confirmed.
		w.RouteUnsure, w.Confirmed = false, w.Asked
	}
	return w
}

// Completes says whether Repair leads to the new revision. It does where all
// pods run it, and where they are being replaced with nothing to cover that:
// going back would lose at least as much as going on.
func Completes(m preflight.Remains) bool {
	return WorldOf(m).Unattended && !m.Returning
}

// Repair ends what a lost rollout has left, in the order that loses nothing: it
// completes the promotion, or returns to stable.
func Repair(r *config.Rollout, w World, completes bool) []Operation {
	if completes {
		return Finish(r, w)
	}
	return Abort(r, w)
}
