package workflows

import (
	"errors"
	"fmt"
)

// staleFull is the refusal of a full promotion that was accepted before v0.3.0, with
// the answer of that time.
type staleFull struct {
	error
	before string
}

// judgeFull judges a promotion through all remaining steps. It is as stale as a plain
// one where the rollout is not as its sender saw it.
func (r *run) judgeFull(m Message) (string, error) {
	text := "promoting through all remaining steps"
	if r.phase == PhaseStuck {
		var err error
		if text, err = r.judgeOverride(m); err != nil {
			return "", err
		}
	}
	if err := r.notAsSeen(m); err != nil {
		return "", &staleFull{error: err, before: text}
	}
	return text, nil
}

// notAsSeen says what has changed since a full promotion was asked for, or why there
// is nothing left for it to do.
func (r *run) notAsSeen(m Message) error {
	step := r.step + 1
	switch {
	case m.Step != 0 && m.Step < step:
		return passed(m.Step, step)
	case m.Step > step:
		return fmt.Errorf("the rollout is at step %d, not yet at step %d: a full promotion begins at the present step", step, m.Step)
	case r.paused:
		return errPaused
	case r.phase == PhaseStuck, m.SkipAnalysis:
		return nil
	case r.world.MaybePromoting:
		return errors.New("nothing to promote: the new revision is being made stable already")
	case r.full:
		return errors.New("nothing to promote: all remaining steps are promoted already")
	}
	return nil
}
