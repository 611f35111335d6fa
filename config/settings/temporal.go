package settings

import (
	"cmp"
	"fmt"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
)

// TemporalOptions returns how to connect to Temporal: the profile of the SDK's
// TOML file, TEMPORAL_* variables over it, our own settings over both. An API
// key implies TLS unless the profile forbids it. It reads files, but connects
// to nothing.
func TemporalOptions(s Settings) (client.Options, error) {
	profile, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{
		ConfigFilePath:    s.Temporal.ConfigFile,
		ConfigFileProfile: s.Temporal.Profile,
	})
	if err != nil {
		return client.Options{}, fmt.Errorf("reading the Temporal configuration: %w", err)
	}
	profile.Address = cmp.Or(s.Temporal.Address, profile.Address, client.DefaultHostPort)
	profile.Namespace = cmp.Or(s.Temporal.Namespace, profile.Namespace, client.DefaultNamespace)
	profile.APIKey = cmp.Or(s.Temporal.APIKey.Reveal(), profile.APIKey)
	options, err := profile.ToClientOptions(envconfig.ToClientOptionsRequest{})
	if err != nil {
		return client.Options{}, fmt.Errorf("reading the Temporal configuration: %w", err)
	}
	return options, nil
}
