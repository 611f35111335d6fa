package watch

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/workflows"
)

// turns adds turns of the story to a rollout, each a second after the other.
func turns(s control.Status, from time.Time, texts ...string) control.Status {
	for i, text := range texts {
		s.Timeline = append(s.Timeline, workflows.Event{At: from.Add(time.Duration(i) * time.Second), Text: text})
	}
	return s
}

// TestEndThatWasMissedIsToldAsAnEvent however long the outage was; what came before
// is told where it is recent.
func TestEndThatWasMissedIsToldAsAnEvent(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		b.edit(func(o *unstructured.Unstructured) {
			require.NoError(t, unstructured.SetNestedField(o.Object, projection.PhaseProgressing, "status", "phase"))
		})
		last := turns(ended(workflows.PhasePromoted, "canary"), b.Now().Add(-2*recent), "step 1 begins", "promoted: all pods run it")
		b.temporal.last = &last
		b.look()
		require.Equal(t, []string{"promoted: all pods run it"}, b.events(projection.ReasonCompleted))
		require.Empty(t, b.events(projection.Progressing), "it is old")
	})
}

// TestEventThatCouldNotBeCreatedIsToldLater.
func TestEventThatCouldNotBeCreatedIsToldLater(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		away := true
		b.server.PrependReactor("create", "events", func(clienttesting.Action) (bool, runtime.Object, error) {
			if away {
				return true, nil, errors.New("the API server is busy")
			}
			return false, nil, nil
		})
		b.rolling()
		b.tellNews(turns(holdingAt(1), b.Now(), "a turn"))
		b.look()
		require.Empty(t, b.events(projection.Progressing))
		go b.retell(b.ctx)
		time.Sleep(3 * retellPause)
		require.Len(t, b.untold, 2, "the start, and the turn")
		away = false
		time.Sleep(2 * retellPause)
		require.Equal(t, []string{"a turn"}, b.events(projection.Progressing))
		require.Len(t, b.events("Started"), 1)
		require.Empty(t, b.untold)
	})
}

// TestTurnIsToldOnceAlthoughTheTimelineWasCut: another replica sees it at another
// place.
func TestTurnIsToldOnceAlthoughTheTimelineWasCut(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.rolling()
		long := turns(holdingAt(1), b.Now(), "first", "second", "second")
		long.Timeline[2].At = long.Timeline[1].At // twice in one moment
		b.tellNews(long)
		b.look()
		require.Len(t, b.events(projection.Progressing), 3)
		clear(b.told) // another replica
		long.Timeline = long.Timeline[1:]
		b.tellNews(long)
		b.look()
		require.Len(t, b.events(projection.Progressing), 3)
	})
}
