package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var planArgs = []string{"plan", "testdata/rollout.yaml", "--workload-file", "testdata/app.yaml", "--image", "main=registry.cn-hangzhou.aliyuncs.com/mse-ingress/version:v2"}

func TestPlan(t *testing.T) {
	b := newBench(t)

	require.Equal(t, ExitOK, b.run(planArgs...), b.err)

	golden(t, "plan", b.out)
	fits(t, b.out, 80)
	require.Zero(t, b.backend.connects, "a plan needs no Temporal")
}

func TestPlanOfMatches(t *testing.T) {
	b := newBench(t)
	args := append([]string{"plan", "testdata/ab.yaml"}, planArgs[2:]...)

	require.Equal(t, ExitOK, b.run(args...), b.err)

	golden(t, "plan_matches", b.out)
	fits(t, b.out, 80)
}

func TestDryRunIsAPlan(t *testing.T) {
	b := newBench(t)
	require.Equal(t, ExitOK, b.run(planArgs...), b.err)
	plan := b.out

	require.Equal(t, ExitOK, b.run("start", "-f", "testdata/rollout.yaml", "--image", planArgs[5], "--dry-run"), b.err)

	require.Equal(t, plan, b.out)
	require.Empty(t, b.control.started)
}

func TestPlanAsData(t *testing.T) {
	b := newBench(t)
	require.Equal(t, ExitOK, b.run(with(planArgs, "-o", "json")...), b.err)
	require.JSONEq(t, `5`, jsonField(t, b.out, "replicas"))
}

func TestPlanIsRefused(t *testing.T) {
	cases := map[string]struct {
		args []string
		want string
	}{
		"unknown container": {with(planArgs[:4], "--image", "other=a:1"), "name one of main"},
		"no document":       {[]string{"plan", "--image", "a=b"}, "name the file with the Rollout document"},
		"two documents":     {with(planArgs, "-f", "testdata/ab.yaml"), "both an argument and -f"},
		"no objects":        {[]string{"plan", "testdata/rollout.yaml", "--workload-file", "testdata/rollout.yaml", "--image", "main=a:1"}, "it does not exist"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			require.Equal(t, ExitError, b.run(tc.args...))
			require.Contains(t, b.err, tc.want)
		})
	}
}

func TestLint(t *testing.T) {
	b := newBench(t)
	require.Equal(t, ExitError, b.run("lint", "testdata/rollout.yaml", "testdata/ab.yaml", "testdata/bad.yaml", "testdata/app.yaml"))
	golden(t, "lint", b.out)
	fits(t, b.out, 80)
	require.Equal(t, "sluice: 3 of 4 files are not in order\n", b.err)

	require.Equal(t, ExitOK, b.run("lint", "testdata/ab.yaml"), "a warning is no error")
	require.Equal(t, ExitError, b.run("lint", "testdata/ab.yaml", "--strict"), "unless it is asked for")
	require.Equal(t, "sluice: 1 of 1 file is not in order\n", b.err)

	require.Equal(t, ExitError, b.run("lint", "testdata/none.yaml"))
	require.Contains(t, b.err, "no such file")
	require.Equal(t, ExitError, b.run("lint"))
}

// TestLintComparesDocuments: two Rollouts of one workload cannot stand together,
// even where one of them is disabled.
func TestLintComparesDocuments(t *testing.T) {
	b := newBench(t)
	rollout, err := os.ReadFile("testdata/rollout.yaml")
	require.NoError(t, err)
	other := filepath.Join(t.TempDir(), "other.yaml")
	write := func(old, new string) {
		t.Helper()
		text := strings.Replace(string(rollout), "metadata:\n  name: ", "metadata:\n  name: other-", 1)
		require.Contains(t, text, old)
		require.NoError(t, os.WriteFile(other, []byte(strings.Replace(text, old, new, 1)), 0o600))
	}
	write("spec:\n", "spec:\n  disabled: true\n")
	require.Equal(t, ExitOK, b.run("lint", "testdata/rollout.yaml"))
	require.Equal(t, ExitOK, b.run("lint", other))
	require.Equal(t, ExitError, b.run("lint", "testdata/rollout.yaml", other))
	require.Contains(t, strings.Join(strings.Fields(b.out), " "), "one workload only have less than one Rollout")
	require.Equal(t, "sluice: 1 of 2 files are not in order\n", b.err)

	write("metadata:\n", "metadata:\n  namespace: elsewhere\n")
	require.Equal(t, ExitOK, b.run("lint", "testdata/rollout.yaml", other))
}

func TestLintAsData(t *testing.T) {
	b := newBench(t)
	require.Equal(t, ExitError, b.run("lint", "testdata/bad.yaml", "-o", "json"))
	require.Contains(t, b.out, `"path": "spec.strategy.canary.steps[0].traffic"`)
}
