package release_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
)

func TestCanaryName(t *testing.T) {
	longest := strings.Repeat("a", 56)
	require.Equal(t, "demo-canary", release.CanaryName("demo"))
	require.Equal(t, longest+"-canary", release.CanaryName(longest))

	label := `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	seen := map[string]bool{}
	for _, name := range []string{longest + "a", longest + "b", longest + "aa", strings.Repeat("a", 253), strings.Repeat("a", 46) + "-" + strings.Repeat("b", 20)} {
		got := release.CanaryName(name)
		require.LessOrEqual(t, len(got), 63)
		require.Regexp(t, label, got)
		require.Equal(t, got, release.CanaryName(name))
		require.False(t, seen[got], "%s is taken", got)
		seen[got] = true
	}
}

func TestRefNamesObjects(t *testing.T) {
	ref := release.Ref{Workload: config.ObjectRef{Name: "web"}, Service: "front", Ingress: "edge"}
	require.Equal(t, "web-canary", ref.CanaryDeployment())
	require.Equal(t, "front-canary", ref.CanaryService())
	require.Equal(t, "edge-canary", ref.CanaryIngress())
}

func TestRecordTellsAbsentFromZero(t *testing.T) {
	record := release.Record{ID: "r1", Baseline: release.Baseline{Paused: new(false), MaxSurge: new("25%")}}
	data, err := json.Marshal(record)
	require.NoError(t, err)
	var back release.Record
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, record, back)
	require.Nil(t, back.Baseline.MaxUnavailable)
	require.NotNil(t, back.Baseline.Paused)
}
