// Package browser shows in a real browser that the Temporal Web UI alone tells
// the story of a rollout, and that signals sent from its dialog work. It leaves
// pictures of what a person sees.
package browser

import (
	"os"
	"testing"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/cluster"
)

func TestMain(m *testing.M) {
	options := cluster.Defaults()
	options.SearchAttributes = harness.SearchAttributes
	os.Exit(sandbox.Test(m, sandbox.Options{Cluster: &options}))
}
