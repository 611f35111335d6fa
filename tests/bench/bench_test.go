package bench

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/build"
)

func TestMain(m *testing.M) {
	options := Cluster()
	os.Exit(sandbox.Test(m, sandbox.Options{Cluster: &options}))
}

// TestQuick makes every measurement with small counts. It says nothing about
// the figures, only that each of them is measured.
func TestQuick(t *testing.T) {
	programs, err := harness.BuildPrograms(t.Context(), build.Progress{Out: os.Stderr})
	require.NoError(t, err)
	s := sandbox.Shared(t)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	bed, err := harness.NewBed(ctx, s, programs)
	require.NoError(t, err)
	defer bed.Close()
	r, err := Run(ctx, bed, Options{Sizes: Quick(), Quick: true, Progress: os.Stderr})
	require.NoError(t, err)
	measured := map[string]bool{}
	for _, row := range r.Rows {
		require.Positive(t, row.Of, row.ID)
		measured[row.ID] = true
	}
	for _, id := range report.Definitions() {
		require.True(t, measured[id], id)
	}
	require.NoError(t, r.WriteTable(os.Stderr))
}

func TestOptionsRefuse(t *testing.T) {
	require.NoError(t, Options{Only: []string{"promote", "held"}}.Validate())
	err := Options{Only: []string{"speed"}}.Validate()
	require.ErrorContains(t, err, "--only speed: there is no such measurement: choose from first-weight, promote")
}
