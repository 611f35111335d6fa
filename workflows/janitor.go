package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/activities/janitor"
	"sluice.dev/sluice/config"
)

// JanitorType is the type name of the Janitor workflow.
const JanitorType = "Janitor"

// JanitorInput says where the janitor looks and what it does.
type JanitorInput struct {
	// Cluster whose workers look.
	Cluster string `json:"cluster"`
	// Repair starts a repair for everything that is lost; otherwise it is told.
	Repair bool `json:"repair,omitempty"`
	// SearchAttributes says that the namespace knows ours.
	SearchAttributes bool `json:"searchAttributes,omitempty"`
}

// JanitorResult is what one look has found.
type JanitorResult struct {
	// Lost rollouts, by their workflow ID, and what they have left.
	Lost []LostRollout `json:"lost,omitempty"`
}

// LostRollout is one rollout that nobody goes on with.
type LostRollout struct {
	WorkflowID string `json:"workflowId"`
	Left       string `json:"left"`
	// Repair that was started, or why none was.
	Repair string `json:"repair,omitempty"`
}

// The one who acts in a repair of the janitor.
const janitorName = "janitor"

// sweeper has the names of the activities; it is never dereferenced.
var sweeper *janitor.Activities

// Janitor looks for what rollouts have left whose workflow is gone, tells it in
// the log, the details and the metric sluice_lost_rollouts, and starts a repair
// for each where that is asked for.
func Janitor(ctx workflow.Context, in JanitorInput) (JanitorResult, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: ActivityTaskQueue(in.Cluster), StartToCloseTimeout: time.Minute, ScheduleToCloseTimeout: 5 * time.Minute,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 30 * time.Second},
	})
	var marked janitor.Marked
	if err := workflow.ExecuteActivity(ctx, sweeper.FindMarked).Get(ctx, &marked); err != nil {
		return JanitorResult{}, fmt.Errorf("looking for what rollouts have left: %w", err)
	}
	var result JanitorResult
	for _, m := range marked.Workloads {
		question := janitor.Question{Marked: m, WorkflowID: WorkflowID(in.Cluster, m.Namespace, m.Workload)}
		var finding janitor.Finding
		if err := workflow.ExecuteActivity(ctx, sweeper.Examine, question).Get(ctx, &finding); err != nil {
			return result, fmt.Errorf("looking at %s: %w", question.WorkflowID, err)
		}
		if !finding.Lost {
			continue
		}
		lost := LostRollout{WorkflowID: question.WorkflowID, Left: finding.Left}
		workflow.GetLogger(ctx).Warn("a rollout is lost", "workflow", lost.WorkflowID, "left", lost.Left, "repair", in.Repair)
		if in.Repair {
			lost.Repair = startRepair(ctx, in, question, finding)
		}
		result.Lost = append(result.Lost, lost)
	}
	workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"cluster": in.Cluster}).Gauge("sluice_lost_rollouts").Update(float64(len(result.Lost)))
	workflow.SetCurrentDetails(ctx, result.details())
	return result, nil
}

// startRepair starts the repair of one rollout, which outlives the janitor. Where
// a rollout has begun meanwhile, that one owns what is there.
func startRepair(ctx workflow.Context, in JanitorInput, q janitor.Question, f janitor.Finding) string {
	doc := RepairDocument(f.Document)
	doc.Namespace, doc.Workload = q.Namespace, q.Workload
	options := workflow.ChildWorkflowOptions{
		WorkflowID: q.WorkflowID, TaskQueue: TaskQueue, ParentClosePolicy: enums.PARENT_CLOSE_POLICY_ABANDON,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}
	repair := Input{
		Cluster: in.Cluster, Rollout: doc, Repair: true, By: janitorName,
		Reason: "its workflow is gone", SearchAttributes: in.SearchAttributes,
	}
	if in.SearchAttributes {
		options.TypedSearchAttributes = SearchAttributes(repair)
	}
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, options), WorkflowType, repair)
	var run workflow.Execution
	err := child.GetChildWorkflowExecution().Get(ctx, &run)
	var open *temporal.ChildWorkflowExecutionAlreadyStartedError
	switch {
	case errors.As(err, &open):
		return "a rollout has begun meanwhile"
	case err != nil:
		return "could not be started: " + explain(err)
	}
	return "started, run " + run.RunID
}

// RepairDocument is what a repair takes its times from: the document of the last
// rollout, or one that says nothing where that is not known (nil).
func RepairDocument(last *config.Rollout) config.Rollout {
	doc := config.Rollout{
		Name: "repair", Deadline: config.DefaultDeadline, OnFailure: config.DefaultOnFailure,
		Traffic: config.Traffic{Grace: config.DefaultGrace, ConfirmTimeout: config.DefaultConfirmTimeout},
	}
	if last != nil {
		doc.Source, doc.Name, doc.Deadline, doc.OnFailure, doc.Traffic = last.Source, last.Name, last.Deadline, last.OnFailure, last.Traffic
	}
	return doc
}

// details tells the result in the Temporal UI.
func (r JanitorResult) details() string {
	if len(r.Lost) == 0 {
		return "no rollout is lost"
	}
	var b strings.Builder
	for _, lost := range r.Lost {
		fmt.Fprintf(&b, "- `%s` has left %s", lost.WorkflowID, lost.Left)
		if lost.Repair != "" {
			fmt.Fprintf(&b, "; repair: %s", lost.Repair)
		} else {
			b.WriteString("; `sluice repair` ends it")
		}
		b.WriteByte('\n')
	}
	return b.String()
}
