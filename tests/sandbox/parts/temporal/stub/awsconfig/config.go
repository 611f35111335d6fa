// Package config has the names of the AWS configuration loader that Temporal's
// archiver and Elasticsearch client refer to. The sandbox uses neither, and the
// real loader would compile the login services of AWS along with it.
package config

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// ErrNoAWS is what every call answers.
var ErrNoAWS = errors.New("using AWS: the sandbox's Temporal is built without it; archive to the file store instead")

// LoadOptions would be changed by the options.
type LoadOptions struct{}

// LoadOptionsFunc is an option of LoadDefaultConfig.
type LoadOptionsFunc func(*LoadOptions) error

// EnvConfig is what the environment would say.
type EnvConfig struct {
	Credentials aws.Credentials
}

// WithRegion does nothing.
func WithRegion(string) LoadOptionsFunc { return func(*LoadOptions) error { return nil } }

// WithClientLogMode does nothing.
func WithClientLogMode(aws.ClientLogMode) LoadOptionsFunc {
	return func(*LoadOptions) error { return nil }
}

// LoadDefaultConfig always answers [ErrNoAWS].
func LoadDefaultConfig(context.Context, ...func(*LoadOptions) error) (aws.Config, error) {
	return aws.Config{}, ErrNoAWS
}

// NewEnvConfig always answers [ErrNoAWS].
func NewEnvConfig() (EnvConfig, error) { return EnvConfig{}, ErrNoAWS }
