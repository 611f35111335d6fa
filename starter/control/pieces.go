package control

import (
	"context"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"

	"sluice.dev/sluice/workflows"
)

// pieceTogether makes a status without a worker: the plan from the input, phase
// and step from the search attributes, the end from the last event.
func (c *Client) pieceTogether(ctx context.Context, id string, d description) (workflows.Status, error) {
	in, err := c.input(ctx, id, d.run())
	if err != nil {
		return workflows.Status{}, err
	}
	status := workflows.Status{
		Name: in.Rollout.Name, Cluster: in.Cluster, Namespace: in.Rollout.Namespace,
		Workload:   in.Rollout.Workload.Kind + "/" + in.Rollout.Workload.Name,
		WorkflowID: id, Run: d.run(), Phase: PhaseUnknown,
		Started: d.GetWorkflowExecutionInfo().GetStartTime().AsTime(),
		Steps:   Steps(&in.Rollout), Images: in.Change.Images,
	}
	status.Since = status.Started
	var phase string
	if d.attribute(workflows.AttrPhase.GetName(), &phase) {
		status.Phase = workflows.Phase(phase)
		status.Message = "last known as " + phase
	}
	var step int
	if d.attribute(workflows.AttrStep.GetName(), &step) {
		status.Step = step
		markSteps(&status)
	}
	d.attribute(workflows.AttrRevision.GetName(), &status.Revision)
	if d.open() {
		return status, nil
	}
	return status, c.addEnd(ctx, id, d, &status)
}

// markSteps gives the steps the states that follow from phase and step.
func markSteps(s *workflows.Status) {
	for i := range s.Steps {
		switch {
		case i+1 < s.Step || s.Phase == workflows.PhasePromoted:
			s.Steps[i].State = workflows.StepCompleted
		case i+1 == s.Step && s.Phase == workflows.PhaseHolding:
			s.Steps[i].State = workflows.StepPaused
		case i+1 == s.Step && !s.Phase.Ended():
			s.Steps[i].State = workflows.StepUpgrade
		}
	}
}

// Input returns what a run was started with.
func (c *Client) Input(ctx context.Context, run Run) (workflows.Input, error) {
	return c.input(ctx, run.ID, run.RunID)
}

func (c *Client) input(ctx context.Context, id, run string) (workflows.Input, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	events := c.temporal.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	event, err := events.Next()
	if isNotFound(err) {
		return workflows.Input{}, &NotFound{ID: id}
	}
	if err != nil {
		return workflows.Input{}, c.explain("reading the history of "+Subject(id), err)
	}
	var in workflows.Input
	payloads := event.GetWorkflowExecutionStartedEventAttributes().GetInput()
	if err := c.opts.Converter.FromPayloads(payloads, &in); err != nil {
		return in, fmt.Errorf("reading the input of the rollout of %s: %w", Subject(id), err)
	}
	return in, nil
}

// addEnd tells how a closed run ended.
func (c *Client) addEnd(ctx context.Context, id string, d description, s *workflows.Status) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	events := c.temporal.GetWorkflowHistory(ctx, id, d.run(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	if !events.HasNext() {
		return errors.New("the history of " + Subject(id) + " has no end")
	}
	event, err := events.Next()
	if err != nil {
		return c.explain("reading the end of the rollout of "+Subject(id), err)
	}
	s.Since = d.closed()
	return c.applyEnd(event, s)
}

func (c *Client) applyEnd(event *historypb.HistoryEvent, s *workflows.Status) error {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		return c.applyResult(event.GetWorkflowExecutionCompletedEventAttributes().GetResult(), s)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		// The compensation has run before the workflow says that it is cancelled.
		s.Phase, s.Message = workflows.PhaseRolledBack, "rolled back: the workflow was cancelled"
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		failure := event.GetWorkflowExecutionFailedEventAttributes().GetFailure()
		s.Phase, s.Message = PhaseFailed, deepest(failure)
		if failure.GetApplicationFailureInfo().GetType() == workflows.ErrorRefused {
			s.Phase, s.Message = workflows.PhaseRefused, failure.GetMessage()
		}
	default:
	}
	markSteps(s)
	return nil
}

// applyResult tells what the workflow has returned.
func (c *Client) applyResult(payloads *commonpb.Payloads, s *workflows.Status) error {
	var result workflows.Result
	if err := c.opts.Converter.FromPayloads(payloads, &result); err != nil {
		return fmt.Errorf("reading the result of the rollout of %s: %w", s.Workload, err)
	}
	s.Result, s.Decisions = &result, result.Decisions
	s.Revision, s.StableRevision = result.Revision, result.Stable
	s.Phase, s.Message = workflows.PhasePromoted, "promoted: revision "+result.Revision+" is stable"
	if result.Outcome == workflows.RolledBack {
		s.Phase, s.Message = workflows.PhaseRolledBack, "rolled back: "+result.Reason
	}
	markSteps(s)
	return nil
}

// deepest returns the message of the failure that caused all others.
func deepest(f *failurepb.Failure) string {
	for f.GetCause() != nil {
		f = f.GetCause()
	}
	return f.GetMessage()
}
