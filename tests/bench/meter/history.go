package meter

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
)

// History is the events of one workflow.
type History []*historypb.HistoryEvent

// ReadHistory reads all events of a workflow; of its latest run where run is
// empty.
func ReadHistory(ctx context.Context, temporal client.Client, id, run string) (History, error) {
	var h History
	events := temporal.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return nil, fmt.Errorf("reading the history of %s: %w", id, err)
		}
		h = append(h, event)
	}
	return h, nil
}

// TypeCount is how often a type of event occurs.
type TypeCount struct {
	Type  string
	Count int
}

// Types counts the events by type, the most frequent first.
func (h History) Types() []TypeCount {
	counts := map[string]int{}
	for _, event := range h {
		counts[event.GetEventType().String()]++
	}
	var types []TypeCount
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		types = append(types, TypeCount{Type: name, Count: counts[name]})
	}
	slices.SortStableFunc(types, func(a, b TypeCount) int { return cmp.Compare(b.Count, a.Count) })
	return types
}
