package plan

import (
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
)

// Selector mode: canary pods have all labels of the workload, so that the user's
// Service would select them. It is narrowed to the pods that the workload runs
// while canary pods exist, and is wide while the workload's pods are replaced: a
// Service with no ready endpoint answers for nobody behind some gateways, not
// even for the canary.

// side is the revision that the workload runs.
func (w World) side() release.Side {
	if w.Promoted {
		return release.SideNew
	}
	return release.SideStable
}

// isolate narrows the Service before the first canary pod, which would get its
// requests otherwise. It leaves a Service alone that was widened because the
// canary has every request and the workload is about to be replaced, or is.
func isolate(r *config.Rollout, w World, want traffic.Route) []Operation {
	covered := want.Weight == 100 && w.StableDrained
	switch {
	case !r.BySelector() || w.Narrowed == release.SideStable || covered || w.MaybePromoting:
		return nil
	case w.MaybeCanary:
		return apart(r, w, release.SideStable, r.NeedStable(want.Weight, w.load()))
	}
	return []Operation{{Kind: NarrowService, Side: release.SideStable, Keep: true}}
}

// apart takes canary pods out of the Service before it serves again: it would
// send requests to pods that are about to stop. Where the workload has no pods
// there is nothing that the Service could select instead.
func apart(r *config.Rollout, w World, side release.Side, need int) []Operation {
	if !r.BySelector() || !w.MaybeCanary || w.Narrowed == side || w.Replicas == 0 {
		return nil
	}
	return []Operation{{Kind: NarrowService, Side: side, NeedStable: min(need, w.Replicas), Again: w.Reset}}
}

// open lets the Service select the pods that replace those of the workload. A
// lost rollout may have replaced them already, and narrowed it to them.
func open(w World) []Operation {
	if w.Unattended && w.Narrowed != "" {
		return nil
	}
	return widen(w)
}

// widen gives the Service its own selector back.
func widen(w World) []Operation {
	if !w.MaybeNarrowed {
		return nil
	}
	return []Operation{{Kind: WidenService}}
}

// rejoin ends the isolation: the canary pods go, and then it makes no difference
// to any endpoint that the Service has its own selector back.
func rejoin(r *config.Rollout, w World) []Operation {
	var ops []Operation
	if r.BySelector() && w.MaybeCanary {
		ops = append(ops, Operation{Kind: RemoveCanary})
	}
	return append(ops, widen(w)...)
}
