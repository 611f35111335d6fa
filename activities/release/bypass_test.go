package release_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/release"
)

func TestMarksComeBack(t *testing.T) {
	hold := release.Hold{Revision: "a1", Paused: true, By: "kubectl"}
	queued := release.Queued{Revision: "b2", Template: json.RawMessage(`{"spec":{}}`), Slipped: true}
	annotations := map[string]string{release.AnnotationHold: release.Text(hold), release.AnnotationQueued: release.Text(queued)}

	gotHold, err := release.HoldIn(annotations)
	require.NoError(t, err)
	require.Equal(t, &hold, gotHold)
	gotQueued, err := release.QueuedIn(annotations)
	require.NoError(t, err)
	require.Equal(t, &queued, gotQueued)

	none, err := release.HoldIn(nil)
	require.NoError(t, err)
	require.Nil(t, none)
	_, err = release.HoldIn(map[string]string{release.AnnotationHold: "{"})
	require.ErrorContains(t, err, "sluice.dev/hold")
}
