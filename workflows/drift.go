package workflows

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// calm is how long a change that was undone must stay away, so that the next one
// is not taken for the other side of a war.
const calm = 10 * time.Minute

// OpenDrift is a change by somebody else that waits for a person's answer.
type OpenDrift struct {
	workload.Drift
	// Adoptable says that resume may take it over instead of undoing it.
	Adoptable bool `json:"adoptable,omitempty"`
}

// watchful is what a rollout knows about the changes of others.
type watchful struct {
	// drifts that the main line has not answered yet.
	drifts []workload.Drift
	// open is the drift for which the rollout is paused.
	open *OpenDrift
	// known is what was reported, so that it is reported once.
	known map[workload.DriftKind]string
	// enforced is when a kind of drift was last undone.
	enforced map[workload.DriftKind]time.Time
	// at is a route that is set at once, even while the rollout is paused; mend
	// says that the canary gets its size back at once.
	at   *traffic.Route
	mend bool
	// apart says that the user's Service is narrowed again at once, cover that the
	// canary takes every request again, and halt that a workload which is replaced
	// without cover is paused.
	apart, cover, halt bool
	// covers says that the promotion is watched, and grown that the workload has
	// more pods than the canary that covers it.
	covers, grown bool
	// looks counts how often the watch had to begin anew.
	looks int
}

// drifted takes over the facts at once, before an operation that is under way can
// be mistaken about them, and leaves the answer to the main line.
func (r *run) drifted(ctx workflow.Context, drifts []workload.Drift) {
	if r.drift.known == nil {
		r.drift.known = map[workload.DriftKind]string{}
	}
	for _, d := range drifts {
		r.drift.known[d.Kind] = d.Content
		r.world = factOf(r.world, d)
		workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"kind": string(d.Kind)}).Counter("sluice_drifts").Inc(1)
	}
	r.drift.drifts = append(r.drift.drifts, drifts...)
}

// factOf returns the world after a drift.
func factOf(w plan.World, d workload.Drift) plan.World {
	switch d.Kind {
	case workload.DriftRoute:
		return w.RouteEdited(d.Route)
	case workload.DriftRouteGone:
		return w.RouteGone()
	case workload.DriftRules:
		if w.MaybePromoting {
			return w.RulesEdited()
		}
		return w.RouteEdited(&w.Asked)
	case workload.DriftService:
		return w.CanaryUnknown()
	case workload.DriftCanary:
		if d.Replicas == 0 {
			return w.CanaryGone()
		}
		return w.CanaryUnknown()
	case workload.DriftCanarySize:
		return w.CanaryScaled(d.Replicas)
	case workload.DriftNarrowed:
		return w.ServiceReset()
	case workload.DriftSelector, workload.DriftIngressGone, workload.DriftShadow:
	}
	return w
}

// interrupted says that the main line has something to answer first.
func (r *run) interrupted() bool { return r.order != nil || r.drifting() }

// drifting says that others have changed what the main line has not answered yet.
func (r *run) drifting() bool { return len(r.drift.drifts) > 0 || r.drift.grown }

// answer decides about every drift that has come up. What would lose requests is
// put right whatever the document says; the rest follows its policy.
func (r *run) answer(ctx workflow.Context) {
	drifts := r.drift.drifts
	r.drift.drifts, r.drift.grown = nil, false
	for _, d := range drifts {
		// An operation that ended at the same time may have overwritten the fact.
		r.world = factOf(r.world, d)
		r.respond(ctx, d)
	}
}

func (r *run) respond(ctx workflow.Context, d workload.Drift) {
	if r.world.MaybePromoting && r.uncovered(ctx, d) {
		return
	}
	switch d.Kind {
	case workload.DriftRoute:
		r.routeEdited(ctx, d)
	case workload.DriftRouteGone:
		r.byPolicy(ctx, d, "it is made again", "no requests go to canary in this step")
	case workload.DriftRules:
		r.note(ctx, d.String()+": the canary follows them")
	case workload.DriftIngressGone:
		r.ask(ctx, d, "put it back before you resume", false)
	case workload.DriftShadow:
		r.drift.at = &traffic.Route{}
		r.ask(ctx, d, "no requests go to canary; take the path away or give it a longer rule before you resume, or abort", false)
	case workload.DriftSelector:
		r.selectorEdited(ctx, d)
	case workload.DriftNarrowed:
		r.serviceReset(ctx, d)
	case workload.DriftService, workload.DriftCanary:
		r.drift.at = &traffic.Route{}
		if r.doc().OnDrift == config.DriftEnforce && r.enforcing(ctx, d) {
			r.note(ctx, d.String()+": no requests for canary until it is as before")
			return
		}
		r.ask(ctx, d, "no requests go to canary; resume makes it as before and goes on", false)
	case workload.DriftCanarySize:
		r.canaryScaled(ctx, d)
	}
}

