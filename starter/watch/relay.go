package watch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/workflows"
)

// relay turns what people have written to the Rollout into messages to its
// rollout, which goes on. What was missed while the watcher was away is found by
// comparing, not by events.
func (w *Watcher) relay(ctx context.Context, s *subject) error {
	if s.queued != nil && s.queued.Revision == s.rollout.StableRevision {
		m := workflows.Message{By: s.queued.By, Reason: workflows.ReasonPutBack}
		if _, err := w.send(ctx, s, workflows.VerbAbort, m, "queued "+s.queued.Revision); err != nil {
			return err
		}
	}
	relays := []func(context.Context, *subject) error{w.relayPause, w.relayPlan, w.relayApproval, w.relayJump}
	if s.doc == nil {
		// What is written to the status does not depend on the document.
		relays = []func(context.Context, *subject) error{w.relayApproval, w.relayJump}
	}
	for _, relay := range relays {
		if err := relay(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// step of a document that the rollout is at, from 1; 0 at the implicit last one.
func (s *subject) step() int {
	if s.rollout.Step > len(s.rollout.Steps)-1 {
		return 0
	}
	return s.rollout.Step
}

// relayApproval makes a promote of a status that was patched from StepPaused to
// StepReady.
func (w *Watcher) relayApproval(ctx context.Context, s *subject) error {
	c, step := s.before.CanaryStatus, s.step()
	if c == nil || c.CurrentStepState != projection.StepReady || step == 0 || int(c.CurrentStepIndex) != step ||
		s.rollout.Steps[step-1].State != workflows.StepPaused {
		return nil
	}
	f := w.follower(s.key)
	if f == nil {
		return errWait
	}
	if f.approved(s.rollout.Since) || s.toldReady() {
		// It was taken, and the news are on their way.
		s.ready(step)
		return nil
	}
	who := authorOf(s.obj, "status", "canaryStatus", "currentStepState")
	if !who.somebody() {
		return nil
	}
	m := workflows.Message{Step: step, By: who.manager, Reason: "status.canaryStatus.currentStepState was set to StepReady"}
	accepted, err := w.sendPatched(ctx, s, workflows.VerbPromote, m, who.String())
	if accepted {
		f.approve(s.rollout.Since)
		s.ready(step)
	}
	return err
}

// toldReady says that a watcher has told StepReady of the present hold, maybe
// another one. Only we write the mirrored state, unless somebody has edited both:
// then it is an approval.
func (s *subject) toldReady() bool {
	told := s.before.CanaryStatus.LastUpdateTime
	return s.before.CurrentStepState == projection.StepReady && told != nil && told.Unix() == s.rollout.Since.Unix() &&
		!authorOf(s.obj, "status", "currentStepState").somebody()
}

// ready lets the status tell that the hold of a step was released until the
// rollout tells how it goes on.
func (s *subject) ready(step int) {
	s.rollout.Steps = slices.Clone(s.rollout.Steps)
	s.rollout.Steps[step-1].State = workflows.StepReady
}

// relayJump makes a jump of a nextStepIndex that was patched to another step than
// the next one.
func (w *Watcher) relayJump(ctx context.Context, s *subject) error {
	c, steps := s.before.CanaryStatus, len(s.rollout.Steps)-1
	if c == nil || s.step() == 0 || int(c.CurrentStepIndex) != s.step() {
		return nil
	}
	natural := int(c.CurrentStepIndex) + 1
	if natural > steps {
		natural = -1
	}
	to := int(c.NextStepIndex)
	who := authorOf(s.obj, "status", "canaryStatus", "nextStepIndex")
	if to == natural || to < 1 || to > steps || !who.somebody() {
		return nil
	}
	m := workflows.Message{Step: to, By: who.manager, Reason: fmt.Sprintf("status.canaryStatus.nextStepIndex was set to %d", to)}
	_, err := w.sendPatched(ctx, s, workflows.VerbJump, m, fmt.Sprint(who, " ", to))
	return err
}

// sendPatched sends what somebody has patched into the status. The status that
// answers the patch names the message, and the identity of the next one is made
// from that name, too: an equal patch within the same second is another message,
// and one patch that is looked at twice is not. It says whether the rollout took it.
func (w *Watcher) sendPatched(ctx context.Context, s *subject, verb workflows.Verb, m workflows.Message, cause string) (bool, error) {
	sent, err := w.send(ctx, s, verb, m, cause+" after "+s.before.Relayed)
	if err == nil {
		s.relayed = sent.id
	}
	return sent.accepted, err
}

// pausedReason begins the reason of decisions that follow spec.strategy.paused.
const pausedReason = "spec.strategy.paused is "

// relayPause follows spec.strategy.paused. Who pauses by another way is not
// overruled: only a change of the field is followed.
func (w *Watcher) relayPause(ctx context.Context, s *subject) error {
	in, err := w.input(ctx, s)
	if err != nil {
		return err
	}
	told := in.Rollout.Paused
	for _, d := range s.rollout.Decisions {
		if d.Accepted && strings.HasPrefix(d.Reason, pausedReason) {
			told = d.Verb == workflows.VerbPause
		}
	}
	if s.doc.Paused == told {
		return nil
	}
	verb := workflows.VerbResume
	if s.doc.Paused {
		verb = workflows.VerbPause
	}
	who := authorOf(s.obj, "spec", "strategy", "paused")
	m := workflows.Message{By: who.manager, Reason: pausedReason + fmt.Sprint(s.doc.Paused)}
	_, err = w.send(ctx, s, verb, m, fmt.Sprint(who, " ", s.obj.GetGeneration(), " ", s.doc.Paused))
	return err
}

// planReason begins the reason of decisions that follow an edited document.
const planReason = "the Rollout was edited, plan "

// relayPlan sends an edited document.
func (w *Watcher) relayPlan(ctx context.Context, s *subject) error {
	in, err := w.input(ctx, s)
	if err != nil {
		return err
	}
	if !in.Origin.Of(s.key.group, s.key.name) {
		return nil // it has the plan that the command line gave it
	}
	told, edits := plan(&in.Rollout), 0
	for _, d := range s.rollout.Decisions {
		if text, ok := strings.CutPrefix(d.Reason, planReason); ok && d.Accepted {
			told = text
			edits++
		}
	}
	now := plan(s.doc)
	if now == told || s.rollout.Phase == workflows.PhaseChecking {
		return nil
	}
	who := authorOf(s.obj, "spec", "strategy")
	m := workflows.Message{Rollout: s.doc, By: who.manager, Reason: planReason + now}
	// The same plan may come again after another one, or after it was refused.
	_, err = w.send(ctx, s, workflows.VerbReplan, m, fmt.Sprint(now, " ", edits, " ", s.obj.GetGeneration()))
	return err
}

// reply is how a message was answered.
type reply struct {
	id string
	// accepted says that the rollout took it; else it was refused, or the rollout
	// had ended.
	accepted bool
}

// send sends a message once. Its identity is made from what it follows, so that
// Temporal, too, takes it once, whichever replica sends it. A refusal is told as
// an event and not tried again. An error means that it has not arrived: nothing
// may overwrite what it was made from.
func (w *Watcher) send(ctx context.Context, s *subject, verb workflows.Verb, m workflows.Message, cause string) (reply, error) {
	m.Run = s.rollout.Run
	sum := sha256.Sum256([]byte(strings.Join([]string{string(s.obj.GetUID()), m.Run, string(verb), fmt.Sprint(m.Step), cause}, "\n")))
	id := hex.EncodeToString(sum[:16])
	f := w.follower(s.key)
	if f == nil {
		return reply{}, errWait
	}
	if before, ok := f.answered(id); ok {
		return before, nil
	}
	answer, err := w.Control.Send(ctx, s.rollout.WorkflowID, verb, m, control.SendOptions{RequestID: id, Identity: "sluice-watch:" + m.By})
	var refused *control.Refused
	var ended *control.Ended
	result := reply{id: id}
	switch {
	case errors.As(err, &refused):
		w.event(ctx, s, warning, "Refused", fmt.Sprintf("%s by %s: %s", verb, m.By, refused.Text), id)
	case errors.As(err, &ended):
	case err != nil:
		return reply{}, fmt.Errorf("relaying %s by %s: %w", verb, m.By, err)
	default:
		result.accepted = true
		w.Log.Info("relayed", "rollout", s.key.String(), "verb", verb, "by", m.By, "answer", answer.Text)
	}
	f.answer(result)
	return result, nil
}
