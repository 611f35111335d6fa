package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// Filter selects rollouts; empty fields select all.
type Filter struct {
	// Cluster and Namespace of the workload; a namespace needs its cluster.
	Cluster   string
	Namespace string
	// Phase that the rollout is in.
	Phase workflows.Phase
	// Closed includes rollouts that have ended.
	Closed bool
	// Limit of rows; 100 where zero.
	Limit int
}

// Row is one rollout in a list.
type Row struct {
	WorkflowID string          `json:"workflowId"`
	Run        string          `json:"run"`
	Cluster    string          `json:"cluster"`
	Namespace  string          `json:"namespace"`
	Workload   string          `json:"workload"`
	Phase      workflows.Phase `json:"phase"`
	// Step from 1, 0 where it is not known.
	Step     int        `json:"step,omitempty"`
	Revision string     `json:"revision,omitempty"`
	Started  time.Time  `json:"started"`
	Closed   *time.Time `json:"closed,omitempty"`
}

// defaultLimit of rows in a list.
const defaultLimit = 100

// List lists rollouts, newest first. Temporal's lists may lag behind by moments;
// Status does not.
func (c *Client) List(ctx context.Context, filter Filter) ([]Row, error) {
	if filter.Limit <= 0 {
		filter.Limit = defaultLimit
	}
	// Where all rollouts carry the phase, Temporal selects by it.
	byPhase := filter.Phase != "" && c.knownAttributes(ctx).usable()
	executions, err := c.find(ctx, listQuery(filter, byPhase), filter.Limit)
	if err != nil {
		return nil, c.explain("listing rollouts", err)
	}
	rows := make([]Row, 0, len(executions))
	for _, e := range executions {
		if row, ok := newRow(description{&workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: e}}); ok {
			rows = append(rows, row)
		}
	}
	if err := c.fill(ctx, rows); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(rows, func(r Row) bool { return filter.Phase != "" && r.Phase != filter.Phase }), nil
}

// listQuery selects by the workflow ID, which every rollout has, rather than by
// search attributes, which a namespace may not know.
func listQuery(f Filter, byPhase bool) string {
	conditions := []string{fmt.Sprintf("WorkflowType = '%s'", workflows.WorkflowType)}
	if prefix := idPrefix(f); prefix != "" {
		conditions = append(conditions, fmt.Sprintf("WorkflowId STARTS_WITH %s", quote(prefix)))
	}
	if !f.Closed {
		conditions = append(conditions, "CloseTime IS NULL")
	}
	if byPhase {
		conditions = append(conditions, fmt.Sprintf("%s = %s", workflows.AttrPhase.GetName(), quote(string(f.Phase))))
	}
	return strings.Join(conditions, " AND ")
}

// idPrefix is what the IDs of all rollouts of a cluster, or of a namespace in
// it, begin with.
func idPrefix(f Filter) string {
	if f.Cluster == "" {
		return ""
	}
	return strings.TrimRight(workflows.WorkflowID(f.Cluster, f.Namespace, config.ObjectRef{}), ":") + ":"
}

// quote makes a literal of Temporal's list filters.
func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// find returns up to limit executions, newest first.
func (c *Client) find(ctx context.Context, query string, limit int) ([]*workflowpb.WorkflowExecutionInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var found []*workflowpb.WorkflowExecutionInfo
	request := &workflowservice.ListWorkflowExecutionsRequest{Namespace: c.opts.Namespace, Query: query, PageSize: int32(min(limit, 1000))}
	for {
		page, err := c.temporal.ListWorkflow(ctx, request)
		if err != nil {
			return nil, err
		}
		found = append(found, page.GetExecutions()...)
		request.NextPageToken = page.GetNextPageToken()
		if len(found) >= limit || len(request.NextPageToken) == 0 {
			return found[:min(limit, len(found))], nil
		}
	}
}

// newRow makes a row of what visibility knows; it returns false for workflows
// that are not ours.
func newRow(d description) (Row, bool) {
	info := d.GetWorkflowExecutionInfo()
	id := info.GetExecution().GetWorkflowId()
	cluster, namespace, kind, name, err := workflows.ParseWorkflowID(id)
	if err != nil {
		return Row{}, false
	}
	row := Row{
		WorkflowID: id, Run: d.run(), Cluster: cluster, Namespace: namespace,
		Workload: kind + "/" + name, Started: info.GetStartTime().AsTime(),
	}
	if !d.open() {
		closed := d.closed()
		row.Closed = &closed
	}
	var phase string
	if d.attribute(workflows.AttrPhase.GetName(), &phase) {
		row.Phase = workflows.Phase(phase)
	}
	d.attribute(workflows.AttrStep.GetName(), &row.Step)
	d.attribute(workflows.AttrRevision.GetName(), &row.Revision)
	if !d.open() && !row.Phase.Ended() {
		// The end that the attributes tell is not the one that Temporal saw.
		row.Phase = ""
	}
	return row, true
}

// maxQueries is how many rollouts are asked at once.
const maxQueries = 8

// fill asks for the status of the rollouts whose rows have no phase.
func (c *Client) fill(ctx context.Context, rows []Row) error {
	var wg sync.WaitGroup
	errs := make([]error, len(rows))
	slots := make(chan struct{}, maxQueries)
	for i := range rows {
		if rows[i].Phase != "" {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = c.fillRow(ctx, &rows[i])
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (c *Client) fillRow(ctx context.Context, row *Row) error {
	status, _, err := c.statusOf(ctx, row.WorkflowID, row.Run)
	var gone *serviceerror.NotFound
	switch {
	case IsNotFound(err), errors.As(err, &gone):
		// Removed by retention since it was listed.
		return nil
	case err != nil:
		return err
	}
	row.Phase, row.Step, row.Revision = status.Phase, status.Step, status.Revision
	return nil
}
