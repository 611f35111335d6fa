package ecs

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

type (
	// ListClustersInput asks for every cluster.
	ListClustersInput struct{}
	// ListClustersOutput is one page of clusters.
	ListClustersOutput struct{ ClusterArns []string }
	// ListClustersPaginator would list clusters.
	ListClustersPaginator struct{ done bool }

	// ListTasksInput asks for the tasks of a cluster.
	ListTasksInput struct {
		Cluster       *string
		DesiredStatus types.DesiredStatus
	}
	// ListTasksOutput is one page of tasks.
	ListTasksOutput struct{ TaskArns []string }
	// ListTasksPaginator would list tasks.
	ListTasksPaginator struct{ done bool }
)

// NewListClustersPaginator returns a paginator whose first page fails.
func NewListClustersPaginator(*Client, *ListClustersInput) *ListClustersPaginator {
	return &ListClustersPaginator{}
}

// HasMorePages reports whether NextPage was not called yet.
func (p *ListClustersPaginator) HasMorePages() bool { return !p.done }

// NextPage always answers [ErrNoECS].
func (p *ListClustersPaginator) NextPage(context.Context) (*ListClustersOutput, error) {
	p.done = true
	return nil, ErrNoECS
}

// NewListTasksPaginator returns a paginator whose first page fails.
func NewListTasksPaginator(*Client, *ListTasksInput) *ListTasksPaginator {
	return &ListTasksPaginator{}
}

// HasMorePages reports whether NextPage was not called yet.
func (p *ListTasksPaginator) HasMorePages() bool { return !p.done }

// NextPage always answers [ErrNoECS].
func (p *ListTasksPaginator) NextPage(context.Context) (*ListTasksOutput, error) {
	p.done = true
	return nil, ErrNoECS
}
