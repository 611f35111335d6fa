package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

const (
	// chaosSeed is the variable that names what the runs are drawn by, and
	// chaosSample the one for how many there are.
	chaosSeed   = "SLUICE_CHAOS_SEED"
	chaosSample = "SLUICE_CHAOS_SAMPLE"
	// sampledRuns is their number where nothing else is said.
	sampledRuns = 5
)

// ways are what is rolled out, how it goes on at its first hold, what runs in the
// end, and how many writes that takes when nothing goes wrong, the last of which
// delete the canary and remove the marks. A run whose write does not come fails.
var ways = []struct {
	name   string
	start  func(r *rollout)
	next   []string
	end    workflows.Phase
	runs   string
	writes int
}{
	{"canary", func(r *rollout) { r.start("rollout-canary.yaml", "v2") }, []string{"promote", "--full"}, workflows.PhasePromoted, "v2", 16},
	{"ab", func(r *rollout) { r.start("rollout-ab.yaml", "v2") }, []string{"promote"}, workflows.PhasePromoted, "v2", 16},
	{"abort", func(r *rollout) { r.start("rollout-canary.yaml", "v2") }, []string{"abort"}, workflows.PhaseRolledBack, "v1", 14},
	{"selector", func(r *rollout) { r.startBySelector("rollout-canary.yaml", "v2") }, []string{"promote", "--full"}, workflows.PhasePromoted, "v2", 24},
	{"selector-abort", func(r *rollout) { r.startBySelector("rollout-ab.yaml", "v2") }, []string{"abort"}, workflows.PhaseRolledBack, "v1", 20},
}

// sampledFaults are those that the proxy of sluice-faults knows.
var sampledFaults = []string{"before", "sent", "after", "confirm", "conflict", "timeout-applied", "timeout-lost"}

// TestFaultAtWrite lets something go wrong at one write of real rollouts: the
// worker is killed with -9 around it, or the API server answers with an error. It
// is a sample of what tests/chaos plays in full, drawn by a seed that it prints.
func TestFaultAtWrite(t *testing.T) {
	seed, runs := number(t, chaosSeed, 1), number(t, chaosSample, sampledRuns)
	t.Logf("%d runs, %s=%d", runs, chaosSeed, seed)
	rnd := rand.New(rand.NewPCG(uint64(seed), 0))
	order, kinds := rnd.Perm(len(ways)), rnd.Perm(len(sampledFaults))
	for i := range runs {
		way := ways[order[i%len(order)]]
		fault, write := sampledFaults[kinds[i%len(kinds)]], 1+rnd.IntN(way.writes)
		name := fmt.Sprintf("%s/%s/%d", way.name, fault, write)
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("repeat it, in tests/: %s=%d %s=%d go test ./e2e -run 'TestFaultAtWrite/%s$' -count=1 -v", chaosSeed, seed, chaosSample, runs, name)
				}
			})
			r := newRollout(t)
			happened := r.faultyWorker(fault, write)
			way.start(r)
			r.await(workflows.PhaseHolding, 1)
			r.sluice(append([]string{way.next[0], harness.Demo}, way.next[1:]...)...)
			r.await(way.end, 0)
			require.FileExists(t, happened)
			r.finish()
			r.restored(way.runs)
		})
	}
}

// number reads a variable of the environment.
func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, variable)
	return n
}
