package main

import (
	"context"
	"fmt"
	"time"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// abort releases a version and aborts it at its first hold.
func (s *story) abort(ctx context.Context) error {
	s.latest++
	s.title(fmt.Sprintf("5/5 Abort: %s to %s is stopped", version(s.stable), version(s.latest)))
	var last *lastAnswer
	err := s.release(ctx, "rollout-canary.yaml", func(ctx context.Context, st workflows.Status) error {
		if last == nil {
			last = s.watchLast(ctx, holdMark(st), version(s.latest))
		}
		return s.abortNow(ctx, st)
	})
	if last == nil {
		return err
	}
	at, watchErr := last.stop()
	if err != nil {
		return err
	}
	if watchErr != nil {
		return watchErr
	}
	return s.tellAbort(ctx, at)
}

// abortNow measures for the pause and aborts, or waits for the person who does.
func (s *story) abortNow(ctx context.Context, st workflows.Status) error {
	if s.interactive {
		return s.awaitPerson(ctx, st)
	}
	if err := s.measure(ctx, st); err != nil {
		return err
	}
	return s.sluice(ctx, "abort", harness.Demo, "--by", actor, "--reason", "enough seen")
}

// tellAbort tells how long the aborted version went on to answer.
func (s *story) tellAbort(ctx context.Context, last time.Time) error {
	st, err := s.Status(ctx, namespace)
	if err != nil {
		return err
	}
	for _, d := range st.Decisions {
		if d.Verb == workflows.VerbAbort && d.Accepted {
			s.say(fmt.Sprintf("From the abort to the last answer of %s: %s. To the end of the rollback: %s.",
				version(s.latest), milliseconds(last.Sub(d.At)), milliseconds(st.Since.Sub(d.At))))
			return nil
		}
	}
	return nil // a person decided otherwise
}

// milliseconds writes a duration that a clock's grain may have made negative.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%d ms", max(0, d.Milliseconds()))
}

// lastAnswer watches when a version answered last.
type lastAnswer struct {
	cancel context.CancelFunc
	done   chan struct{}
	at     time.Time
	err    error
}

// grain of the measurement.
const grain = 10 * time.Millisecond

// watchLast begins to watch the answers of a version since a mark.
func (s *story) watchLast(ctx context.Context, mark, version string) *lastAnswer {
	ctx, cancel := context.WithCancel(ctx)
	l := &lastAnswer{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		ticker := time.NewTicker(grain)
		defer ticker.Stop()
		var seen int64
		for {
			w, err := s.load.Window(ctx, mark)
			if err != nil {
				if ctx.Err() == nil {
					l.err = err
				}
				return
			}
			if n := w.Versions[version]; n > seen {
				seen, l.at = n, w.To
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
	return l
}

// stop returns when the version answered last.
func (l *lastAnswer) stop() (time.Time, error) {
	l.cancel()
	<-l.done
	return l.at, l.err
}
