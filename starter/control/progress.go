package control

import (
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
)

// Progress is what an activity that runs, or waits to be tried again, says.
type Progress struct {
	// Activity by name, and Since when it was asked for.
	Activity string    `json:"activity"`
	Since    time.Time `json:"since"`
	// Text of its last heartbeat; may be empty.
	Text string `json:"text,omitempty"`
	// Attempt counts from 1.
	Attempt int `json:"attempt"`
	// Failure of the last attempt, and NextTry, where one failed.
	Failure string     `json:"failure,omitempty"`
	NextTry *time.Time `json:"nextTry,omitempty"`
	// Waiting for a worker: nobody has taken it up yet.
	Waiting bool `json:"waiting,omitempty"`
}

// String tells the progress in one line. Which operation it is about is told by
// the message of the status; only the watch runs beside one.
func (p Progress) String() string {
	var parts []string
	if p.Text != "" {
		parts = append(parts, p.Text)
	}
	if p.Waiting {
		parts = append(parts, "waiting for a worker")
	}
	if p.Failure != "" {
		parts = append(parts, fmt.Sprintf("attempt %d, the last one failed: %s", p.Attempt, p.Failure))
	}
	text := strings.Join(parts, "; ")
	if p.Activity == watchActivity {
		text = "watching the workload: " + text
	}
	return text
}

// watchActivity is idle for the whole of a rollout; it is told only when it
// fails.
const watchActivity = "WatchWorkload"

// analysisActivity has its numbers in the analyses of the status; it is told here
// only when it fails.
const analysisActivity = "AnalyseMetrics"

// progressOf tells the operations that run now.
func progressOf(d description) []Progress {
	var all []Progress
	for _, pending := range d.GetPendingActivities() {
		p := progress(pending)
		idle := p.Activity == watchActivity || p.Activity == analysisActivity && !p.Waiting
		if idle && p.Failure == "" {
			continue
		}
		all = append(all, p)
	}
	return all
}

func progress(pending *workflowpb.PendingActivityInfo) Progress {
	p := Progress{
		Activity: pending.GetActivityType().GetName(),
		Since:    pending.GetScheduledTime().AsTime(),
		Text:     heartbeat(pending.GetHeartbeatDetails()),
		Attempt:  int(pending.GetAttempt()),
	}
	if pending.GetLastFailure() != nil {
		p.Failure = deepest(pending.GetLastFailure())
	}
	if pending.GetState() == enumspb.PENDING_ACTIVITY_STATE_SCHEDULED {
		next := pending.GetNextAttemptScheduleTime()
		if next != nil && p.Attempt > 1 {
			at := next.AsTime()
			p.NextTry = &at
		}
		p.Waiting = p.NextTry == nil && p.Attempt <= 1
	}
	return p
}

// heartbeat reads the text that an activity sends with its heartbeats; other
// details are for its own next attempt.
func heartbeat(details *commonpb.Payloads) string {
	for _, payload := range details.GetPayloads() {
		var text string
		if converter.GetDefaultDataConverter().FromPayload(payload, &text) == nil {
			return text
		}
	}
	return ""
}
