package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

func TestTemporalOptions(t *testing.T) {
	dir := workspace(t)
	options, err := TemporalOptions(Settings{})
	require.NoError(t, err)
	require.Equal(t, "localhost:7233", options.HostPort)
	require.Equal(t, "default", options.Namespace)
	require.Nil(t, options.ConnectionOptions.TLS)
	require.Nil(t, options.Credentials)
	require.IsType(t, &client.GrpcCompressionNone{}, options.ConnectionOptions.GrpcCompression)

	toml := filepath.Join(dir, "temporal.toml")
	write(t, toml, "[profile.default]\naddress = \"file:1\"\nnamespace = \"from-file\"\n[profile.prod]\naddress = \"prod:1\"\n[profile.prod.tls]\nserver_name = \"prod.example\"\n")
	t.Setenv("TEMPORAL_CONFIG_FILE", toml)
	options, err = TemporalOptions(Settings{})
	require.NoError(t, err)
	require.Equal(t, "file:1 from-file", options.HostPort+" "+options.Namespace)

	t.Setenv("TEMPORAL_ADDRESS", "variable:1")
	options, err = TemporalOptions(Settings{})
	require.NoError(t, err)
	require.Equal(t, "variable:1 from-file", options.HostPort+" "+options.Namespace)

	options, err = TemporalOptions(Settings{Temporal: Temporal{Profile: "prod", Address: "flag:1", Namespace: "flag"}})
	require.NoError(t, err)
	require.Equal(t, "flag:1 flag", options.HostPort+" "+options.Namespace)
	require.Equal(t, "prod.example", options.ConnectionOptions.TLS.ServerName)

	_, err = TemporalOptions(Settings{Temporal: Temporal{Profile: "none"}})
	require.ErrorContains(t, err, "reading the Temporal configuration: unable to find profile none")
	_, err = TemporalOptions(Settings{Temporal: Temporal{ConfigFile: dir}})
	require.ErrorContains(t, err, "reading the Temporal configuration")
}

func TestTemporalAPIKeyImpliesTLS(t *testing.T) {
	workspace(t)
	options, err := TemporalOptions(Settings{Temporal: Temporal{APIKey: "key"}})
	require.NoError(t, err)
	require.NotNil(t, options.Credentials)
	require.NotNil(t, options.ConnectionOptions.TLS)

	t.Setenv("TEMPORAL_TLS", "false")
	options, err = TemporalOptions(Settings{Temporal: Temporal{APIKey: "key"}})
	require.NoError(t, err)
	require.True(t, options.ConnectionOptions.TLSDisabled)
}

func TestSecretIsNeverPrinted(t *testing.T) {
	s := Settings{Temporal: Temporal{APIKey: "hunter2"}}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("settings", "key", s.Temporal.APIKey, "all", s)
	Log{Format: LogText}.Logger(&logged).Info("settings", "key", s.Temporal.APIKey, "all", s)
	encoded, err := json.Marshal(s)
	require.NoError(t, err)
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s.Temporal.APIKey, s.Temporal.APIKey), logged.String(), string(encoded),
	} {
		require.NotContains(t, text, "hunter2")
		require.Contains(t, text, redacted)
	}
	require.Equal(t, "hunter2", s.Temporal.APIKey.Reveal())
	require.Empty(t, Secret("").String())
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	logger := Log{Level: slog.LevelWarn, Format: LogJSON}.Logger(&out)
	logger.Info("hidden")
	require.Empty(t, out.String())
	logger.Warn("shown")
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, "shown", line["msg"])
}

func TestTemporalAddressIsRefusedByName(t *testing.T) {
	for address, good := range map[string]bool{
		"nonsense": false, "http://localhost:7233": false, "https://temporal.example.com": false,
		"localhost:7233": true, "[::1]:7233": true, "dns:///temporal.example.com:7233": true, "unix:/run/temporal": true,
	} {
		var s Settings
		s.Temporal.Address = address
		_, err := TemporalOptions(s)
		if good {
			require.NoError(t, err, address)
			continue
		}
		require.ErrorContains(t, err, `address "`+address+`" (--temporal-address`)
		require.ErrorContains(t, err, "host:port")
	}
}
