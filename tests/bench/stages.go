package bench

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"sluice.dev/sluice/tests/bench/meter"
	"sluice.dev/sluice/tests/bench/stats"
)

// stages are the moments of one decision. Those that the history does not tell
// are zero.
type stages []time.Time

// stageNames say what has happened at each of the moments.
var stageNames = []string{
	"the message is sent",
	"a worker has the workflow's task",
	"the workflow has decided",
	"a worker has the activity",
	"the watch tells of the weight",
}

// routeActivity is the type of the activity that writes weights.
const routeActivity = "SetRoute"

// stagesOf finds in a history the moments of the decision that was taken after a
// number of others.
func stagesOf(h meter.History, others int, d decided) stages {
	s := stages{d.sent, {}, {}, {}, d.seen}
	accepted := update(h, others)
	if accepted < 0 {
		return s
	}
	if started := last(h, accepted, enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED); started >= 0 {
		s[1] = h[started].GetEventTime().AsTime()
	}
	s[2] = h[accepted].GetEventTime().AsTime()
	var scheduled int64
	for _, event := range h[accepted:] {
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			if scheduled == 0 && activity(event) == routeActivity {
				scheduled = event.GetEventId()
			}
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			if scheduled != 0 && event.GetActivityTaskStartedEventAttributes().GetScheduledEventId() == scheduled {
				s[3] = event.GetEventTime().AsTime()
			}
		default:
		}
	}
	return s
}

func activity(event *historypb.HistoryEvent) string {
	return event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
}

// update returns the index of an update that was accepted, counted from 0, or -1.
func update(h meter.History, nth int) int {
	for i, event := range h {
		if event.GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED {
			continue
		}
		if nth--; nth < 0 {
			return i
		}
	}
	return -1
}

// last returns the index of the last event of a type before another index, or -1.
func last(h meter.History, before int, kind enumspb.EventType) int {
	for i := before - 1; i >= 0; i-- {
		if h[i].GetEventType() == kind {
			return i
		}
	}
	return -1
}

// stageLines sums up how long each stage took after the one before.
func stageLines(all []decided) [][]string {
	var lines [][]string
	for i := 1; i < len(stageNames); i++ {
		var took []time.Duration
		for _, d := range all {
			if from, to := d.stages[i-1], d.stages[i]; !from.IsZero() && !to.IsZero() {
				took = append(took, to.Sub(from))
			}
		}
		s := stats.Milliseconds(took)
		lines = append(lines, []string{stageNames[i], fmt.Sprintf("%.1f", s.Median()), fmt.Sprintf("%.1f", s.Percentile(95)), fmt.Sprint(len(took))})
	}
	return lines
}

// stageHeader heads the lines of stageLines.
var stageHeader = []string{"until", "p50 ms", "p95 ms", "of"}
