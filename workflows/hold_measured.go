package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/config"
)

// waiting is a hold in which metrics have a say.
type waiting struct {
	phase Phase
	// where it belongs and what is waited for, in words.
	where, text string
	hold        config.Hold
	analysis    *config.Analysis
	// approved says that a person has approved it before.
	approved bool
}

// holdMeasured is the hold of a step that has an analysis: without a hold, the
// verdict alone releases it; with one, the metrics must hold while it lasts.
func (r *run) holdMeasured(ctx workflow.Context) error {
	step := r.doc().Steps[r.step]
	if r.full || r.overridden == r.step+1 {
		return nil
	}
	return r.wait(ctx, waiting{
		phase: PhaseHolding, where: fmt.Sprintf("the metrics of step %d", r.step+1),
		text: r.measuredText(step), hold: step.Hold, analysis: step.Analysis, approved: r.early[r.step],
	})
}

// bake keeps the old revision ready after all requests went to the new one. A
// failure is one of the last step. When the bake is over, the new revision is
// made stable.
func (r *run) bake(ctx workflow.Context) error {
	if !r.baking() {
		return nil
	}
	bake := r.doc().Bake
	if r.overridden != r.step+1 {
		err := r.wait(ctx, waiting{
			phase: PhaseBaking, where: "the metrics of the bake",
			text: r.bakeText(),
			hold: config.Hold{Mode: config.HoldTimed, Duration: bake.Duration}, analysis: bake.Analysis,
		})
		if err != nil {
			return err
		}
	}
	r.baked = true
	r.note(ctx, "the bake is over")
	return r.work(ctx)
}

// baking says that the bake is still to come, or goes on.
func (r *run) baking() bool { return r.doc().Bake != nil && !r.baked }

// wait holds until it is released by a person, or by its time and its metrics.
func (r *run) wait(ctx workflow.Context, w waiting) error {
	r.open, r.released = true, false
	defer func() { r.open = false }()
	kept := r.beginHold(ctx)
	if kept && !preparesEdits(ctx) {
		kept, r.began = false, workflow.Now(ctx)
	}
	expired, stop := r.timer(ctx, w)
	defer stop()
	held := func() bool {
		return w.hold.Mode == config.HoldApproval && !w.approved || w.hold.Mode == config.HoldTimed && !expired()
	}
	m := &measurement{passed: w.analysis == nil || observes(ctx, w), goOn: func() bool { return held() && !r.released && r.order == nil }}
	if w.analysis != nil {
		m.earlier = r.lastHold.known(w.analysis.Metrics)
		if kept {
			m.after = r.lastHold.of(w.analysis.Metrics)
		}
		if r.until != nil {
			m.until = *r.until
		}
		r.lastHold = r.analyse(ctx, w.where, w.analysis, m)
		defer func() { m.cancel() }()
	}
	err := r.awaitHold(ctx, w, m, held)
	if err != nil || r.released || !r.wantsAnswer(ctx, w) {
		return err
	}
	w.text = "the time of the bake is over; it ends when the metrics beside the rollout can be measured; promote to go on now"
	m = r.analyse(ctx, "the metrics at the end of the bake", r.doc().Analysis, &measurement{answers: true})
	defer m.cancel()
	return r.awaitHold(ctx, w, m, held)
}

// awaitHold waits for the end of a hold and of its measurement.
func (r *run) awaitHold(ctx workflow.Context, w waiting, m *measurement, held func() bool) error {
	over := func() bool { return m.passed && !held() && r.drift.open == nil }
	for !r.released && !over() {
		asking := r.tellHold(ctx, w.phase, w.text)
		err := workflow.Await(ctx, func() bool {
			return r.released || m.failure != nil || r.interrupted() || over() || r.unfinished() || asking != (r.drift.open != nil)
		})
		switch {
		case err != nil:
			return fmt.Errorf("holding: %w", err)
		case r.order != nil:
			return errInterrupted
		case m.failure != nil:
			return m.failure
		}
		if err := r.follow(ctx); err != nil {
			return err
		}
	}
	return nil
}

