package control

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
)

// description is what Temporal itself knows about a run. It is consistent, in
// contrast to what visibility says, and needs no worker.
type description struct {
	*workflowservice.DescribeWorkflowExecutionResponse
}

func (c *Client) describe(ctx context.Context, id, run string) (description, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	response, err := c.temporal.DescribeWorkflowExecution(ctx, id, run)
	if isNotFound(err) {
		return description{}, &NotFound{ID: id}
	}
	if err != nil {
		return description{}, c.explain("looking at the rollout of "+Subject(id), err)
	}
	return description{response}, nil
}

func (d description) run() string { return d.GetWorkflowExecutionInfo().GetExecution().GetRunId() }

func (d description) status() enumspb.WorkflowExecutionStatus {
	return d.GetWorkflowExecutionInfo().GetStatus()
}

// open says that the workflow has not ended; it may be paused in Temporal.
func (d description) open() bool { return d.GetWorkflowExecutionInfo().GetCloseTime() == nil }

// closeStatus is Temporal's word for how the run ended; empty while it is open.
func (d description) closeStatus() string {
	if d.open() {
		return ""
	}
	return d.status().String()
}

// closed is when the run ended; zero while it is open.
func (d description) closed() time.Time {
	if d.open() {
		return time.Time{}
	}
	return d.GetWorkflowExecutionInfo().GetCloseTime().AsTime()
}

// attribute decodes a search attribute of the run into a value; it returns false
// where the run does not carry it.
func (d description) attribute(name string, value any) bool {
	payload := d.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()[name]
	if payload == nil {
		return false
	}
	return converter.GetDefaultDataConverter().FromPayload(payload, value) == nil
}
