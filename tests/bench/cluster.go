package bench

import (
	"sluice.dev/sluice/tests/harness"
	sandbox "sluice.dev/sluice/tests/sandbox/cluster"
)

// fakeNodes hold all pods of the largest measurement.
const fakeNodes = 5

// Cluster returns the options of a sandbox that can be measured on: as usual,
// with nodes for thousands of pods and a log of all requests.
func Cluster() sandbox.Options {
	options := sandbox.Defaults()
	options.SearchAttributes = harness.SearchAttributes
	options.FakeNodes = fakeNodes
	options.Audit = true
	return options
}
