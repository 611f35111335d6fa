package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// Run names one rollout.
type Run struct {
	// ID of the workflow, and RunID of the run.
	ID    string `json:"workflowId"`
	RunID string `json:"run"`
	// Warnings that did not stop the start.
	Warnings []string `json:"warnings,omitempty"`
}

// StartOptions of a rollout.
type StartOptions struct {
	// Link to what started it, such as a CI job; the Temporal UI shows it.
	Link string
	// RequestID makes a start that is sent twice act once, also when the rollout
	// has ended meanwhile; random where empty.
	RequestID string
}

// Start starts a rollout. Where the workload has an open one the error is
// AlreadyRunning, and nothing happens to that one.
func (c *Client) Start(ctx context.Context, in workflows.Input, opts StartOptions) (Run, error) {
	if in.Rollout.Disabled {
		return Run{}, &Refused{Text: fmt.Sprintf("the document %s is disabled: set spec.disabled to false", in.Rollout.Name)}
	}
	id := workflows.WorkflowID(in.Cluster, in.Rollout.Namespace, in.Rollout.Workload)
	start := client.StartWorkflowOptions{
		ID:                                       id,
		TaskQueue:                                workflows.TaskQueue,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StaticSummary:                            summary(in),
		StaticDetails:                            details(in, opts.Link),
	}
	run := Run{ID: id}
	known := c.knownAttributes(ctx)
	in.SearchAttributes = known.usable()
	if in.SearchAttributes {
		start.TypedSearchAttributes = workflows.SearchAttributes(in)
	} else {
		run.Warnings = append(run.Warnings, known.warning(c.opts.Namespace))
	}
	ctx, cancel := context.WithTimeout(withRequestID(ctx, opts.RequestID), callTimeout)
	defer cancel()
	started, err := c.temporal.ExecuteWorkflow(ctx, start, workflows.WorkflowType, in)
	var open *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &open) {
		return run, &AlreadyRunning{Run: Run{ID: id, RunID: open.RunId}}
	}
	if err != nil {
		return run, c.explain("starting the rollout of "+Subject(id), err)
	}
	run.RunID = started.GetRunID()
	return run, nil
}

// What the server accepts as summary and details, in bytes.
const (
	maxSummary = 400
	maxDetails = 20_000
)

// summary is the rollout in one line, for lists in the Temporal UI.
func summary(in workflows.Input) string {
	text := fmt.Sprintf("%s: %s", in.Rollout.Workload.Name, purpose(in))
	if in.By != "" {
		text += " by " + in.By
	}
	return cut(text, maxSummary)
}

// details is the plan of the rollout as markdown.
func details(in workflows.Input, link string) string {
	var b strings.Builder
	doc := in.Rollout
	fmt.Fprintf(&b, "**%s %s/%s** on cluster %s: %s\n\n", doc.Workload.Kind, doc.Namespace, doc.Workload.Name, in.Cluster, purpose(in))
	if in.By != "" || in.Reason != "" {
		fmt.Fprintf(&b, "started by %s %s\n\n", in.By, in.Reason)
	}
	if link != "" {
		fmt.Fprintf(&b, "from %s\n\n", link)
	}
	for i, step := range Steps(&doc) {
		fmt.Fprintf(&b, "%d. weight %d %%", i+1, step.Weight)
		if step.Matches != "" {
			fmt.Fprintf(&b, ", %s", step.Matches)
		}
		fmt.Fprintf(&b, ", canary %s, hold %s\n", step.Replicas, step.Hold)
	}
	return cut(b.String(), maxDetails)
}

// purpose says in a few words what a run is for.
func purpose(in workflows.Input) string {
	if in.Repair {
		return "repair what an earlier rollout has left"
	}
	return ChangeText(in.Change)
}

// ChangeText says in a few words what a new revision changes.
func ChangeText(change workload.Change) string {
	var parts []string
	for _, container := range slices.Sorted(maps.Keys(change.Images)) {
		if container == "" {
			parts = append(parts, change.Images[container])
			continue
		}
		parts = append(parts, container+"="+change.Images[container])
	}
	for _, container := range slices.Sorted(maps.Keys(change.Env)) {
		for _, name := range slices.Sorted(maps.Keys(change.Env[container])) {
			parts = append(parts, "environment "+name)
		}
	}
	if len(change.Template) > 0 {
		parts = append(parts, "the template of a manifest")
	}
	if change.Current {
		parts = append(parts, "the present template")
	}
	return strings.Join(parts, ", ")
}

// Steps tells the plan of a document; the state of every step is Pending.
func Steps(doc *config.Rollout) []workflows.StepStatus {
	steps := make([]workflows.StepStatus, 0, len(doc.Steps)+1)
	for _, s := range doc.Steps {
		step := workflows.StepStatus{
			Matches: config.MatchesText(s.Matches), Replicas: s.Replicas.String(), Hold: holdText(s.Hold), State: workflows.StepPending,
		}
		if s.Weight != nil {
			step.Weight = *s.Weight
		}
		steps = append(steps, step)
	}
	return append(steps, workflows.StepStatus{
		Weight: 100, Replicas: "100%", Hold: string(config.HoldNone), State: workflows.StepPending,
	})
}

func holdText(h config.Hold) string {
	if h.Mode == config.HoldTimed {
		return h.Duration.String()
	}
	return string(h.Mode)
}

// cut shortens text to a number of bytes without breaking a character.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "")
}
