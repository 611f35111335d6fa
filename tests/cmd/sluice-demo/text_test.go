package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWrap(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"empty":      {"", nil},
		"fits":       {"one two", []string{"one two"}},
		"breaks":     {"one two three four", []string{"one two", "three four"}},
		"exactly":    {"0123456789 1", []string{"0123456789", "1"}},
		"long words": {"a 01234567890123 b", []string{"a", "01234567890123", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, wrap(c.text, 10))
		})
	}
}

func TestCommandLines(t *testing.T) {
	image := "main=registry.cn-hangzhou.aliyuncs.com/mse-ingress/version:v2"
	lines := commandLines([]string{"sluice", "start", "-f", seed("rollout-canary.yaml"), "--image", image})
	require.Equal(t, []string{
		`$ sluice start -f tests/sandbox/testdata/seed/rollout-canary.yaml \`,
		`    --image main=registry.cn-hangzhou.aliyuncs.com/mse-ingress/version:v2`,
	}, lines)
	for _, line := range lines {
		require.LessOrEqual(t, len(line), width)
	}
	require.Equal(t, []string{`$ sluice promote demo --reason 'it'\''s good' --full`},
		commandLines([]string{"sluice", "promote", "demo", "--reason", "it's good", "--full"}))
}

func TestAlign(t *testing.T) {
	require.Equal(t, []string{"POD     VERSION", "demo-1  v1", "x"},
		align([][]string{{"POD", "VERSION"}, {"demo-1", "v1"}, {"x", ""}}))
}

func TestBarsAndNumbers(t *testing.T) {
	require.Equal(t, strings.Repeat(".", barWidth), bar(0))
	require.Equal(t, "##"+strings.Repeat(".", 18), bar(0.1))
	require.Equal(t, strings.Repeat("#", barWidth), bar(1))
	require.Equal(t, " 30.1 %", percent(0.301))
	require.Equal(t, "2:05", clock(125*time.Second))
	require.Equal(t, "0 ms", milliseconds(-time.Second))
}
