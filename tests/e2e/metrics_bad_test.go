package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis/verdict/simulate"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox/load"
	"sluice.dev/sluice/workflows"
)

// badVersion is a version that metrics have to find, and the document that they
// are in.
type badVersion struct {
	// name of its recording, and what it is in the tables.
	name, about string
	document    document
	env         []string
	// turns is the phase of step 2 in which it turns bad; from the start if empty.
	turns workflows.Phase
	// slow answers are bad, too; none where zero.
	slow time.Duration
	// bound of its test; zero where it is compared with stable.
	bound float64
	// where the verdict comes from, and within what time; latestVerdict where zero.
	where  string
	within time.Duration
}

// ruleThreshold is the proportion of bad answers above which a window of the fixed
// rule fails, where the test has no bound.
const ruleThreshold = 0.05

var (
	badErrors = badVersion{
		name: "errors", about: "20 % of errors, weight 20 %", where: "the metrics of step 1: errors: canary is worse",
		document: document{steps: []measuredStep{{route: "traffic: 20%", metrics: []string{successRate}}}},
		env:      []string{"FAIL_SHARE=0.2"},
	}
	badLatency = badVersion{
		name: "latency", about: "30 % slower than 100 ms, weight 20 %", where: "the metrics of step 1: app-latency: canary is worse",
		document: document{steps: []measuredStep{{route: "traffic: 20%", metrics: []string{
			"{template: app/latency, args: {le: \"0.1\"}, " + pace + ", onFail: rollback}",
		}}}},
		env: []string{"LATENCY=200ms", "LATENCY_SHARE=0.3"}, slow: 100 * time.Millisecond,
	}
	// badCohort fails only for requests from Android, and gets no others.
	badCohort = badVersion{
		name: "cohort", about: "20 % of errors for a cohort, which is all that it gets", where: "the metrics of step 1: errors",
		document: document{steps: []measuredStep{{
			route: "matches: [{headers: [{name: user-agent, value: android}]}]", metrics: []string{successRate},
		}}},
		env: []string{"FAIL_HEADER=user-agent:android", "FAIL_SHARE=0.2"},
	}
	// badFromStep2 turns bad while step 2 waits for a person, after its metrics have
	// passed.
	badFromStep2 = badVersion{
		name: "step-2", about: "20 % of errors from step 2 on, weight 50 %", where: "the metrics of step 2: errors",
		document: document{steps: []measuredStep{
			{route: "traffic: 30%", metrics: []string{successRate}},
			{route: "traffic: 50%", hold: "approval", metrics: []string{successRate}},
		}},
		turns: workflows.PhaseHolding,
	}
	// badInTheBake turns bad when it has all requests.
	badInTheBake = badVersion{
		name: "bake", about: "20 % of errors from the bake on, by a bound of 2 %", where: "the metrics of the bake: errors", bound: 0.02,
		document: document{
			steps: []measuredStep{{route: "traffic: 30%", metrics: []string{successRate}}},
			bake:  []string{"{template: app/success-rate, name: errors, " + pace + ", test: {bound: 0.02}, onFail: rollback}"},
		},
		turns: workflows.PhaseBaking,
	}
)

// returns requires that the version is found, and that nothing is lost but what it
// answered badly itself. With recordRequestsVariable it is recorded instead.
func (b badVersion) returns(t *testing.T) {
	if dir := os.Getenv(recordRequestsVariable); dir != "" {
		b.record(t, dir)
		return
	}
	r := newRolloutUnder(t, "", harness.LoadOptions{Slow: b.slow})
	b.begin(r, b.document)
	r.finishBad(b, r.returnedBy(b.where))
	r.restored("v1")
}

// begin starts the rollout and lets the version turn bad. It returns since when
// the requests count.
func (b badVersion) begin(r *rollout, d document) time.Time {
	r.t.Helper()
	env, turn := b.env, func() {}
	if b.turns != "" {
		env, turn = r.turningBad()
	}
	r.startMeasured(d, env...)
	if b.turns == "" {
		return time.Time{}
	}
	s := r.await(b.turns, 2)
	if b.turns == workflows.PhaseBaking {
		require.Equal(r.t, 100, s.Confirmed.Weight)
	}
	began := time.Now()
	if b.turns == workflows.PhaseHolding {
		r.passedAll(2)
	}
	turn()
	return began
}

// latestVerdict is when a version that answers badly is found at the latest, measured
// every second: some seconds on a quiet machine.
const latestVerdict = 30 * time.Second

