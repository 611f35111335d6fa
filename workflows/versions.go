package workflows

import "go.temporal.io/sdk/workflow"

// Patch IDs of workflow.GetVersion belong here: one constant each, named as a
// sentence in kebab case, with why it exists, since which release, and what has
// to be gone before it may be removed.

// confirmRefill: when one canary revision has replaced another, the route is
// confirmed at weight 0 before it carries requests again. Without that a gateway
// that is slower with endpoints than with routes sends the first requests to pods
// of the superseded revision, which are gone. Since v0.2.0; rollouts of v0.1.0
// that were revised have to be gone before it may be removed.
const confirmRefill = "confirm-the-canary-of-a-new-revision"

// confirmsRefill says that a rollout does so.
func confirmsRefill(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, confirmRefill, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// synonymsAct: a signal named by a synonym of a verb acts as the verb. Before, it
// was left unread, and rollouts in whose history there is one go on to do so.
// Since v0.3.0; rollouts of v0.2.0 have to be gone before it may be removed.
const synonymsAct = "act-on-synonyms-of-verbs"

// takesSynonyms says that a rollout does so. It is asked where one has come, so
// that the histories of all others stay as they are.
func takesSynonyms(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, synonymsAct, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// fullHistoryEnds: a rollout whose history is nearly full returns to stable.
// Since v0.3.0; rollouts of v0.2.0 with so long a history have to be gone before
// it may be removed.
const fullHistoryEnds = "return-to-stable-before-the-history-is-full"

// endsInTime says that a rollout does so.
func endsInTime(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, fullHistoryEnds, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// retryWakes: a retry ends the pause between two tries of a compensation. Before,
// it was refused. Since v0.3.0; rollouts of v0.2.0 have to be gone before it may
// be removed.
const retryWakes = "retry-ends-the-pause-of-a-compensation"

// wakesByRetry says that a rollout does so. It is asked where a retry has come.
func wakesByRetry(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, retryWakes, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// preparedEdits: the metrics of an edited document are prepared before it is
// adopted, the guard of the whole rollout follows it, and a measured hold that it
// keeps goes on from where it was. Without that the metrics of ConfigMaps would be
// missing. Since v0.3.0; rollouts of v0.2.0 whose edited documents have metrics
// have to be gone before it may be removed.
const preparedEdits = "prepare-the-metrics-of-an-edited-document"

// preparesEdits says that a rollout does so; it is asked for documents with
// metrics only.
func preparesEdits(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, preparedEdits, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// presentPass: a timed hold, or a bake, whose metrics have passed early ends when
// they pass at its end, too. Without that it would end as good although they were
// not measured any more. Since v0.3.0; rollouts of v0.2.0 that hold so have to be
// gone before it may be removed.
const presentPass = "end-a-timed-hold-only-while-its-metrics-pass"

// wantsPresentPass says that a rollout does so; it is asked where metrics have
// passed before the time is over.
func wantsPresentPass(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, presentPass, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// coverPromotion: what others change is watched, and answered, while the pods of
// the workload are replaced, on the way forward and on the way back. Before, the
// watch ended where the promotion began. Since v0.3.0; rollouts that began to
// promote by an earlier release have to be gone before it may be removed.
const coverPromotion = "watch-the-promotion"

// coversPromotion says that a rollout does so.
func coversPromotion(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, coverPromotion, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// presentStep: an analysis beside the rollout whose queries name the step is asked
// again for each step. Without that it stays at the step at which it began. Since
// v0.3.0; rollouts of v0.2.0 with such an analysis have to be gone before it may be
// removed.
const presentStep = "ask-for-the-present-step-beside-the-rollout"

// asksForSteps says that a rollout does so; it is asked where queries name the step.
func asksForSteps(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, presentStep, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// timeDecides: a hold whose metrics are all dry runs ends when its time is over, and
// one that was approved before it began does not begin. Before, only a person could
// end it. Since v0.3.0; rollouts of v0.2.0 that hold so have to be gone before it may
// be removed.
const timeDecides = "let-time-decide-where-all-metrics-are-dry-runs"

// endsObserving says that a rollout does so; it is asked for such holds only.
func endsObserving(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, timeDecides, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// lateNarrowing: a Service that somebody else has widened after the route was removed
// is narrowed again before the canary pods go. Before, the rollout was stuck. Since
// v0.3.0; rollouts of v0.2.0 that are stuck so have to be gone before it may be
// removed.
const lateNarrowing = "narrow-the-service-again-before-the-canary-goes"

// narrowsLate says that a rollout does so; it is asked where that has happened.
func narrowsLate(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, lateNarrowing, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// guardAgain: a revision that takes the place of one whose analysis of the whole rollout
// was skipped is measured again. Before, it was not. Since v0.3.0; rollouts of v0.2.0
// that were promoted so and revised have to be gone before it may be removed.
const guardAgain = "measure-a-new-revision-after-a-skipped-analysis"

// guardsAgain says that a rollout does so; it is asked where that has happened.
func guardsAgain(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, guardAgain, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// matchesOfOthers: a match that somebody else has written counts as all requests, and
// is set back at once where canary has fewer pods than these need. Before, two pods
// were enough for it. Since v0.3.0; rollouts of v0.2.0 in which that has happened have
// to be gone before it may be removed.
const matchesOfOthers = "count-a-match-of-others-as-all-requests"

// countsMatches says that a rollout does so; it is asked where that has happened.
func countsMatches(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, matchesOfOthers, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// staleFullRefused: a full promotion that names another step, comes while the rollout
// is paused, or finds one that runs already, is refused like a plain one. Before, it
// was accepted. Since v0.3.0; rollouts of v0.2.0 that took one have to be gone before
// it may be removed.
const staleFullRefused = "refuse-a-full-promotion-that-is-stale"

// refusesStaleFull says that a rollout does so; it is asked where one has come that
// was accepted before.
func refusesStaleFull(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, staleFullRefused, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// guardStopped: the analysis of the whole rollout goes on while metrics have stopped the
// rollout, and returns it to stable where it says so. Before, nothing was measured then.
// Since v0.3.0; rollouts of v0.2.0 that are stopped so have to be gone before it may be
// removed.
const guardStopped = "guard-a-rollout-that-metrics-have-stopped"

// guardsStopped says that a rollout does so; it is asked where that has happened.
func guardsStopped(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, guardStopped, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// bakeAnswers: a bake that only the analysis of the whole rollout judges ends when its
// metrics can be measured. Before, it ended by its time alone, also where Prometheus had
// been away all along. Since v0.3.0; rollouts of v0.2.0 that bake so have to be gone
// before it may be removed.
const bakeAnswers = "end-a-guarded-bake-only-when-metrics-answer"

// answersBakes says that a rollout does so; it is asked where the time of such a bake is
// over.
func answersBakes(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, bakeAnswers, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// spareResets: who changes what the user's Service is narrowed by, while there are no
// canary pods, changes nothing for any request, and the rollout goes on. Before, it
// paused for a person. Since v0.3.0; rollouts of v0.2.0 in which that has happened have
// to be gone before it may be removed.
const spareResets = "go-on-after-a-reset-without-canary-pods"

// sparesResets says that a rollout does so; it is asked where that has happened.
func sparesResets(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, spareResets, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// overtakenVerdict: a verdict that somebody's order overtakes, before it has stopped the
// rollout, is forgotten, and the whole rollout is measured again. Before, it was not.
// Since v0.3.0; rollouts of v0.2.0 in which that has happened have to be gone before it
// may be removed.
const overtakenVerdict = "forget-a-verdict-that-an-order-overtakes"

// forgetsVerdicts says that a rollout does so; it is asked where that has happened.
func forgetsVerdicts(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, overtakenVerdict, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}
