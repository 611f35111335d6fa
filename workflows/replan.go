package workflows

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/config"
)

// judgeReplan says whether the rollout can go on by an edited document. What is
// released, and by which route, is decided once per rollout.
func (r *run) judgeReplan(m Message) (string, error) {
	doc := r.doc()
	switch {
	case m.Rollout == nil || len(m.Rollout.Steps) == 0:
		return "", errors.New("send the edited document with its steps")
	case !possible(m.Rollout.Steps):
		return "", errors.New("the edited document has a weight that is not from 0 to 100, or a hold that is not known: let sluice send it, which checks it")
	case m.Rollout.Workload != doc.Workload || m.Rollout.Namespace != doc.Namespace:
		return "", errors.New("the workload cannot be changed while it is rolled out: abort first")
	case m.Rollout.Traffic.Service != doc.Traffic.Service || m.Rollout.Traffic.Ingress != doc.Traffic.Ingress:
		return "", errors.New("the route cannot be changed while the workload is rolled out: abort first")
	case m.Rollout.BySelector() != doc.BySelector():
		return "", errors.New("the isolation cannot be changed while the workload is rolled out: abort first")
	case r.world.MaybePromoting:
		return "", errors.New("too late: the new revision is being made stable")
	case r.phase == PhaseChecking:
		return "", errors.New("too early: the rollout is being checked")
	}
	return "going on by the edited document", nil
}

// ready returns a replan whose document can be adopted, with its metrics filled
// in. The error says why it cannot; the present document stays in force then. A
// later edit overtakes one that is still being prepared.
func (r *run) ready(ctx workflow.Context, m Message) (Message, error) {
	r.edits++
	edit := r.edits
	if !m.Rollout.Measured() || !preparesEdits(ctx) {
		return m, nil
	}
	r.preparing = m.ID
	doc, err := r.callPrepare(ctx, *m.Rollout, "prepare the metrics of the edited document", func() error { return r.outdated(ctx, m, edit) })
	if edit == r.edits {
		r.preparing = ""
	}
	switch {
	case r.outdated(ctx, m, edit) != nil:
		return m, r.outdated(ctx, m, edit)
	case err != nil:
		return m, fmt.Errorf("the present document stays in force: %s", explain(err))
	}
	m.Rollout = &doc
	return m, nil
}

// outdated says why an edited document that is being prepared is not wanted any
// more.
func (r *run) outdated(ctx workflow.Context, m Message, edit int) error {
	if edit != r.edits {
		return errors.New("the document was edited again before its metrics were prepared")
	}
	_, err := r.judge(workflow.Now(ctx), VerbReplan, m)
	return err
}

// possible says whether steps can be taken at all. A document is checked by those
// that send it, but a signal can be written by hand.
func possible(steps []config.Step) bool {
	for _, s := range steps {
		known := s.Hold.Mode == config.HoldNone || s.Hold.Mode == config.HoldApproval || s.Hold.Mode == config.HoldTimed
		if !known || s.Weight != nil && (*s.Weight < 0 || *s.Weight > 100) {
			return false
		}
	}
	return true
}

// replan takes over an edited document. Where only holds differ the step goes on
// and the hold in force is the edited one, counted from its beginning. Otherwise
// the rollout continues, as Kruise does, at the first step that has as many
// canary pods as the present one had, the present one first.
func (r *run) replan(ctx workflow.Context, doc *config.Rollout) {
	before := r.in.Rollout
	traffic := before.Traffic
	traffic.Grace, traffic.ConfirmTimeout = doc.Traffic.Grace, doc.Traffic.ConfirmTimeout
	r.in.Rollout = *doc
	r.in.Rollout.Traffic = traffic
	r.guardEdited(ctx, before)
	early := make([]bool, len(doc.Steps))
	copy(early, r.early)
	r.early = early
	if sameButHolds(before.Steps, doc.Steps) && before.SameCapacity(doc) {
		r.kept = true
		r.note(ctx, fmt.Sprintf("the document was edited: step %d goes on", r.step+1))
		return
	}
	// After a jump back there are more pods than the step asks for.
	size := r.canary.Total
	if r.step < len(before.Steps) {
		size = before.Steps[r.step].Replicas.Of(r.world.Replicas)
	}
	full := r.full
	r.goTo(stepFor(doc, r.step, size, r.world.Replicas))
	r.full = full
	r.note(ctx, fmt.Sprintf("the document was edited: going on at step %d of %d", r.step+1, len(doc.Steps)+1))
}

// stepFor returns the step, from 0, at which a rollout with so many canary pods
// continues by an edited document.
func stepFor(doc *config.Rollout, present, canary, total int) int {
	fits := func(i int) bool { return i < len(doc.Steps) && doc.Steps[i].Replicas.Of(total) >= canary }
	if fits(present) {
		return present
	}
	for i := range doc.Steps {
		if fits(i) {
			return i
		}
	}
	return len(doc.Steps) - 1
}

// sameButHolds says that two plans differ in nothing but their holds.
func sameButHolds(a, b []config.Step) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		x.Hold, y.Hold = config.Hold{}, config.Hold{}
		if !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return true
}

// beginHold notes when a hold begins, and says whether an edited document has kept
// it, so that it began earlier.
func (r *run) beginHold(ctx workflow.Context) (kept bool) {
	kept = r.kept && !r.began.IsZero() && r.heldStep == r.step
	if !kept {
		r.began, r.heldStep = workflow.Now(ctx), r.step
	}
	r.kept = false
	return kept
}

// holdLeft is what is left of a timed hold.
func (r *run) holdLeft(ctx workflow.Context, duration time.Duration) time.Duration {
	return max(0, duration-workflow.Now(ctx).Sub(r.began))
}
