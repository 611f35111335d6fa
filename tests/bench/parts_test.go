package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"sluice.dev/sluice/activities/traffic"
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

// write adds the two events of an activity to a history.
func write(t *testing.T, h meter.History, name string, at, took int, input, result any) meter.History {
	t.Helper()
	payloads := func(value any) *commonpb.Payloads {
		p, err := converter.GetDefaultDataConverter().ToPayloads(value)
		require.NoError(t, err)
		return p
	}
	id := int64(len(h) + 1)
	return append(h, &historypb.HistoryEvent{
		EventId: id, EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, EventTime: timestamppb.New(after(at)),
		Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
			ActivityType: &commonpb.ActivityType{Name: name}, Input: payloads(input),
		}},
	}, &historypb.HistoryEvent{
		EventId: id + 1, EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, EventTime: timestamppb.New(after(at + took)),
		Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{
			ScheduledEventId: id, Result: payloads(result),
		}},
	})
}

func TestLevels(t *testing.T) {
	// slower is a rollout in which everything takes a number of times as long.
	slower := func(times int, level traffic.Level) levelRun {
		millis := func(n int) traffic.Confirmation { return traffic.Confirmation{Level: level, Millis: int64(n * times)} }
		h := write(t, nil, canaryActivity, 0, 600*times, "pods", nil)
		h = write(t, h, routeActivity, 1000, 210*times, traffic.RouteRequest{Route: traffic.Route{Weight: 10}}, millis(200))
		h = write(t, h, canaryActivity, 2000, 200*times, "pods", nil)
		h = write(t, h, promoteActivity, 3000, 4000*times, "pods", nil)
		h = write(t, h, routeActivity, 8000, 1820*times, traffic.RouteRequest{Absent: true}, millis(1800))
		run, err := levelRunOf(h)
		require.NoError(t, err)
		run.wall = time.Duration(times) * 10 * time.Second
		return run
	}
	all := [][]levelRun{
		{slower(1, traffic.LevelState), slower(2, traffic.LevelState), slower(1, traffic.LevelState)},
		{slower(3, traffic.LevelGrace)},
	}
	require.Equal(t, [][]string{
		{"none, computed", "8.0", "0.0", "0.0", "0.0", "0.8", "4.0", "0", "0"},
		{pins[0].level, "10.0", "2.0", "2.0", "0.0", "0.8", "4.0", "2", "1800"},
		{pins[1].level, "30.0", "22.0", "6.0", "6.0", "2.4", "12.0", "2", "5400"},
	}, levelLines(all))
	for _, line := range levelLines(all) {
		require.Len(t, line, len(levelHeader))
	}
	require.Equal(t, [][]string{{"weight 10", "210", "630"}, {"removed", "1820", "5460"}}, writeLines(all))
}
