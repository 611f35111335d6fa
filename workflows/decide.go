package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// coolDown is how long after a promotion a promote that names no step is taken
// for a second click on the first.
const coolDown = 5 * time.Second

// decide judges a message, acts on it if it is legal now, and keeps both. One
// that was decided before is answered as it was then, and one that is being
// prepared as it will be. Only a replan takes time.
func (r *run) decide(ctx workflow.Context, verb Verb, m Message, via string) (string, error) {
	if err := workflow.Await(ctx, func() bool { return m.ID == "" || m.ID != r.preparing }); err != nil {
		return "", err
	}
	if text, again := r.answers.find(m.ID); again {
		return text, nil
	}
	text, err := r.judge(workflow.Now(ctx), verb, m)
	if stale := (*staleFull)(nil); errors.As(err, &stale) && !refusesStaleFull(ctx) {
		text, err = stale.before, nil
	}
	if err == nil && verb == VerbReplan {
		m, err = r.ready(ctx, m)
	}
	r.noteDecision(ctx, verb, m, via, text, err)
	if err != nil {
		return "", err
	}
	r.act(ctx, verb, m)
	r.answers = r.answers.with(m.ID, text)
	return text, nil
}

// checkRun turns away messages that were meant for another run. After a reset,
// a message that would move the rollout forward must name the run.
func (r *run) checkRun(verb Verb, m Message, arrivedIn string) error {
	if m.Run != "" && m.Run != arrivedIn {
		return fmt.Errorf("this was meant for run %s; the present run is %s", m.Run, arrivedIn)
	}
	if m.Run == "" && arrivedIn != r.originalRunID && verb != VerbAbort && verb != VerbPause {
		return fmt.Errorf(`this run came from a reset: name it, {"run":"%s"}, so that messages from before the reset do not act again`, arrivedIn)
	}
	return nil
}

// judge says what a message would do now, or why it may not. It changes nothing.
func (r *run) judge(now time.Time, verb Verb, m Message) (string, error) {
	if r.final && !(r.pausing && verb == VerbRetry) {
		return "", fmt.Errorf("too late: the rollout is %s", r.phase)
	}
	if m.Revision != "" && m.Revision != r.held.Revision {
		return "", fmt.Errorf("this was meant for revision %s; the present revision is %s", m.Revision, r.held.Revision)
	}
	if m.Adopt && verb != VerbResume {
		return "", errors.New("adopt goes with resume")
	}
	switch verb {
	case VerbPromote:
		return r.judgePromote(now, m)
	case VerbPause:
		return "pausing before the next operation", nil
	case VerbResume:
		return r.judgeResume(m)
	case VerbAbort:
		return r.judgeAbort()
	case VerbRetry:
		if r.pausing {
			return "trying again at once", nil
		}
		if r.phase != PhaseStuck {
			return "", fmt.Errorf("nothing has failed: the rollout is %s", r.phase)
		}
		return fmt.Sprintf("trying step %d again", r.step+1), nil
	case VerbJump:
		return r.judgeJump(m)
	case VerbRevise:
		return r.judgeRevise(m)
	case VerbReplan:
		return r.judgeReplan(m)
	}
	return "", fmt.Errorf("unknown verb %q", verb)
}

func (r *run) judgePromote(now time.Time, m Message) (string, error) {
	if m.Full {
		return r.judgeFull(m)
	}
	step := r.step + 1
	switch {
	case m.Step > len(r.doc().Steps) && (m.Step != step || !r.open && r.phase != PhaseStuck):
		return "", fmt.Errorf("step %d has no hold: there are %d steps", m.Step, len(r.doc().Steps))
	case m.Step != 0 && m.Step < step, m.Step == step && r.open && r.released:
		return "", passed(m.Step, step)
	case r.paused && m.Step <= step:
		return "", errPaused
	case m.Step > step, m.Step == step && !r.open && r.phase != PhaseStuck:
		return fmt.Sprintf("noted for step %d", m.Step), nil
	case r.phase == PhaseStuck:
		return r.judgeOverride(m)
	case !r.open || r.released:
		return "", fmt.Errorf("nothing to promote: the rollout is %s; name a step to approve it early", r.phase)
	case m.Step == 0 && !r.lastPromote.IsZero() && now.Sub(r.lastPromote) < coolDown:
		return "", fmt.Errorf("step %d was promoted less than %s ago: name the step to promote this one too", step-1, coolDown)
	}
	return fmt.Sprintf("promoting step %d", step), nil
}

