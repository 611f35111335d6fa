// Package janitor finds what rollouts have left whose workflow is gone: it was
// terminated, or its history is lost. It changes nothing; a repair is a workflow.
package janitor

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/config"
)

// Activities look for what is left. Every exported method is one activity.
type Activities struct {
	// Cluster is read.
	Cluster *kube.Cluster
	// Namespaces to look in; all where empty.
	Namespaces []string
	// Routes reads canary Ingresses.
	Routes preflight.RouteReader
	// Temporal knows which workflows are open.
	Temporal client.Client
}

// Marked are the workloads on which a rollout has left its marks, whether that
// one is open or lost.
type Marked struct {
	Workloads []preflight.Marked `json:"workloads,omitempty"`
}

// FindMarked lists them, from the API server.
func (a *Activities) FindMarked(ctx context.Context) (Marked, error) {
	namespaces := a.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	var found Marked
	for _, namespace := range namespaces {
		marked, err := preflight.FindMarked(ctx, a.Cluster.Client(), namespace)
		if err != nil {
			return Marked{}, kube.Failure(err, "looking for what rollouts have left")
		}
		found.Workloads = append(found.Workloads, marked...)
	}
	return found, nil
}

// Question asks about one marked workload.
type Question struct {
	preflight.Marked
	// WorkflowID of its rollouts.
	WorkflowID string `json:"workflowId"`
}

// Finding is what is known about one marked workload.
type Finding struct {
	// Lost says that something is left and no rollout goes on.
	Lost bool `json:"lost"`
	// Left in words, or why it cannot be told.
	Left string `json:"left,omitempty"`
	// Document of the last rollout, for the times of a repair; nil where Temporal
	// does not know it any more.
	Document *config.Rollout `json:"document,omitempty"`
}

// Examine says whether the rollout of a marked workload is lost. A rollout that
// is open owns what is there.
func (a *Activities) Examine(ctx context.Context, q Question) (Finding, error) {
	described, err := a.Temporal.DescribeWorkflowExecution(ctx, q.WorkflowID, "")
	var none *serviceerror.NotFound
	if err != nil && !errors.As(err, &none) {
		return Finding{}, fmt.Errorf("asking Temporal about %s: %w", q.WorkflowID, err)
	}
	if err == nil && described.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return Finding{}, nil
	}
	look := &preflight.Activities{Cluster: a.Cluster, Routes: a.Routes}
	remains, err := look.InspectRemains(ctx, preflight.RemainsRequest{Namespace: q.Namespace, Workload: q.Workload, WorkflowID: q.WorkflowID})
	switch {
	case kube.IsType(err, kube.ErrRefused):
		return Finding{Lost: true, Left: err.Error()}, nil
	case err != nil:
		return Finding{}, err
	case !remains.Found:
		return Finding{}, nil
	}
	finding := Finding{Lost: true, Left: remains.String()}
	if described != nil {
		finding.Document = a.document(ctx, described.GetWorkflowExecutionInfo().GetExecution())
	}
	return finding, nil
}

// document reads the document of a rollout from the beginning of its history;
// nil where it cannot be read, for which defaults stand in.
func (a *Activities) document(ctx context.Context, run *common.WorkflowExecution) *config.Rollout {
	events := a.Temporal.GetWorkflowHistory(ctx, run.GetWorkflowId(), run.GetRunId(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !events.HasNext() {
		return nil
	}
	first, err := events.Next()
	if err != nil {
		return nil
	}
	var in struct {
		Rollout config.Rollout `json:"rollout"`
	}
	input := first.GetWorkflowExecutionStartedEventAttributes().GetInput()
	if converter.GetDefaultDataConverter().FromPayloads(input, &in) != nil || in.Rollout.Traffic.ConfirmTimeout <= 0 {
		return nil
	}
	return &in.Rollout
}
