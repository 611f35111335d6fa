package config

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden parses testdata/<case>/in.yaml and compares with want.yaml, or
// with want.err where the document must be refused.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*/in.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, inputs)
	for _, input := range inputs {
		dir := filepath.Dir(input)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			data, err := os.ReadFile(input)
			require.NoError(t, err)
			rollouts, err := Parse(data, Options{Namespace: "shop"})
			if err != nil {
				require.Empty(t, rollouts, "no rollout comes with an error")
				golden(t, filepath.Join(dir, "want.err"), []byte(err.Error()+"\n"), filepath.Join(dir, "want.yaml"))
				return
			}
			got, err := yaml.Marshal(rollouts)
			require.NoError(t, err)
			golden(t, filepath.Join(dir, "want.yaml"), got, filepath.Join(dir, "want.err"))
		})
	}
}

// golden compares with a file, of which there must not be the other kind.
func golden(t *testing.T, path string, got []byte, other string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
		require.NoError(t, os.RemoveAll(other))
		return
	}
	require.NoFileExists(t, other, "the result is of the other kind: %s", got)
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update")
	require.Equal(t, string(want), string(got))
}
