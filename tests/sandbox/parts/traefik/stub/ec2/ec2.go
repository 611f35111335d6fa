// Package ec2 has the names of the EC2 client that Traefik's ECS provider
// refers to. No client is ever made: loading the configuration fails first.
package ec2

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// ErrNoEC2 is what every call answers.
var ErrNoEC2 = errors.New("using EC2: the sandbox's gateway is built without it")

// Client would talk to the service.
type Client struct{}

// NewFromConfig returns a client of which every call fails.
func NewFromConfig(aws.Config) *Client { return &Client{} }

// DescribeInstancesInput names instances.
type DescribeInstancesInput struct{ InstanceIds []string }

// DescribeInstancesOutput is one page of instances.
type DescribeInstancesOutput struct{ Reservations []types.Reservation }

// DescribeInstancesPaginator would list instances.
type DescribeInstancesPaginator struct{ done bool }

// NewDescribeInstancesPaginator returns a paginator whose first page fails.
func NewDescribeInstancesPaginator(*Client, *DescribeInstancesInput) *DescribeInstancesPaginator {
	return &DescribeInstancesPaginator{}
}

// HasMorePages reports whether NextPage was not called yet.
func (p *DescribeInstancesPaginator) HasMorePages() bool { return !p.done }

// NextPage always answers [ErrNoEC2].
func (p *DescribeInstancesPaginator) NextPage(context.Context) (*DescribeInstancesOutput, error) {
	p.done = true
	return nil, ErrNoEC2
}
