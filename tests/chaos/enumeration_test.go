package chaos

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"k8s.io/klog/v2"

	"sluice.dev/sluice/config"
	fakegateway "sluice.dev/sluice/tests/chaos/gateway"
	"sluice.dev/sluice/workflows"
)

const (
	// runVariable names one run, to repeat it; sampleVariable how many runs are
	// drawn, or "all"; seedVariable what they are drawn by.
	runVariable    = "SLUICE_CHAOS_RUN"
	sampleVariable = "SLUICE_CHAOS_SAMPLE"
	seedVariable   = "SLUICE_CHAOS_SEED"
	// sampled is how many runs are drawn where nothing else is said.
	sampled = 60
)

// TestMain turns the cache of workflows off: every workflow task replays the
// history from its beginning, as after a crash.
func TestMain(m *testing.M) {
	worker.SetStickyWorkflowCacheSize(0)
	klog.SetLogger(logr.Discard()) // a worker that crashes leaves watches behind
	os.Exit(m.Run())
}

// undisturbed keeps the runs in which nothing goes wrong.
var undisturbed sync.Map

// reference plays a scenario undisturbed, once.
func reference(t *testing.T, run Run) Report {
	t.Helper()
	run.Fault, run.Write = None, 0
	play, _ := undisturbed.LoadOrStore(run.Name(), sync.OnceValue(func() Report { return Play(t, run) }))
	once, _ := play.(func() Report)
	return once()
}

func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv(seedVariable)
	if text == "" {
		return 1
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, seedVariable)
	return n
}

// personalities in the order in which they take turns.
var personalities = []fakegateway.Personality{fakegateway.Traefik, fakegateway.Nginx, fakegateway.GatewayAPI}

// TestUndisturbed plays every scenario behind every gateway with nothing wrong.
func TestUndisturbed(t *testing.T) {
	for _, scenario := range Scenarios() {
		for _, personality := range personalities {
			run := Run{Scenario: scenario, Personality: personality, Fault: None, Seed: seed(t)}
			t.Run(scenario.Name+"/"+string(personality), func(t *testing.T) {
				report := reference(t, run)
				require.Empty(t, report.Problems, repeat(run))
				require.NotEmpty(t, report.Writes)
				t.Logf("%s in %s, %d requests, %d probes, writes: %q", report.Outcome, report.Took, report.Asked, report.Probes, report.Writes)
				require.Equal(t, scenario.Probe != nil, report.Probes > 0, "%d probes", report.Probes)
				require.Equal(t, expected(scenario), report.Outcome)
			})
		}
	}
}

// expected is how a scenario ends when nothing goes wrong.
func expected(s Scenario) workflows.Outcome {
	if s.Promoting.Verb == workflows.VerbAbort {
		return workflows.RolledBack
	}
	for _, act := range s.Holds {
		if act.Verb == workflows.VerbAbort {
			return workflows.RolledBack
		}
	}
	return workflows.Promoted
}

// TestEveryWrite lets every fault happen at every write of every scenario, or at
// a sample of them.
func TestEveryWrite(t *testing.T) {
	runs := drawn(t, combined(t))
	t.Logf("%d runs, %s=%d", len(runs), seedVariable, seed(t))
	for _, run := range runs {
		t.Run(run.Name(), func(t *testing.T) {
			t.Parallel()
			judge(t, run)
		})
	}
}

// TestDrift lets somebody change an object of the rollout at every write of the
// seed's canary, in both ways of isolation, or at a sample of them. Who deletes the
// route while pods are being replaced sends requests to one that is told to stop:
// a request that is in flight there is the one thing that is lost.
func TestDrift(t *testing.T) {
	var runs []Run
	for _, scenario := range Scenarios() {
		if scenario.Name != "canary" && scenario.Name != "selector" {
			continue
		}
		run := Run{Scenario: scenario, Personality: fakegateway.Traefik, Fault: None, Seed: seed(t)}
		for write := range reference(t, run).Writes {
			for _, fault := range Drifts {
				if run.Write, run.Fault = write+1, fault; fault != Widen || scenario.Isolation == config.IsolateBySelector {
					runs = append(runs, run)
				}
			}
		}
	}
	for _, run := range drawn(t, runs) {
		t.Run(run.Name(), func(t *testing.T) {
			t.Parallel()
			judge(t, run)
		})
	}
}

