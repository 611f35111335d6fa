package release

import (
	"encoding/json"
	"fmt"
)

// The marks of the bypass mode on the user's workload: somebody changes the pod
// template, and Sluice holds the change.
const (
	// LabelBypass is on workloads that have a Rollout object, so that the webhook
	// is asked about them and about nothing else. Its value says which class of
	// watchers asks: BypassValue.
	LabelBypass = "sluice.dev/has-rollout"
	// AnnotationHold is a Hold as JSON, from the write that changed the template
	// to the moment at which a rollout takes it over.
	AnnotationHold = "sluice.dev/hold"
	// AnnotationQueued is a Queued as JSON: a template that waits for the end of
	// the rollout that is open, or of what rolls out unheld.
	AnnotationQueued = "sluice.dev/queued"
	// WatchManager is the name under which the watcher writes.
	WatchManager = "sluice-watch"
)

// BypassUnclassed is the value of LabelBypass where Rollouts have no class.
const BypassUnclassed = "true"

// BypassValue is the value of LabelBypass for a class of Rollouts.
func BypassValue(class string) string {
	if class == "" {
		return BypassUnclassed
	}
	return class
}

// Hold says who has changed a template, and what the hold has changed with it.
type Hold struct {
	// Revision that is held.
	Revision string `json:"revision"`
	// Paused says that the workload was paused before it was held.
	Paused bool `json:"paused,omitempty"`
	// By is who has changed the template.
	By string `json:"by,omitempty"`
	// Slipped says that the change was not held by the webhook but stopped by the
	// watcher.
	Slipped bool `json:"slipped,omitempty"`
}

// Queued is a pod template that waits for its turn.
type Queued struct {
	// Revision and Template that wait; Template is a pod template as JSON.
	Revision string          `json:"revision"`
	Template json.RawMessage `json:"template"`
	// By is who wrote it.
	By string `json:"by,omitempty"`
	// Slipped says that it was rolling out without a hold and was taken back.
	Slipped bool `json:"slipped,omitempty"`
}

// HoldIn reads the mark of a hold from annotations; nil if there is none.
func HoldIn(annotations map[string]string) (*Hold, error) {
	return readMark[Hold](annotations, AnnotationHold)
}

// QueuedIn reads the template that waits from annotations; nil if none does.
func QueuedIn(annotations map[string]string) (*Queued, error) {
	return readMark[Queued](annotations, AnnotationQueued)
}

func readMark[T any](annotations map[string]string, key string) (*T, error) {
	text, ok := annotations[key]
	if !ok {
		return nil, nil
	}
	mark := new(T)
	if err := json.Unmarshal([]byte(text), mark); err != nil {
		return nil, fmt.Errorf("reading annotation %s: %w: remove it", key, err)
	}
	return mark, nil
}

// Text returns a mark as the value of its annotation.
func Text(mark any) string {
	// Marks are made of texts and truth values: they always encode.
	data, _ := json.Marshal(mark)
	return string(data)
}