// routeEdited answers an edited weight or match. One that the canary cannot take
// is set back to what was confirmed, whatever the policy is.
func (r *run) routeEdited(ctx workflow.Context, d workload.Drift) {
	if d.Route != nil {
		d.What = fmt.Sprintf("its route became %s instead of %s", routeText(*d.Route), routeText(r.world.Confirmed))
	}
	confirmed := r.world.Confirmed
	switch {
	case d.Route != nil && plan.Same(*d.Route, r.world.Asked):
		r.note(ctx, d.String()+": it is written again")
	case d.Route == nil || !r.bears(ctx, *d.Route):
		if !r.enforcing(ctx, d) {
			r.ask(ctx, d, "it was set back and came again; resume sets it back once more", false)
			return
		}
		r.drift.at = &confirmed
		r.note(ctx, d.String()+": more than the canary can take, set back at once")
	default:
		if r.byPolicy(ctx, d, "it is set back", "this step keeps it") {
			r.drift.at = &confirmed
		}
	}
}

// bears says whether the canary can take a route that somebody else has written.
func (r *run) bears(ctx workflow.Context, route traffic.Route) bool {
	if plan.Bears(r.doc(), r.world, r.step, route) {
		return true
	}
	return plan.BearsWithTwo(r.doc(), r.world, r.step, route) && !countsMatches(ctx)
}

// selectorEdited never writes the user's Service: it goes on with it, or asks. It
// does not go on with one that sends requests to canary pods.
func (r *run) selectorEdited(ctx workflow.Context, d workload.Drift) {
	if d.Reaches {
		if !r.world.MaybePromoting {
			r.drift.at = &traffic.Route{}
		}
		r.ask(ctx, d, "no requests go to canary by its route; put the selector back before you resume, or abort", false)
		return
	}
	if r.doc().OnDrift == config.DriftAdopt {
		r.adoptDrift(ctx, d)
		return
	}
	r.ask(ctx, d, "resume goes on with it", true)
}

// serviceReset narrows the Service again, whatever the policy is: canary pods get
// requests that are meant for stable. Where there are none, the planner narrows it
// before it makes any.
func (r *run) serviceReset(ctx workflow.Context, d workload.Drift) {
	if !r.world.MaybeCanary && sparesResets(ctx) {
		r.note(ctx, d.String()+": there are no canary pods that it could find")
		return
	}
	if len(plan.Apart(r.doc(), r.world)) == 0 {
		r.ask(ctx, d, "put its selector back before you resume", false)
		return
	}
	if !r.enforcing(ctx, d) {
		r.ask(ctx, d, "it was narrowed again, and changed again; resume narrows it once more", false)
		return
	}
	r.drift.apart = true
	r.note(ctx, d.String()+": it is narrowed again at once")
}

// canaryScaled gives a canary that was made smaller its size back at once, and
// takes over one that was made larger.
func (r *run) canaryScaled(ctx workflow.Context, d workload.Drift) {
	if d.Replicas < r.world.CanaryAsked && !r.enforcing(ctx, d) {
		r.ask(ctx, d, "it was given its size back and was scaled again; resume gives it back once more", false)
		return
	}
	r.drift.mend = true
	r.note(ctx, fmt.Sprintf("%s: it gets %d", d, r.world.CanaryAsked))
}

// byPolicy undoes a drift, adopts it, or asks; it says whether it is undone.
func (r *run) byPolicy(ctx workflow.Context, d workload.Drift, undo, keep string) bool {
	adoptable := r.step < len(r.doc().Steps)
	switch {
	case r.doc().OnDrift == config.DriftEnforce && r.enforcing(ctx, d):
		r.note(ctx, d.String()+": "+undo)
		return true
	case r.doc().OnDrift == config.DriftAdopt && adoptable:
		r.adoptDrift(ctx, d)
		return false
	}
	ask := "resume: " + undo
	if adoptable {
		ask += "; resume with adopt: " + keep
	}
	r.ask(ctx, d, ask, adoptable)
	return false
}

