package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// journal is what a rollout tells about itself.
type journal struct {
	workflowID, runID, originalRunID string

	phase        Phase
	message      string
	since        time.Time
	working      time.Time
	started      time.Time
	until        *time.Time
	failure      string
	confirmation *traffic.Confirmation
	canary       workload.Pods
	timeline     []Event
	decisions    []Decision
	result       *Result
	// foreign are fields that do not come back, since others have changed them.
	foreign []string

	// final says that the end has begun: no message is taken any more.
	final bool
	// searchable is the phase and step that the search attributes tell.
	searchable string
}

// maxEntries bounds the timeline and the decisions that a status carries; the
// Temporal history keeps all.
const maxEntries = 200

func newJournal(ctx workflow.Context, _ Input) journal {
	info := workflow.GetInfo(ctx)
	now := workflow.Now(ctx)
	original := info.OriginalRunID
	if original == "" {
		original = info.WorkflowExecution.RunID
	}
	return journal{
		workflowID: info.WorkflowExecution.ID, runID: info.WorkflowExecution.RunID,
		originalRunID: original, phase: PhaseChecking, since: now, started: now,
	}
}

// id is the mark on everything that this rollout owns: the run before any reset,
// so that a reset run knows the objects of its predecessor as its own.
func (r *run) id() string { return r.originalRunID }

// enter tells the phase and what is waited for.
func (r *run) enter(ctx workflow.Context, phase Phase, message string) {
	if phase != r.phase {
		r.since = workflow.Now(ctx)
	}
	r.phase = phase
	if message != "" {
		r.message = message
	}
	r.publish(ctx)
}

// doing tells the operation that begins, done that it has succeeded.
func (r *run) doing(ctx workflow.Context, op plan.Operation) {
	r.message, r.working = r.summary(op), workflow.Now(ctx)
	r.publish(ctx)
}

func (r *run) done(ctx workflow.Context, op plan.Operation) {
	text := r.summary(op)
	if c := r.confirmation; c != nil && (op.Kind == plan.SetRoute || op.Kind == plan.RemoveRoute) {
		text += " (" + c.String() + ")"
	}
	r.note(ctx, text)
}

// note adds a line to the timeline.
func (r *run) note(ctx workflow.Context, text string) {
	r.timeline = bounded(append(r.timeline, Event{At: workflow.Now(ctx), Text: text}))
	r.publish(ctx)
}

// maxRefused bounds, in bytes, what is kept of each text of a message that was
// refused: a status has to fit into what Temporal carries, whatever is sent.
const maxRefused = 400

// brief cuts a text that nobody has checked.
func brief(text string) string {
	if len(text) <= maxRefused {
		return text
	}
	return strings.ToValidUTF8(text[:maxRefused], "") + "..."
}

// noteDecision keeps a message and what became of it.
func (r *run) noteDecision(ctx workflow.Context, verb Verb, m Message, via, text string, refused error) {
	d := Decision{
		At: workflow.Now(ctx), Verb: verb, Via: via, By: m.By, Reason: m.Reason, Step: m.Step,
		Accepted: refused == nil, Text: text,
	}
	if refused != nil {
		d.By, d.Reason, d.Text = brief(m.By), brief(m.Reason), brief(refused.Error())
	}
	r.decisions = bounded(append(r.decisions, d))
	r.note(ctx, d.String())
}

// String tells a decision in one line.
func (d Decision) String() string {
	who := d.By
	if who == "" {
		who = "somebody"
	}
	text := fmt.Sprintf("%s by %s through %s%s", d.Verb, who, d.Via, because(d.Reason))
	if !d.Accepted {
		return text + ": refused: " + d.Text
	}
	return text + ": " + d.Text
}

func bounded[T any](entries []T) []T {
	if extra := len(entries) - maxEntries; extra > 0 {
		return slices.Delete(entries, 0, extra)
	}
	return entries
}

// publish shows the present state to people (details) and to searches. Details
// cost nothing; search attributes cost an event and are sent when a person would
// search for the difference.
func (r *run) publish(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, r.details())
	key := fmt.Sprintf("%s/%d/%s", r.phase, r.step, r.held.Revision)
	if !r.in.SearchAttributes || key == r.searchable {
		return
	}
	r.searchable = key
	err := workflow.UpsertTypedSearchAttributes(ctx,
		AttrPhase.ValueSet(string(r.phase)), AttrStep.ValueSet(int64(r.step+1)), AttrRevision.ValueSet(r.held.Revision))
	if err != nil {
		workflow.GetLogger(ctx).Warn("search attributes were not updated", "error", err)
	}
}

