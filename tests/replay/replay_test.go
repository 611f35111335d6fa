// Package replay replays recorded histories of real rollouts: a change of the
// workflow that would break rollouts which are under way fails here.
package replay

import (
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

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
const least = 51

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
