package main

import (
	"context"
	"fmt"
	"time"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// stepLimit bounds the way to a hold or to the end.
const stepLimit = 2 * time.Minute

// actor is who promotes and aborts in the story.
const actor = "demo"

// decision goes on from a hold that was shown.
type decision func(ctx context.Context, held workflows.Status) error

// release releases the latest version with a document, lets decide go on from
// each hold, and shows who answers at the end.
func (s *story) release(ctx context.Context, document string, decide decision) error {
	err := s.sluice(ctx, "start", "-f", seed(document), "--image", "main="+harness.Image(version(s.latest)))
	if err != nil {
		return err
	}
	var last workflows.Status
	for {
		st, err := s.follow(ctx, last)
		if err != nil {
			return err
		}
		if st.Phase.Ended() {
			return s.finish(ctx, st)
		}
		if err := s.hold(ctx, st, decide); err != nil {
			return err
		}
		last = st
	}
}

// follow tells what the rollout reports from a status on, until it holds again or
// has ended.
func (s *story) follow(ctx context.Context, from workflows.Status) (workflows.Status, error) {
	if !s.interactive {
		limited, cancel := context.WithTimeout(ctx, stepLimit)
		defer cancel()
		ctx = limited
	}
	last, told := from, len(from.Timeline)
	err := harness.Await(ctx, "the rollout holds or has ended", func(ctx context.Context) (bool, error) {
		st, err := s.Status(ctx, namespace)
		if err != nil {
			return false, err
		}
		last = st
		for ; told < len(st.Timeline); told++ {
			s.event(st.Timeline[told].At.Sub(st.Started), st.Timeline[told].Text)
		}
		s.draw(fmt.Sprintf("%s: %s", st.Phase, st.Message))
		return st.Phase.Ended() || holdsAnew(from, st) || s.fails(st), nil
	})
	if err != nil {
		return last, fmt.Errorf("%w (%s: %s)", err, last.Phase, last.Message)
	}
	if s.fails(last) {
		return last, fmt.Errorf("the rollout is %s: %s", last.Phase, last.Failure)
	}
	return last, nil
}

// fails says whether nobody will help a rollout that needs a person.
func (s *story) fails(st workflows.Status) bool {
	return st.Phase == workflows.PhaseStuck && !s.interactive
}

// holdsAnew says whether a rollout holds, and not since the status before.
func holdsAnew(before, now workflows.Status) bool {
	return now.Phase == workflows.PhaseHolding && !now.Since.Equal(before.Since)
}

// hold shows a hold and what clients see, and lets decide go on.
func (s *story) hold(ctx context.Context, st workflows.Status, decide decision) error {
	if _, err := s.load.Mark(ctx, holdMark(st)); err != nil {
		return err
	}
	s.heading(holdTitle(st, version(s.latest)))
	if err := s.showPods(ctx); err != nil {
		return err
	}
	if err := s.showCanaryIngress(ctx); err != nil {
		return err
	}
	if s.interactive {
		s.invite()
	}
	return decide(ctx, st)
}

// promoteNext measures for the pause and promotes, or waits for the person who
// does.
func (s *story) promoteNext(ctx context.Context, st workflows.Status) error {
	if s.interactive {
		return s.awaitPerson(ctx, st)
	}
	if err := s.measure(ctx, st); err != nil {
		return err
	}
	return s.sluice(ctx, "promote", harness.Demo, "--step", fmt.Sprint(st.Step), "--by", actor,
		"--reason", fmt.Sprintf("step %d looks good", st.Step))
}

// finish shows who answers when the rollout has ended.
func (s *story) finish(ctx context.Context, st workflows.Status) error {
	const mark = "end"
	if st.Phase == workflows.PhasePromoted {
		s.stable = s.latest
	}
	if _, err := s.load.Mark(ctx, mark); err != nil {
		return err
	}
	s.heading(endTitle(st, version(s.stable)))
	if err := s.showPods(ctx); err != nil {
		return err
	}
	w, err := s.sample(ctx, mark, false)
	if err != nil {
		return err
	}
	s.showAnswers(w, false)
	if st.Phase == workflows.PhaseRefused {
		return fmt.Errorf("the rollout was refused: %s", st.Message)
	}
	if share := w.Share(version(s.stable)); share != 1 {
		return fmt.Errorf("%s of the answers are of %s after the end, not all", percent(share), version(s.stable))
	}
	return nil
}