// finishBad ends the load of a case whose version answered badly: nothing else was
// lost. It reports what that has cost the users, by what they saw themselves, and
// how far the fixed rule has come on the same requests.
func (r *rollout) finishBad(b badVersion, s workflows.Status) {
	r.t.Helper()
	r.settle()
	report, err := r.load.Finish(r.ctx)
	require.NoError(r.t, err)
	w := report.Whole
	require.Zero(r.t, w.TransportErrors, "transport errors: %v", w.Examples)
	require.Equal(r.t, w.Statuses[500], w.Lost(), "lost by the rollout: %v", w.Examples)
	v2 := report.Ledger["v2"]
	require.Positive(r.t, v2.Bad)
	require.GreaterOrEqual(r.t, v2.Bad, w.Lost(), "only v2 answered with errors")
	decided, gone := r.decidedAt(s).Sub(v2.FirstBad), v2.Last.Sub(v2.FirstBad)
	_, rule := b.recorded(report, v2.FirstBad).Replay(config.DefaultTest(), time.Second)
	require.Zero(r.t, rule.After, "the fixed rule has not even three windows")
	require.Less(r.t, decided, cmp.Or(b.within, latestVerdict))
	r.t.Logf("| %s | %d | %.1f s | %.1f s | (%d requests, 0 lost by the rollout; the fixed rule has raised no alarm by then)",
		b.about, v2.Bad, decided.Seconds(), gone.Seconds(), w.Requests)
}

// recorded are the requests since a time as package simulate replays them, without
// a time since the first to v2.
func (b badVersion) recorded(report load.Report, since time.Time) simulate.Recorded {
	r := simulate.Recorded{Case: b.name, About: b.about, Threshold: ruleThreshold}
	if b.bound > 0 {
		r.Bound, r.Threshold = &b.bound, b.bound
	}
	canary, stable := report.Ledger["v2"].Seconds, report.Ledger["v1"].Seconds
	at := func(seconds []load.Count, i int) [2]float64 {
		if i >= len(seconds) {
			return [2]float64{}
		}
		return [2]float64{float64(seconds[i].Requests), float64(seconds[i].Bad)}
	}
	first := int(since.Sub(report.Whole.From) / time.Second)
	for i := range canary {
		if c := at(canary, i); i >= first && (c[0] > 0 || len(r.Seconds) > 0) {
			r.Seconds = append(r.Seconds, simulate.Second{Canary: c, Stable: at(stable, i)})
		}
	}
	return r
}

// recordRequestsVariable names the folder to which the requests of bad versions
// are written, for the comparison of rules in package simulate. Such versions are
// only observed, for longer than the fixed rule needs. CONTRIBUTING.md has the
// command.
const recordRequestsVariable = "SLUICE_RECORD_REQUESTS"

const (
	// recordFor is counted from the first bad answer.
	recordFor = 190 * time.Second
	// recordLimit bounds a recording; several run side by side.
	recordLimit = 10 * time.Minute
	// recordRate of requests a second.
	recordRate = 60
)

// record keeps the version, at a host of its own, and writes its requests.
func (b badVersion) record(t *testing.T, dir string) {
	start(t)
	t.Parallel()
	host := b.name + ".example"
	r := deployed(t, place{host: host, limit: recordLimit})
	var err error
	r.load, err = r.StartLoad(r.ctx, harness.LoadOptions{Rate: recordRate, Host: host, Slow: b.slow, Duration: recordLimit})
	require.NoError(t, err)
	since := b.begin(r, b.document.observed())
	var until time.Time
	require.NoError(t, harness.Await(r.ctx, "the fixed rule had its time", func(ctx context.Context) (bool, error) {
		if until.IsZero() {
			w, err := r.load.Window(ctx, "")
			if err != nil || w.Versions["v2"] == 0 {
				return false, err
			}
			until = time.Now().Add(recordFor)
		}
		return time.Now().After(until), nil
	}))
	report, err := r.load.Finish(r.ctx)
	require.NoError(t, err)
	recorded := b.recorded(report, since)
	test, rule := recorded.Replay(config.DefaultTest(), time.Second)
	t.Logf("%s: test %+v, rule %+v", b.about, test, rule)
	require.Positive(t, test.After)
	require.Positive(t, rule.After)
	file, err := os.Create(filepath.Join(dir, b.name+".json"))
	require.NoError(t, err)
	require.NoError(t, recorded.Write(file))
	require.NoError(t, file.Close())
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
}

// observed is the document with the last metrics only looked at, in which a person
// decides.
func (d document) observed() document {
	look := func(metrics []string) []string {
		var looked []string
		for _, m := range metrics {
			looked = append(looked, fmt.Sprintf("%s, dryRun: true}", strings.TrimSuffix(m, "}")))
		}
		return looked
	}
	if d.bake != nil {
		d.bake, d.bakeFor = look(d.bake), recordLimit
		return d
	}
	steps := append([]measuredStep(nil), d.steps...)
	last := &steps[len(steps)-1]
	last.metrics, last.hold = look(last.metrics), "approval"
	d.steps = steps
	return d
}
