package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// run is the state of one rollout. Everything in it is derived from the history.
type run struct {
	in       Input
	observed preflight.Observed
	world    plan.World
	journal

	// step that is worked on, from 0; the number of steps is the implicit last.
	step int
	// seq numbers the operations, to fence late writes of abandoned ones.
	seq int64
	// routeUnsure says that the route before that of the present operation was not
	// confirmed.
	routeUnsure bool
	// routeAgain says that a route was asked for since one was confirmed, and may
	// have waited for pods.
	routeAgain bool
	// late counts the routes that came after the route was removed.
	late int
	// deadline of the operations of the present step.
	deadline time.Time

	// change is the revision that is released; revising says that it has to
	// replace one whose canary may exist.
	change   workload.Change
	revising bool
	held     workload.Held

	mailbox
	measuring
	drift watchful
}

// mailbox is what messages have asked for and the main line has not yet done.
type mailbox struct {
	// order interrupts the main line.
	order *order
	// pausing says that a compensation waits to be tried again.
	pausing bool
	// paused by a person, and why.
	paused      bool
	pauseReason string
	// full promotes through all remaining holds.
	full bool
	// open says that a hold is open, released that it was promoted.
	open, released bool
	// lastPromote is when a hold was last released by a person.
	lastPromote time.Time
	// early approvals by step, given before the hold was open.
	early []bool
	// answers to messages that name themselves.
	answers answers
	// began is when the hold of step heldStep began, and kept that an edited
	// document has not ended it.
	began    time.Time
	heldStep int
	kept     bool
	// edits counts the documents of replans, and preparing is the ID of the one
	// whose metrics are being prepared.
	edits     int
	preparing string
}

// order is an interruption of the main line.
type order struct {
	verb   Verb
	step   int
	change workload.Change
	reason string
	// cause of verbVerdict.
	cause *verdictFailure
	// rollout is the edited document of a replan.
	rollout *config.Rollout
}

// errInterrupted says that an order is waiting.
var errInterrupted = errors.New("interrupted by an order")

// rollback is the error that ends the delivery in favour of stable.
type rollback struct{ reason string }

// Error returns the reason.
func (e *rollback) Error() string { return e.reason }

func newRun(ctx workflow.Context, in Input) *run {
	r := &run{in: in, change: in.Change}
	r.paused = in.Rollout.Paused
	r.early = make([]bool, len(in.Rollout.Steps))
	r.journal = newJournal(ctx, in)
	return r
}

// doc is the document of the rollout.
func (r *run) doc() *config.Rollout { return &r.in.Rollout }

// budget starts the clock of the step that begins.
func (r *run) budget(ctx workflow.Context, d config.Duration) {
	r.deadline = workflow.Now(ctx).Add(d.Std())
}

// workPhase is the phase of the present step while it is worked on.
func (r *run) workPhase() Phase {
	if r.step >= len(r.doc().Steps) {
		return PhasePromoting
	}
	return PhaseProgressing
}

// completeStep goes on to the next step, or to the last after a full promotion.
func (r *run) completeStep(ctx workflow.Context) {
	last := len(r.doc().Steps)
	if r.step < last {
		r.note(ctx, fmt.Sprintf("step %d of %d completed", r.step+1, last+1))
	}
	r.step++
	if r.full {
		r.step = max(r.step, last)
	}
}

// goTo continues at another step; approvals that were given early for steps
// that come again are void.
func (r *run) goTo(step int) {
	r.step = step
	r.full = false
	r.baked, r.overridden = false, 0
	for i := range r.early {
		if i >= step {
			r.early[i] = false
		}
	}
}

// inspect looks at everything that would be touched.
func (r *run) inspect(ctx workflow.Context) error {
	r.enter(ctx, PhaseChecking, "checking that the release can be made")
	r.budget(ctx, inspectBudget)
	observed, err := r.callInspect(ctx)
	if err != nil {
		return err
	}
	r.observed = observed
	r.world = plan.Before(observed)
	r.held.Revision, r.held.Images = observed.CanaryRevision, observed.CanaryImages
	if observed.Confirm != "" {
		r.note(ctx, "changes of the route are confirmed by "+observed.Confirm)
	}
	for _, w := range observed.Warnings {
		r.note(ctx, "warning: "+w)
	}
	return nil
}

// routeText says in words which requests go to canary.
func routeText(route traffic.Route) string {
	text := fmt.Sprintf("weight %d", route.Weight)
	if m := config.MatchesText(route.Matches); m != "" {
		text += ", " + m
	}
	return text
}