// TestRepeat plays one run by its name.
func TestRepeat(t *testing.T) {
	name := os.Getenv(runVariable)
	if name == "" {
		name = Run{Scenario: Scenarios()[0], Personality: fakegateway.Traefik, Fault: CrashSent, Write: 3, Seed: 1}.Name()
	}
	run, err := ParseRun(name)
	require.NoError(t, err)
	judge(t, run)
}

// TestLostPods plays runs of which a sample has few: a pod is lost where the guard
// of the next change of the route is all that there is, behind a gateway that
// knows endpoints as late as routes, and behind one that knows them later.
func TestLostPods(t *testing.T) {
	for _, personality := range personalities {
		judge(t, Run{Scenario: Scenarios()[0], Personality: personality, Fault: PodLost, Write: 5, Seed: 1})
	}
}

func judge(t *testing.T, run Run) {
	t.Helper()
	want := reference(t, run)
	got := Play(t, run)
	problems := Judge(run, got, want)
	if len(problems) > 0 {
		t.Logf("writes: %q", got.Writes)
	}
	require.Empty(t, problems, repeat(run))
}

// repeat is the command that plays a run again.
func repeat(run Run) string {
	return "repeat it, in tests/: " + runVariable + "=" + run.Name() + " go test ./chaos -run TestRepeat -count=1 -v"
}

// templates is the write by which the workload gets another template: the first
// one holds it, and every other lets its pods be replaced.
const templates = "patch deployments demo"

// combined returns all runs: the gateways take turns, and each fault meets each of
// them at some writes of each scenario.
func combined(t *testing.T) []Run {
	t.Helper()
	var runs []Run
	for i, scenario := range Scenarios() {
		run := Run{Scenario: scenario, Personality: fakegateway.Traefik, Fault: None, Seed: seed(t)}
		writes := reference(t, run).Writes
		for k, fault := range Faults {
			for write := 1; write <= len(writes); write++ {
				if fault == Freeze && scenario.Probe != nil && slices.Contains(writes[1:max(1, write)], templates) {
					// Probes do not show which pods a replica knows, nor whose answers they
					// are when both sides run one version: that is waited for by grace.
					break
				}
				if fault == CreateLate && !strings.HasPrefix(writes[write-1], "create ") {
					continue
				}
				run.Fault, run.Write, run.Personality = fault, write, personalities[(i+k+write)%len(personalities)]
				if fault == Freeze {
					// Only a gateway that can be asked can be waited for.
					run.Personality = fakegateway.Traefik
				}
				runs = append(runs, run)
			}
		}
	}
	return runs
}

// drawn returns a sample of runs, and with it every run in which the worker dies in
// a rollout whose pods follow the size of the workload, which changes at holds: what
// does so unwatched must not be served by the pods of the old size.
func drawn(t *testing.T, runs []Run) []Run {
	t.Helper()
	text := os.Getenv(sampleVariable)
	if text == "all" {
		return runs
	}
	n := sampled
	if text != "" {
		var err error
		n, err = strconv.Atoi(text)
		require.NoError(t, err, sampleVariable)
	}
	r := rand.New(rand.NewPCG(seed(t), 0))
	r.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
	n = min(n, len(runs))
	return append(runs[:n:n], slices.DeleteFunc(runs[n:], func(r Run) bool {
		return r.Fault != CrashConfirm || !slices.ContainsFunc(scaled(), func(s Scenario) bool { return s.Name == r.Scenario.Name })
	})...)
}
