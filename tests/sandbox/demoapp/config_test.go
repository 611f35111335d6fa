package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func getenv(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

func TestReadConfigDefaults(t *testing.T) {
	c, err := readConfig(getenv(map[string]string{"POD_IP": "10.244.1.7", "IMAGE_TAG": "v1", "HOSTNAME": "demo-abc"}))
	require.NoError(t, err)
	require.Equal(t, config{
		address: "10.244.1.7:8080", version: "v1", pod: "demo-abc", latencyShare: 1, term: termDie,
	}, c)
}

func TestReadConfigValues(t *testing.T) {
	c, err := readConfig(getenv(map[string]string{
		"POD_IP": "10.244.1.7", "PORT": "9090", "IMAGE_TAG": "v1", "VERSION": "v2",
		"FAIL_SHARE": "0.25", "FAIL_HEADER": "user-agent: android", "FAIL_AFTER": "3s",
		"LATENCY": "250ms", "LATENCY_SHARE": "0.5", "START_DELAY": "2s", "CRASH_AFTER": "1m",
		"NEVER_READY": "crash", "TERM": "graceful", "BURN_CPU": "0.3", "HOLD_MEMORY": "64",
	}))
	require.NoError(t, err)
	require.Equal(t, config{
		address: "10.244.1.7:9090", version: "v2", pod: "10.244.1.7",
		failShare: 0.25, failHeader: "user-agent", failValue: "android", failAfter: 3 * time.Second,
		latency: 250 * time.Millisecond, latencyShare: 0.5, startDelay: 2 * time.Second, crashAfter: time.Minute,
		neverReady: neverReadyCrash, term: termGraceful, burnCPU: 0.3, holdMemory: 64,
	}, c)
}

func TestReadConfigFailHeaderAloneFailsAll(t *testing.T) {
	c, err := readConfig(getenv(map[string]string{"FAIL_HEADER": "x-user:7"}))
	require.NoError(t, err)
	require.Equal(t, 1.0, c.failShare)
}

func TestReadConfigTerminalNameOutsideOfAPod(t *testing.T) {
	c, err := readConfig(getenv(map[string]string{"TERM": "xterm-256color"}))
	require.NoError(t, err)
	require.Equal(t, termDie, c.term)
}

func TestReadConfigErrors(t *testing.T) {
	for name, value := range map[string]string{
		"PORT": "http", "FAIL_SHARE": "2", "LATENCY_SHARE": "NaN", "LATENCY": "250", "START_DELAY": "-1s",
		"CRASH_AFTER": "soon", "FAIL_AFTER": "x", "NEVER_READY": "yes", "FAIL_HEADER": "android", "TERM": "xterm",
		"BURN_CPU": "2", "HOLD_MEMORY": "1Gi",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readConfig(getenv(map[string]string{"POD_IP": "10.244.1.7", name: value}))
			require.ErrorContains(t, err, `reading `+name+`: it is "`+value+`"; want `)
		})
	}
}

func TestReadConfigReportsAllErrors(t *testing.T) {
	_, err := readConfig(getenv(map[string]string{"FAIL_SHARE": "2", "LATENCY": "x"}))
	require.ErrorContains(t, err, "FAIL_SHARE")
	require.ErrorContains(t, err, "LATENCY")
}
