package settings

import (
	"cmp"
	"fmt"
	"strings"

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
	if err := checkAddress(profile.Address); err != nil {
		return client.Options{}, err
	}
	profile.Namespace = cmp.Or(s.Temporal.Namespace, profile.Namespace, client.DefaultNamespace)
	profile.APIKey = cmp.Or(s.Temporal.APIKey.Reveal(), profile.APIKey)
	options, err := profile.ToClientOptions(envconfig.ToClientOptionsRequest{})
	if err != nil {
		return client.Options{}, fmt.Errorf("reading the Temporal configuration: %w", err)
	}
	// The messages are small and many: to compress them costs a worker and the
	// server more processor time than it spares the network.
	options.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	return options, nil
}

// checkAddress refuses what is certainly no address of Temporal. Others are left
// to gRPC, which knows more forms than host:port.
func checkAddress(address string) error {
	url := strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://")
	if url || !strings.Contains(address, ":") {
		return fmt.Errorf("reading the Temporal configuration: address %q (--temporal-address, TEMPORAL_ADDRESS or the profile) is not host:port: write it like %s", address, client.DefaultHostPort)
	}
	return nil
}
