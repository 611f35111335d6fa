// Package ssm has the names of the SSM client that Traefik's ECS provider
// refers to. No client is ever made: loading the configuration fails first.
package ssm

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// ErrNoSSM is what every call answers.
var ErrNoSSM = errors.New("using SSM: the sandbox's gateway is built without it")

// Client would talk to the service.
type Client struct{}

// NewFromConfig returns a client of which every call fails.
func NewFromConfig(aws.Config) *Client { return &Client{} }

// DescribeInstanceInformationInput names instances.
type DescribeInstanceInformationInput struct {
	Filters []types.InstanceInformationStringFilter
}

// DescribeInstanceInformationOutput is one page of instances.
type DescribeInstanceInformationOutput struct {
	InstanceInformationList []types.InstanceInformation
}

// DescribeInstanceInformationPaginator would list instances.
type DescribeInstanceInformationPaginator struct{ done bool }

// NewDescribeInstanceInformationPaginator returns a paginator whose first page fails.
func NewDescribeInstanceInformationPaginator(*Client, *DescribeInstanceInformationInput) *DescribeInstanceInformationPaginator {
	return &DescribeInstanceInformationPaginator{}
}

// HasMorePages reports whether NextPage was not called yet.
func (p *DescribeInstanceInformationPaginator) HasMorePages() bool { return !p.done }

// NextPage always answers [ErrNoSSM].
func (p *DescribeInstanceInformationPaginator) NextPage(context.Context) (*DescribeInstanceInformationOutput, error) {
	p.done = true
	return nil, ErrNoSSM
}
