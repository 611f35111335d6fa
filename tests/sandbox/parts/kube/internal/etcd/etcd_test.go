package etcd

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConfig(t *testing.T) {
	cfg, err := options{dataDir: "/data", client: "http://127.0.0.1:1234", peer: "http://127.0.0.1:1235"}.config()
	require.NoError(t, err)
	require.NoError(t, cfg.Validate())
	require.True(t, cfg.UnsafeNoFsync)
	require.Equal(t, "/data", cfg.Dir)
	require.Equal(t, "http://127.0.0.1:1234", cfg.AdvertiseClientUrls[0].String())
	require.Equal(t, "sandbox=http://127.0.0.1:1235", cfg.InitialCluster)
}

func TestConfigRefuses(t *testing.T) {
	for want, o := range map[string]options{
		"--data-dir is empty":     {client: "http://127.0.0.1:1", peer: "http://127.0.0.1:2"},
		"reading --listen-client": {dataDir: "/data", client: "http://bad host", peer: "http://127.0.0.1:2"},
		"reading --listen-peer":   {dataDir: "/data", client: "http://127.0.0.1:1", peer: "http://bad host"},
	} {
		_, err := o.config()
		require.ErrorContains(t, err, want)
	}
}

func TestServeReportsUnusableFolder(t *testing.T) {
	err := serve(t.Context(), options{dataDir: "/dev/null/data", client: "http://127.0.0.1:0", peer: "http://127.0.0.1:0"})
	require.ErrorContains(t, err, "starting etcd in /dev/null/data")
}
