package watch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/workflows"
)

// rollouts is the client for the Rollouts of a namespace.
func (w *Watcher) rollouts(k key) dynamic.ResourceInterface {
	return w.Dynamic.Resource(w.caches.resources[k.group]).Namespace(k.namespace)
}

// tell writes the status, if it has changed, and the events of the story.
func (w *Watcher) tell(ctx context.Context, s *subject) error {
	if s.deleting() && !slices.Contains(s.obj.GetFinalizers(), finalizer) {
		return nil
	}
	w.story(ctx, s)
	status, err := plainMap(projection.Project(s.before, s.facts(w)))
	if err != nil {
		return err
	}
	before, _ := s.obj.Object["status"].(map[string]any)
	if !apiequality.Semantic.DeepEqual(before, status) {
		next := s.obj.DeepCopy()
		next.Object["status"] = status
		// The version of the object is part of the write: what somebody has patched
		// meanwhile is looked at first.
		_, err := w.rollouts(s.key).UpdateStatus(ctx, next, metav1.UpdateOptions{FieldManager: release.WatchManager})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("writing the status of Rollout %s: %w", s.key, err)
		}
		w.Metrics.Statuses.Inc()
		w.Metrics.Slipped.Add(float64(s.unheld))
	}
	w.forget(s)
	return nil
}

// plainMap returns a status as the API keeps it.
func plainMap(told projection.Status) (map[string]any, error) {
	data, err := json.Marshal(told)
	if err != nil {
		return nil, fmt.Errorf("encoding a status: %w", err)
	}
	var plain unstructured.Unstructured
	// The decoder of the API machinery keeps whole numbers whole.
	if err := plain.UnmarshalJSON(append([]byte(`{"apiVersion":"v1","kind":"Status","status":`), append(data, '}')...)); err != nil {
		return nil, fmt.Errorf("encoding a status: %w", err)
	}
	status, _ := plain.Object["status"].(map[string]any)
	return status, nil
}

// The types of events.
const (
	normal  = corev1.EventTypeNormal
	warning = corev1.EventTypeWarning
)

// recent is how old a turn of the story may be to become an event: a watcher
// that begins tells no old ones again.
const recent = 30 * time.Minute

// telling is what was told of a run as events: up to which time.
type telling struct {
	run string
	at  time.Time
}

// story makes an event of every turn in the timeline. Their names are made from
// what they tell, so that none is told twice. The end of a rollout that was found
// after an outage is told however old it is.
func (w *Watcher) story(ctx context.Context, s *subject) {
	if s.rollout == nil {
		return
	}
	told := w.toldOf(s.key, s.rollout.Run)
	same := map[string]int{}
	for i, e := range s.rollout.Timeline {
		at := fmt.Sprintf("%s %s", s.rollout.Run, e.At.UTC().Format(time.RFC3339Nano))
		// A long timeline loses its beginning, so that no turn is known by its place.
		n := same[at+e.Text]
		same[at+e.Text]++
		end := s.missed && i == len(s.rollout.Timeline)-1
		if !e.At.After(told) || w.Now().Sub(e.At) > recent && !end {
			continue
		}
		kind, reason := classify(e.Text)
		w.event(ctx, s, kind, reason, e.Text, fmt.Sprint(at, " ", n))
	}
	if n := len(s.rollout.Timeline); n > 0 {
		w.mu.Lock()
		w.told[s.key] = telling{s.rollout.Run, s.rollout.Timeline[n-1].At}
		w.mu.Unlock()
	}
}

// toldOf returns up to which time a run was told.
func (w *Watcher) toldOf(k key, run string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.told[k]; t.run == run {
		return t.at
	}
	return time.Time{}
}

// classify chooses type and reason of an event by the text of the workflow.
func classify(text string) (kind, reason string) {
	for _, c := range []struct{ mark, kind, reason string }{
		{"rolling back", warning, projection.ReasonCancelling},
		{"rolled back", warning, "Canceled"},
		{"failed", warning, "Failed"},
		{": refused: ", warning, "Refused"},
		{"warning: ", warning, "Warning"},
		{string(workflows.VerbPromote) + " by", normal, "Approved"},
		{"promoted: ", normal, projection.ReasonCompleted},
	} {
		if strings.HasPrefix(text, c.mark) || strings.Contains(text, c.mark) {
			return c.kind, c.reason
		}
	}
	return normal, projection.Progressing
}

// event tells one turn of the story, once per cause.
func (w *Watcher) event(ctx context.Context, s *subject, kind, reason, text, cause string) {
	sum := sha256.Sum256([]byte(string(s.obj.GetUID()) + "\n" + cause + "\n" + text))
	now := metav1.NewTime(w.Now())
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.key.namespace, Name: fmt.Sprintf("%.200s.%s", s.key.name, hex.EncodeToString(sum[:8]))},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: s.obj.GetAPIVersion(), Kind: s.obj.GetKind(), Namespace: s.key.namespace, Name: s.key.name,
			UID: s.obj.GetUID(), ResourceVersion: s.obj.GetResourceVersion(),
		},
		Type: kind, Reason: reason, Message: fmt.Sprintf("%.1000s", text), Count: 1,
		FirstTimestamp: now, LastTimestamp: now,
		Source: corev1.EventSource{Component: release.WatchManager}, ReportingController: "sluice.dev/watch", ReportingInstance: w.Identity,
	}
	w.write(ctx, event)
}

// write creates an event. Events are for people, so that no rollout waits for them:
// one that cannot be created is kept for later.
func (w *Watcher) write(ctx context.Context, event *corev1.Event) {
	_, err := w.Kube.CoreV1().Events(event.Namespace).Create(ctx, event, metav1.CreateOptions{FieldManager: release.WatchManager})
	if err == nil || apierrors.IsAlreadyExists(err) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.untold) < maxUntold {
		w.untold = append(w.untold, event)
	}
	w.Log.Warn("an event was not told", "object", event.InvolvedObject.Name, "text", event.Message, "error", err)
}

const (
	// maxUntold bounds how many events are kept, and retellPause is how often they
	// are tried again, as long as they are recent.
	maxUntold   = 1000
	retellPause = 5 * time.Second
)

// retell tries events again that could not be created, until ctx ends.
func (w *Watcher) retell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(retellPause):
		}
		w.mu.Lock()
		events := w.untold
		w.untold = nil
		w.mu.Unlock()
		for _, event := range events {
			if w.Now().Sub(event.FirstTimestamp.Time) < recent {
				w.write(ctx, event)
			}
		}
	}
}
