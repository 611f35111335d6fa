package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Past is one run of a workload's rollouts, open or closed.
type Past struct {
	Status
	// By and Reason say who started it and why, and Change what it released.
	By     string `json:"startedBy,omitempty"`
	Reason string `json:"startReason,omitempty"`
	Change string `json:"change,omitempty"`
}

// History returns the latest rollouts with this workflow ID, newest first, as
// long as Temporal keeps them: what was decided, by whom, and what was done.
// limit is the number of rollouts, 10 where zero.
func (c *Client) History(ctx context.Context, id string, limit int) ([]Past, error) {
	const defaultRuns = 10
	if limit <= 0 {
		limit = defaultRuns
	}
	runs, err := c.runs(ctx, id, limit)
	if err != nil {
		return nil, err
	}
	past := make([]Past, 0, len(runs))
	for _, run := range runs {
		one, err := c.past(ctx, id, run)
		if IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		past = append(past, one)
	}
	return past, nil
}

// runs lists the runs of a workflow ID. The latest is looked up directly, since
// lists may not know it yet.
func (c *Client) runs(ctx context.Context, id string, limit int) ([]string, error) {
	latest, err := c.describe(ctx, id, "")
	if err != nil {
		return nil, err
	}
	runs := []string{latest.run()}
	executions, err := c.find(ctx, fmt.Sprintf("WorkflowId = %s", quote(id)), limit)
	if err != nil {
		return nil, c.explain("listing the rollouts of "+Subject(id), err)
	}
	for _, e := range executions {
		if run := e.GetExecution().GetRunId(); !slices.Contains(runs, run) {
			runs = append(runs, run)
		}
	}
	return runs[:min(limit, len(runs))], nil
}

func (c *Client) past(ctx context.Context, id, run string) (Past, error) {
	status, _, statusErr := c.statusOf(ctx, id, run)
	in, inputErr := c.input(ctx, id, run)
	if err := errors.Join(statusErr, inputErr); err != nil {
		return Past{}, err
	}
	return Past{Status: status, By: in.By, Reason: in.Reason, Change: purpose(in)}, nil
}
