package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	own "sluice.dev/sluice/config/v1alpha1"
)

// FuzzParse checks that no input takes the parser down, that what it accepts is
// sound, and that nothing is lost on the way through JSON (the workflow's
// input) and through a document of our own version.
func FuzzParse(f *testing.F) {
	inputs, err := filepath.Glob("testdata/*/in.yaml")
	require.NoError(f, err)
	for _, input := range inputs {
		data, err := os.ReadFile(input)
		require.NoError(f, err)
		f.Add(data)
	}
	for _, document := range []string{betaDocument, alphaDocument, ownDocument} {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rollouts, err := Parse(data, Options{Namespace: "shop", SkipOtherKinds: true})
		if err != nil {
			var errs Errors
			require.ErrorAs(t, err, &errs)
			require.NotEmpty(t, errs)
			for _, e := range errs {
				require.NotEmpty(t, e.Problem)
			}
			return
		}
		again, err := Parse(data, Options{Namespace: "shop", SkipOtherKinds: true})
		require.NoError(t, err)
		require.Equal(t, rollouts, again)
		for _, r := range rollouts {
			requireSound(t, r)
			requireRoundTrip(t, r)
		}
	})
}

// requireSound checks what the workflow relies on without looking again.
func requireSound(t *testing.T, r Rollout) {
	t.Helper()
	require.NotEmpty(t, r.Name)
	require.NotEmpty(t, r.Namespace)
	require.NotEmpty(t, r.Workload.Name)
	require.NotEmpty(t, r.Traffic.Service)
	require.NotEmpty(t, r.Traffic.Ingress.Name)
	capability, known := CapabilityOf(r.Traffic.Ingress.Class)
	require.True(t, known && capability.Supported)
	require.GreaterOrEqual(t, r.Traffic.Grace, Duration(0))
	require.Positive(t, r.Traffic.ConfirmTimeout)
	require.NotEmpty(t, r.Steps)
	for i, step := range r.Steps {
		require.Positive(t, r.StepDeadline(i))
		require.Positive(t, step.Replicas.Of(5))
		require.LessOrEqual(t, step.weight(), 100)
		require.Equal(t, step.Hold.Mode == HoldTimed, step.Hold.Duration > 0)
	}
	for _, replicas := range []int{-1, 0, 1, 7} {
		for _, finding := range Warnings(r, replicas) {
			require.NotEmpty(t, finding.Problem)
		}
	}
}

func requireRoundTrip(t *testing.T, r Rollout) {
	t.Helper()
	data, err := json.Marshal(r)
	require.NoError(t, err)
	var read Rollout
	require.NoError(t, json.Unmarshal(data, &read))
	require.Equal(t, r, read)

	rendered, err := Render(r)
	require.NoError(t, err)
	parsed, err := ParseOne(rendered, Options{})
	require.NoError(t, err, "%s", rendered)
	want := r
	want.Source = own.APIVersion
	require.Equal(t, want, parsed, "%s", rendered)
}
