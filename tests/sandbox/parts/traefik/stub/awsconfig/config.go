// Package config has the names of the AWS configuration loader that Traefik's
// ECS provider refers to. The sandbox's gateway looks at Kubernetes only, and
// the AWS SDK is three of the five minutes that its build would take.
package config

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/logging"
)

// ErrNoAWS is what every call answers; a client is never made.
var ErrNoAWS = errors.New("using AWS: the sandbox's gateway is built without it; use a Kubernetes provider")

// LoadOptions would be changed by the options.
type LoadOptions struct{}

// LoadOptionsFunc is an option of LoadDefaultConfig.
type LoadOptionsFunc func(*LoadOptions) error

func nothing(*LoadOptions) error { return nil }

// WithLogger does nothing.
func WithLogger(logging.Logger) LoadOptionsFunc { return nothing }

// WithRegion does nothing.
func WithRegion(string) LoadOptionsFunc { return nothing }

// WithEC2IMDSRegion does nothing.
func WithEC2IMDSRegion() LoadOptionsFunc { return nothing }

// WithCredentialsProvider does nothing.
func WithCredentialsProvider(aws.CredentialsProvider) LoadOptionsFunc { return nothing }

// LoadDefaultConfig always answers [ErrNoAWS].
func LoadDefaultConfig(context.Context, ...func(*LoadOptions) error) (aws.Config, error) {
	return aws.Config{}, ErrNoAWS
}