// wantsAnswer says that a bake which only the analysis of the whole rollout judges has
// to see at its end that its metrics can be measured: that ends nothing as good, and a
// server that is away is no verdict of it.
func (r *run) wantsAnswer(ctx workflow.Context, w waiting) bool {
	return w.phase == PhaseBaking && w.analysis == nil && r.doc().Analysis != nil && !r.unguarded &&
		MetricNames(r.doc().Analysis) != "" && answersBakes(ctx)
}

// observes says that the metrics of a hold are all dry runs: its time, or a person,
// decides.
func observes(ctx workflow.Context, w waiting) bool {
	return w.hold.Mode != config.HoldNone && MetricNames(w.analysis) == "" && endsObserving(ctx)
}

// timer of a timed hold; the function stop ends it.
func (r *run) timer(ctx workflow.Context, w waiting) (expired func() bool, stop func()) {
	if w.hold.Mode != config.HoldTimed {
		return func() bool { return false }, func() {}
	}
	timerCtx, cancel := workflow.WithCancel(ctx)
	left := r.holdLeft(ctx, w.hold.Duration.Std())
	timer := workflow.NewTimerWithOptions(timerCtx, left, workflow.TimerOptions{Summary: "time of " + w.where})
	until := workflow.Now(ctx).Add(left)
	r.until = &until
	return timer.IsReady, func() {
		cancel()
		r.until = nil
	}
}

// measuredText says what a step waits for.
func (r *run) measuredText(step config.Step) string {
	names := MetricNames(step.Analysis)
	if names == "" {
		return r.holdText(step.Hold) + observedText
	}
	switch {
	case step.Hold.Mode == config.HoldApproval && !r.early[r.step]:
		return fmt.Sprintf("step %d waits for approval while %s must hold: promote to go on", r.step+1, names)
	case step.Hold.Mode == config.HoldTimed:
		return fmt.Sprintf("step %d holds for %s, and until %s pass; promote to go on now", r.step+1, step.Hold.Duration, names)
	}
	return fmt.Sprintf("step %d goes on when %s pass; promote to go on now", r.step+1, names)
}

// bakeText says what a bake waits for.
func (r *run) bakeText() string {
	text := fmt.Sprintf("the new revision has all requests; the old one is kept ready for %s", r.doc().Bake.Duration)
	switch a := r.doc().Bake.Analysis; {
	case a == nil:
	case MetricNames(a) == "":
		return text + "; promote to go on now" + observedText
	default:
		text += fmt.Sprintf(", and until %s pass", MetricNames(a))
	}
	return text + "; promote to go on now"
}

// observedText says that there are metrics which have no say.
const observedText = " (its metrics are dry runs: they are measured and decide nothing)"

// MetricNames joins the names of the metrics that decide; empty where all are dry
// runs.
func MetricNames(a *config.Analysis) string {
	var names []string
	for _, m := range a.Metrics {
		if !m.DryRun {
			names = append(names, m.Name)
		}
	}
	for _, p := range a.Pending {
		names = append(names, strings.TrimSuffix(p.ConfigMap+"/"+p.Template, "/"))
	}
	return strings.Join(names, ", ")
}

// judgeOverride says whether a person may promote a step over the verdict that
// has stopped it.
func (r *run) judgeOverride(m Message) (string, error) {
	step := r.step + 1
	switch {
	case r.blamed == nil:
		return "", fmt.Errorf("step %d has failed: retry, jump, revise or abort", step)
	case m.Reason == "":
		return "", fmt.Errorf("step %d was stopped by its metrics (%s): promote it with a reason, retry, jump, revise or abort", step, r.blamed.reason)
	}
	text := fmt.Sprintf("promoting step %d over the verdict of its metrics", step)
	if r.doc().Analysis != nil && !m.SkipAnalysis {
		text += "; the analysis of the whole rollout goes on"
	}
	return text, nil
}

// override goes on from a step that metrics have stopped.
func (r *run) override(ctx workflow.Context, m Message) {
	r.overridden = r.step + 1
	r.full = r.full || m.Full
	r.command(ctx, VerbPromote, m)
}
