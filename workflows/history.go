package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"
)

// What a history may hold, in events and bytes. The server, as it comes, ends a
// workflow at 51,200 events or 50 MiB, and nothing would be compensated then.
const (
	// crowdedLength and crowdedSize leave room for all that is needed, not for all
	// that is asked.
	crowdedLength, crowdedSize = 20_000, 20 << 20
	// fullLength and fullSize leave room for a return to stable that has to be
	// tried often.
	fullLength, fullSize = 40_000, 40 << 20
)

// mindHistory warns when the server would have the rollout begin a new history,
// and returns to stable while there is still room for it in this one. A rollout
// needs some 100 events; only one that holds for months while its workload is
// scaled every few minutes gets so far.
func (r *run) mindHistory(ctx workflow.Context) {
	suggested := func() bool { return workflow.GetInfo(ctx).GetContinueAsNewSuggested() }
	if workflow.Await(ctx, suggested) != nil {
		return
	}
	text := fmt.Sprintf("the history of this rollout is long (%d events): promote or abort it before it has %d, at which it returns to stable by itself",
		workflow.GetInfo(ctx).GetCurrentHistoryLength(), fullLength)
	workflow.GetMetricsHandler(ctx).Counter("sluice_long_histories").Inc(1)
	r.observed.Warnings = append(r.observed.Warnings, text)
	r.note(ctx, "warning: "+text)
	full := func() bool { return reaches(workflow.GetInfo(ctx), fullLength, fullSize) }
	if workflow.Await(ctx, full) != nil || !endsInTime(ctx) {
		return
	}
	m := Message{By: "sluice", Reason: "the history is nearly full, and what is in it would be lost with it"}
	// Where this is refused, the end has begun already.
	_, _ = r.decide(ctx, VerbAbort, m, "history")
}

// reaches says that a history has so many events or bytes.
func reaches(info *workflow.Info, length, size int) bool {
	return info.GetCurrentHistoryLength() >= length || info.GetCurrentHistorySize() >= size
}

// checkRoom refuses what a rollout can do without when its history has grown
// long. Only Updates are asked, whose validators leave no trace: a signal of the
// same verb still acts.
func checkRoom(ctx workflow.Context, verb Verb) error {
	switch verb {
	case VerbJump, VerbRevise, VerbReplan:
	default:
		return nil
	}
	info := workflow.GetInfo(ctx)
	if !reaches(info, crowdedLength, crowdedSize) {
		return nil
	}
	return fmt.Errorf("the history of this rollout is too long (%d events) for a %s: promote or abort it, then start another", info.GetCurrentHistoryLength(), verb)
}