// enforcing says whether a drift may be undone: not if the same was undone a
// moment ago, which would be a war of writes.
func (r *run) enforcing(ctx workflow.Context, d workload.Drift) bool {
	now := workflow.Now(ctx)
	if r.drift.enforced == nil {
		r.drift.enforced = map[workload.DriftKind]time.Time{}
	}
	last, before := r.drift.enforced[d.Kind]
	if before && now.Sub(last) < calm {
		return false
	}
	r.drift.enforced[d.Kind] = now
	return true
}

// ask pauses the rollout until a person decides.
func (r *run) ask(ctx workflow.Context, d workload.Drift, choice string, adoptable bool) {
	r.drift.open = &OpenDrift{Drift: d, Adoptable: adoptable}
	// A pause is never refused while the main line runs.
	_, _ = r.decide(ctx, VerbPause, Message{By: d.By, Reason: d.String() + "; " + choice}, "drift")
}

// adoptDrift takes over what somebody else has done as what this step asks for.
func (r *run) adoptDrift(ctx workflow.Context, d workload.Drift) {
	route := traffic.Route{}
	switch d.Kind {
	case workload.DriftSelector:
		r.observed.Selector = d.Selector
		r.note(ctx, d.String()+": adopted")
		return
	case workload.DriftRoute:
		route = *d.Route
	case workload.DriftRouteGone:
	default:
		return
	}
	if r.step >= len(r.doc().Steps) {
		return // a person has gone on to a step that has no route of its own
	}
	steps := slices.Clone(r.in.Rollout.Steps)
	steps[r.step].Weight, steps[r.step].Matches = &route.Weight, route.Matches
	r.in.Rollout.Steps = steps
	r.note(ctx, fmt.Sprintf("%s: adopted, step %d has %s now", d, r.step+1, routeText(route)))
}

// judgeResume says whether a pause can be ended, and a drift adopted.
func (r *run) judgeResume(m Message) (string, error) {
	open := r.drift.open
	switch {
	case !r.paused:
		return "", errors.New("the rollout is not paused")
	case !m.Adopt:
		return "resuming", nil
	case open == nil:
		return "", errors.New("nothing to adopt: nobody else has changed anything")
	case !open.Adoptable:
		return "", fmt.Errorf("%s cannot be adopted: resume without adopt, or abort", open.Drift)
	}
	return "resuming with what was changed", nil
}

// resume ends a pause; what was open is adopted, or undone by the planner.
func (r *run) resume(ctx workflow.Context, m Message) {
	open := r.drift.open
	r.paused, r.pauseReason, r.drift.open = false, "", nil
	if open == nil {
		return
	}
	switch {
	case open.Reaches:
		// The watch looks again, and asks again if the selector is as it was.
		delete(r.drift.known, open.Kind)
		r.drift.looks++
	case m.Adopt, open.Kind == workload.DriftSelector:
		r.adoptDrift(ctx, open.Drift)
	}
}

// atOnce does what must not wait for a resume.
func (r *run) atOnce(ctx workflow.Context) error {
	for r.drift.urgent() {
		if r.interrupted() {
			return errInterrupted
		}
		ops := r.urgent()
		if len(ops) == 0 {
			r.drift.at, r.drift.mend, r.drift.apart, r.drift.cover, r.drift.halt = nil, false, false, false, false
			return nil
		}
		if err := r.execute(ctx, ops[0]); err != nil {
			return err
		}
	}
	return nil
}

// urgent says that something must not wait.
func (w watchful) urgent() bool { return w.at != nil || w.mend || w.apart || w.cover || w.halt }

// urgent plans what must not wait.
func (r *run) urgent() []plan.Operation {
	var ops []plan.Operation
	if r.drift.halt {
		ops = plan.Halt(r.world)
	}
	if r.drift.cover {
		ops = append(ops, plan.Cover(r.doc(), r.world)...)
	}
	if r.drift.apart {
		ops = append(ops, plan.Apart(r.doc(), r.world)...)
	}
	if r.drift.mend {
		ops = append(ops, plan.Mend(r.world)...)
	}
	if r.drift.at != nil {
		ops = append(ops, plan.At(r.world, *r.drift.at)...)
	}
	return ops
}

// settled forgets what was reported about objects that an operation has written.
func (r *run) settled(op plan.Operation) {
	switch op.Kind {
	case plan.SetRoute:
		delete(r.drift.known, workload.DriftRoute)
		delete(r.drift.known, workload.DriftRules)
	case plan.EnsureCanary:
		delete(r.drift.known, workload.DriftService)
		delete(r.drift.known, workload.DriftCanary)
		delete(r.drift.known, workload.DriftCanarySize)
	case plan.NarrowService, plan.WidenService:
		delete(r.drift.known, workload.DriftNarrowed)
	default:
	}
}
