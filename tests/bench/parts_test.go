package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"sluice.dev/sluice/tests/bench/fleet"
	"sluice.dev/sluice/tests/bench/meter"
	"sluice.dev/sluice/tests/bench/observe"
	"sluice.dev/sluice/workflows"
)

var begun = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// after is a number of milliseconds after the beginning.
func after(ms int) time.Time { return begun.Add(time.Duration(ms) * time.Millisecond) }

// history makes events of types at milliseconds; activities are of type SetRoute
// unless they are the first.
func history(types ...enumspb.EventType) meter.History {
	var h meter.History
	for i, kind := range types {
		e := &historypb.HistoryEvent{EventId: int64(i + 1), EventType: kind, EventTime: timestamppb.New(after(10 * i))}
		switch kind {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			name := routeActivity
			if i == 0 {
				name = "WatchWorkload"
			}
			e.Attributes = &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
				ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{ActivityType: &commonpb.ActivityType{Name: name}},
			}
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			e.Attributes = &historypb.HistoryEvent_ActivityTaskStartedEventAttributes{
				ActivityTaskStartedEventAttributes: &historypb.ActivityTaskStartedEventAttributes{ScheduledEventId: int64(i)},
			}
		default:
		}
		h = append(h, e)
	}
	return h
}

func TestStagesOf(t *testing.T) {
	h := history(
		enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
		enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED,
	)
	d := decided{sent: after(5), seen: after(50)}
	d.stages = stagesOf(h, 0, d)
	require.Len(t, d.stages, len(stageNames))
	var at []time.Duration
	for _, moment := range d.stages {
		at = append(at, moment.Sub(begun))
	}
	require.Equal(t, []time.Duration{5e6, 10e6, 20e6, 40e6, 50e6}, at)
	require.Equal(t, []string{stageNames[1], "5.0", "5.0", "1"}, stageLines([]decided{d})[0])

	without := stagesOf(h, 1, d)
	require.Equal(t, stages{d.sent, {}, {}, {}, d.seen}, without, "there is no second update")
}

func TestProgress(t *testing.T) {
	apps := []fleet.App{{Namespace: "n", Name: "a"}, {Namespace: "n", Name: "b"}, {Namespace: "n", Name: "done"}}
	events := []observe.Event{
		{Key: "n/a-canary", At: after(700)}, {Key: "n/a", At: after(300)},
		{Key: "n/b-canary", At: after(900)}, {Key: "n/b-canary", At: after(500)}, {Key: "n/other", At: after(1)},
	}
	first, last := progress(apps, events, begun)
	require.Equal(t, 300*time.Millisecond, first)
	require.Equal(t, 500*time.Millisecond, last)
}

func TestTimeline(t *testing.T) {
	run := func(scale int) seedRun {
		return seedRun{status: workflows.Status{Started: begun, Timeline: []workflows.Event{
			{At: after(100 * scale), Text: "route weight 0 (confirmed by state)"},
			{At: after(400 * scale), Text: "canary to 1 pods"},
			{At: after(500 * scale), Text: "route weight 0 (confirmed by grace)"},
		}}}
	}
	require.Equal(t, [][]string{
		{"route weight 0", "0.20"}, {"canary to 1 pods", "0.60"}, {"route weight 0 (2)", "0.20"},
	}, timeline([]seedRun{run(1), run(2), run(5)}))
}
