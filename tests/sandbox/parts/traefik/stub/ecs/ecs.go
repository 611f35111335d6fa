// Package ecs has the names of the ECS client that Traefik's ECS provider
// refers to. No client is ever made: loading the configuration fails first.
package ecs

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ErrNoECS is what every call answers.
var ErrNoECS = errors.New("using ECS: the sandbox's gateway is built without it")

type (
	// Client would talk to the service.
	Client struct{}

	// DescribeTasksInput names tasks.
	DescribeTasksInput struct {
		Cluster *string
		Tasks   []string
	}
	// DescribeTasksOutput describes them.
	DescribeTasksOutput struct{ Tasks []types.Task }
	// DescribeContainerInstancesInput names machines.
	DescribeContainerInstancesInput struct {
		Cluster            *string
		ContainerInstances []string
	}
	// DescribeContainerInstancesOutput describes them.
	DescribeContainerInstancesOutput struct{ ContainerInstances []types.ContainerInstance }
	// DescribeTaskDefinitionInput names a definition.
	DescribeTaskDefinitionInput struct{ TaskDefinition *string }
	// DescribeTaskDefinitionOutput describes it.
	DescribeTaskDefinitionOutput struct{ TaskDefinition *types.TaskDefinition }
)

// NewFromConfig returns a client of which every call fails.
func NewFromConfig(aws.Config) *Client { return &Client{} }

// DescribeTasks always answers [ErrNoECS].
func (*Client) DescribeTasks(context.Context, *DescribeTasksInput) (*DescribeTasksOutput, error) {
	return nil, ErrNoECS
}

// DescribeContainerInstances always answers [ErrNoECS].
func (*Client) DescribeContainerInstances(context.Context, *DescribeContainerInstancesInput) (*DescribeContainerInstancesOutput, error) {
	return nil, ErrNoECS
}

// DescribeTaskDefinition always answers [ErrNoECS].
func (*Client) DescribeTaskDefinition(context.Context, *DescribeTaskDefinitionInput) (*DescribeTaskDefinitionOutput, error) {
	return nil, ErrNoECS
}