// details is the status as a person reads it in the Temporal UI.
func (r *run) details() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s** %s\n\n", r.phase, r.message)
	if !r.phase.Ended() {
		fmt.Fprintf(&b, "step %d of %d, %s asked, %s, canary pods: %d ready beside %d desired\n\n",
			min(r.step+1, len(r.doc().Steps)+1), len(r.doc().Steps)+1, routeText(r.world.Asked), r.confirmedText(), r.canary.Ready, r.world.Replicas)
	}
	if r.phase == PhaseHolding {
		fmt.Fprintf(&b, "To go on: More Actions, Send a Signal, `promote` (no input needed), or\n\n`temporal workflow signal -w %s --name promote -i '{\"step\":%d,\"run\":\"%s\"}'`\n\n", r.workflowID, r.step+1, r.runID)
	}
	b.WriteString(r.analysisDetails())
	for _, e := range slices.Backward(r.timeline) {
		fmt.Fprintf(&b, "- %s %s\n", e.At.UTC().Format(time.TimeOnly), e.Text)
		if b.Len() > maxDetails {
			break
		}
	}
	return b.String()
}

// confirmedText says which route every gateway follows and how that is known:
// "weight 30 confirmed by probe at 2 of 2 gateway replicas, 412 ms".
func (r *run) confirmedText() string {
	if r.world.RouteUnsure {
		return "confirmed last: " + routeText(r.world.Confirmed)
	}
	if r.confirmation == nil {
		return routeText(r.world.Confirmed) + " confirmed"
	}
	return routeText(r.world.Confirmed) + " " + r.confirmation.String()
}

// maxDetails keeps the details below what the server accepts (20 kB).
const maxDetails = 15_000

// SearchAttributes of a new rollout; the workflow updates them as it goes.
func SearchAttributes(in Input) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(
		AttrCluster.ValueSet(in.Cluster), AttrNamespace.ValueSet(in.Rollout.Namespace),
		AttrWorkload.ValueSet(in.Rollout.Workload.Name), AttrPhase.ValueSet(string(PhaseChecking)), AttrStep.ValueSet(1),
	)
}

// status answers the status query.
func (r *run) status() (Status, error) {
	s := Status{
		Name: r.in.Rollout.Name, Cluster: r.in.Cluster, Namespace: r.in.Rollout.Namespace,
		Workload:   r.in.Rollout.Workload.Kind + "/" + r.in.Rollout.Workload.Name,
		WorkflowID: r.workflowID, Run: r.runID,
		Phase: r.phase, Message: r.message, Since: r.since, Started: r.started, Until: r.until, Working: r.working,
		By: r.in.By, Reason: r.in.Reason,
		Step: min(r.step, len(r.doc().Steps)) + 1, Steps: r.steps(),
		StableRevision: r.observed.StableRevision, Revision: r.held.Revision,
		StableImages: r.observed.StableImages, Images: r.held.Images,
		Asked: r.world.Asked, Confirmed: r.world.Confirmed, Confirmation: r.confirmation,
		Unsure:    r.world.RouteUnsure,
		Isolation: r.doc().Isolation, Selects: r.selects(),
		Replicas: r.world.Replicas, Canary: r.canary,
		Paused: r.paused, Drift: r.drift.open, Failure: r.failure, Warnings: r.observed.Warnings,
		Decisions: slices.Clone(r.decisions), Timeline: slices.Clone(r.timeline), Result: r.result,
		Analyses: slices.Clone(r.analyses),
	}
	return s, nil
}

// selects says in a word which pods the user's Service selects, where rollouts
// change that.
func (r *run) selects() string {
	switch {
	case !r.doc().BySelector():
		return ""
	case r.world.Narrowed != "":
		return string(r.world.Narrowed)
	case r.world.MaybeNarrowed:
		return "changing"
	}
	return "all"
}

// steps tells the plan and where each of its steps stands.
func (r *run) steps() []StepStatus {
	doc := r.doc()
	steps := make([]StepStatus, 0, len(doc.Steps)+1)
	for i := range len(doc.Steps) + 1 {
		s := StepStatus{Weight: plan.StepRoute(doc, i).Weight, Replicas: "100%", Hold: "none", State: r.stepState(i)}
		if i < len(doc.Steps) {
			s.Replicas, s.Hold = doc.Steps[i].Replicas.String(), holdText(doc.Steps[i].Hold)
			s.Matches = config.MatchesText(doc.Steps[i].Matches)
			s.Hold, s.Metrics = measuredHold(doc.Steps[i], s.Hold)
		}
		steps = append(steps, s)
	}
	return steps
}

// stepState of step i (from 0).
func (r *run) stepState(i int) StepState {
	switch {
	case i < r.step || r.phase == PhasePromoted:
		return StepCompleted
	case i > r.step || r.phase == PhaseChecking || r.final:
		return StepPending
	case r.open && r.released:
		return StepReady
	case r.open:
		return StepPaused
	case r.world.RouteExists:
		return StepTrafficRouting
	}
	return StepUpgrade
}