// errPaused refuses a promotion beside a pause.
var errPaused = errors.New("the rollout is paused: resume it first")

// passed refuses the promotion of a step that is over.
func passed(step, present int) error {
	return fmt.Errorf("step %d is promoted already: the rollout is at step %d", step, present)
}

func (r *run) judgeAbort() (string, error) {
	if !plan.CanAbort(r.world) {
		return "", errors.New("too late: the new revision is stable; start a rollout to the earlier one instead")
	}
	return "returning to stable", nil
}

func (r *run) judgeJump(m Message) (string, error) {
	switch {
	case m.Step < 1 || m.Step > len(r.doc().Steps):
		return "", fmt.Errorf("step %d does not exist: name a step from 1 to %d, or promote with full", m.Step, len(r.doc().Steps))
	case r.world.MaybePromoting:
		return "", errors.New("too late: the new revision is being made stable; abort is possible")
	case r.phase == PhaseChecking:
		return "", errors.New("too early: the rollout is being checked")
	}
	return fmt.Sprintf("going to step %d", m.Step), nil
}

func (r *run) judgeRevise(m Message) (string, error) {
	switch {
	case m.Change == nil:
		return "", errors.New(`name the new revision, for example {"change":{"images":{"main":"shop:v3"}}}`)
	case r.world.MaybePromoting:
		return "", errors.New("too late: the present revision is being made stable; start a new rollout when it is done")
	case r.phase == PhaseChecking:
		return "", errors.New("too early: the rollout is being checked")
	}
	return "replacing the revision that is being released", nil
}

// act does what was judged to be legal: it leaves orders for the main line.
func (r *run) act(ctx workflow.Context, verb Verb, m Message) {
	switch verb {
	case VerbPromote:
		r.promote(ctx, m)
	case VerbPause:
		r.paused, r.pauseReason = true, m.Reason
	case VerbResume:
		r.resume(ctx, m)
	case VerbRetry:
		if !r.final || wakesByRetry(ctx) {
			r.command(ctx, verb, m)
		}
	case VerbAbort, VerbJump, VerbRevise, VerbReplan:
		r.command(ctx, verb, m)
	}
}

// promote releases the open hold, or notes an approval that came early.
func (r *run) promote(ctx workflow.Context, m Message) {
	step := r.step + 1
	r.unguarded = r.unguarded || m.SkipAnalysis
	switch {
	case r.phase == PhaseStuck && m.Step <= step:
		r.override(ctx, m)
	case m.Full:
		r.full, r.released = true, true
	case m.Step > step || !r.open:
		r.early[m.Step-1] = true
	default:
		r.released, r.lastPromote = true, workflow.Now(ctx)
	}
}

// command leaves an order; abort replaces every other, and none replaces abort.
func (r *run) command(ctx workflow.Context, verb Verb, m Message) {
	if r.order != nil && r.order.verb == VerbAbort {
		return
	}
	if r.order != nil && r.order.verb == verbVerdict && forgetsVerdicts(ctx) {
		r.blamed = nil // nobody will wait because of it, so nobody would end that
	}
	o := &order{verb: verb, step: max(0, m.Step-1), reason: "aborted" + because(m.Reason)}
	if m.By != "" {
		o.reason = "aborted by " + m.By + because(m.Reason)
	}
	if m.Change != nil {
		o.change = *m.Change
	}
	o.rollout = m.Rollout
	r.order = o
}

// because appends a reason.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// holdText of a step for the status.
func holdText(h config.Hold) string {
	if h.Mode == config.HoldTimed {
		return h.Duration.String()
	}
	return string(h.Mode)
}
