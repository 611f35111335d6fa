// Package replay replays recorded histories of real rollouts: a change of the
// workflow that would break rollouts which are under way fails here.
package replay

import (
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/reflect/protoreflect"

	"sluice.dev/sluice/workflows"
)

// histories lists the recorded files below a folder.
func histories(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".json.gz") {
			files = append(files, path)
		}
		return err
	}))
	return files
}

func read(t *testing.T, path string) *historypb.History {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	zip, err := gzip.NewReader(file)
	require.NoError(t, err)
	history, err := client.HistoryFromJSON(zip, client.HistoryJSONOptions{})
	require.NoError(t, err)
	return history
}

func replay(history *historypb.History) error {
	replayer := worker.NewWorkflowReplayer()
	workflows.Register(replayer)
	return replayer.ReplayWorkflowHistory(nil, history)
}

// least is how many histories there are: none is ever removed while a rollout of
// its release may be under way.
const least = 75

func TestRecordedHistoriesReplay(t *testing.T) {
	files := histories(t, "histories")
	require.GreaterOrEqual(t, len(files), least)
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json.gz"), func(t *testing.T) {
			require.NoError(t, replay(read(t, path)))
		})
	}
}

// TestReplayNoticesAnotherOrder makes sure that the replay can fail: a history
// from which one activity is missing does not replay.
func TestReplayNoticesAnotherOrder(t *testing.T) {
	files := histories(t, "histories")
	require.NotEmpty(t, files)
	history := read(t, files[0])
	for _, event := range history.GetEvents() {
		if a := event.GetActivityTaskScheduledEventAttributes(); a != nil && a.GetActivityType().GetName() == "EnsureCanary" {
			a.ActivityType.Name = "SetRoute"
			break
		}
	}
	require.ErrorContains(t, replay(history), "TMPRL1100")
}

// TestSynonymsInOlderHistoriesStayUnread: a rollout that left a signal unread goes
// on to do so under a worker that would act on it.
func TestSynonymsInOlderHistoriesStayUnread(t *testing.T) {
	for _, path := range []string{"histories/v0.1.0/SeedCanary.json.gz", "histories/v0.2.0/SeedAB.json.gz"} {
		t.Run(path, func(t *testing.T) {
			history := read(t, path)
			// A rollout that is under way: results are not compared.
			history.Events = history.Events[:len(history.Events)-1]
			insertSignal(t, history, "rollback")
			require.NoError(t, replay(history))
		})
	}
}

// insertSignal lets a signal arrive before the second workflow task.
func insertSignal(t *testing.T, history *historypb.History, name string) {
	t.Helper()
	tasks := 0
	at := slices.IndexFunc(history.Events, func(e *historypb.HistoryEvent) bool {
		if e.EventType == enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED {
			tasks++
		}
		return tasks == 2
	})
	require.Positive(t, at)
	id := history.Events[at].EventId
	for _, event := range history.Events {
		shift(event.ProtoReflect(), id)
	}
	history.Events = slices.Insert(history.Events, at, &historypb.HistoryEvent{
		EventId: id, EventTime: history.Events[at].EventTime, EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
			WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{SignalName: name},
		},
	})
}

// shift makes room for one event: its ID and all later ones, and what is named by
// them, grow by one.
func shift(m protoreflect.Message, id int64) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsList() || field.IsMap():
		case field.Kind() == protoreflect.MessageKind:
			shift(m.Mutable(field).Message(), id)
		case strings.HasSuffix(string(field.Name()), "event_id") && value.Int() >= id:
			m.Set(field, protoreflect.ValueOfInt64(value.Int()+1))
		case field.Name() == "activity_id", field.Name() == "timer_id":
			if number, err := strconv.ParseInt(value.String(), 10, 64); err == nil && number >= id {
				m.Set(field, protoreflect.ValueOfString(strconv.FormatInt(number+1, 10)))
			}
		}
		return true
	})
}
