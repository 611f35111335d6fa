package cli

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

func TestCRDsArePrintedSoThatTheyCanBeApplied(t *testing.T) {
	b := newBench(t)
	require.Equal(t, ExitOK, b.run("crds"), b.err)
	require.Contains(t, b.out, "name: rollouts.sluice.dev")
	require.NotContains(t, b.out, "rollouts.kruise.io", "it may be Kruise's")

	require.Equal(t, ExitOK, b.run("crds", "--all"), b.err)
	require.Contains(t, b.out, "name: rollouts.sluice.dev")
	require.Contains(t, b.out, "name: rollouts.rollouts.kruise.io")
}

func TestList(t *testing.T) {
	b := newBench(t)
	b.control.rows = []control.Row{
		{Namespace: "shop", Workload: "Deployment/web", Phase: workflows.PhaseHolding, Step: 1, Revision: "7b8d4c9f55", Started: now.Add(-90 * time.Minute)},
		{Namespace: "a-namespace-with-a-long-name", Workload: "Deployment/a-workload-whose-name-is-as-long-as-it-may-be", Phase: workflows.PhaseChecking, Started: now},
	}

	require.Equal(t, ExitOK, b.run("list", "-A"))

	golden(t, "list", b.out)
	fits(t, b.out, 80)
	require.Equal(t, []control.Filter{{Cluster: "here", Limit: 100}}, b.control.filters)
}

func TestListFilters(t *testing.T) {
	cases := map[string]struct {
		args []string
		want control.Filter
		err  string
		says string
	}{
		"phase":       {[]string{"--phase", "holding"}, control.Filter{Cluster: "here", Namespace: "shop", Phase: workflows.PhaseHolding, Limit: 100}, "", "no open rollouts in phase Holding in namespace shop; add --closed for those that have ended or -A for all namespaces"},
		"ended phase": {[]string{"--phase", "Promoted"}, control.Filter{Cluster: "here", Namespace: "shop", Phase: workflows.PhasePromoted, Closed: true, Limit: 100}, "", "no rollouts in phase Promoted in namespace shop; add -A for all namespaces"},
		"baking":      {[]string{"--phase", "Baking"}, control.Filter{Cluster: "here", Namespace: "shop", Phase: workflows.PhaseBaking, Limit: 100}, "", "no open rollouts in phase Baking in namespace shop; add --closed for those that have ended or -A for all namespaces"},
		"closed":      {[]string{"--closed", "--limit", "5"}, control.Filter{Cluster: "here", Namespace: "shop", Closed: true, Limit: 5}, "", "no rollouts in namespace shop; add -A for all namespaces"},
		"unknown":     {[]string{"--phase", "Done"}, control.Filter{}, `--phase "Done": write one of Checking, Progressing`, ""},
		"no rows":     {[]string{"--limit", "0"}, control.Filter{}, "--limit 0: must be at least 1", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			code := b.run(append([]string{"list"}, tc.args...)...)
			if tc.err != "" {
				require.Equal(t, ExitError, code)
				require.Contains(t, b.err, tc.err)
				return
			}
			require.Equal(t, []control.Filter{tc.want}, b.control.filters)
			require.Equal(t, tc.says+"\n", strings.Join(strings.Fields(b.out), " ")+"\n")
		})
	}
}

// past is a rollout of yesterday.
func past() control.Past {
	s := holding()
	s.Phase, s.Message = workflows.PhaseRolledBack, "rolled back: aborted by bob: errors on checkout"
	s.Started = now.Add(-25 * time.Hour)
	closed := s.Started.Add(12 * time.Minute)
	s.Closed = &closed
	s.Decisions = []workflows.Decision{{At: closed, Verb: workflows.VerbAbort, Via: "update", By: "bob", Reason: "errors on checkout", Accepted: true, Text: "returning to stable"}}
	s.Timeline = []workflows.Event{{At: s.Started, Text: "hold the new revision"}, {At: closed, Text: s.Decisions[0].String()}}
	return control.Past{Status: s, By: "alice", Reason: "release 7", Change: "main=shop/web:v2"}
}

func TestHistory(t *testing.T) {
	open := control.Past{Status: holding(), By: "alice", Change: "main=shop/web:v3"}
	open.Run = "22222222-2222-2222-2222-222222222222"
	b := newBench(t)
	b.control.past = []control.Past{open, past()}

	require.Equal(t, ExitOK, b.run("history", "web"))
	golden(t, "history", b.out)
	fits(t, b.out, 80)

	require.Equal(t, ExitOK, b.run("history", "web", "--run", "1111", "--timeline"))
	golden(t, "history_timeline", b.out)

	require.Equal(t, ExitError, b.run("history", "web", "--run", "3"))
	require.Contains(t, b.err, `no run of Deployment/web in namespace shop of cluster here begins with "3"`)

	require.Equal(t, ExitError, b.run("history", "web", "--limit", "0"))
}

func TestBootstrap(t *testing.T) {
	b := newBench(t)
	b.control.prepared = []control.Prepared{{What: "namespace ops", Result: "there already"}, {What: "search attribute SluicePhase (Keyword)", Result: "created"}}

	require.Equal(t, ExitOK, b.run("bootstrap", "--retention", "48h"))
	require.Equal(t, "namespace ops                           there already\nsearch attribute SluicePhase (Keyword)  created\n", b.out)
	require.Equal(t, []time.Duration{48 * time.Hour}, b.control.retentions)

	b.control.err = errors.New("preparing needs an administrator")
	require.Equal(t, ExitError, b.run("bootstrap"))
	require.Contains(t, b.out, "namespace ops", "what was done is told all the same")
	require.Equal(t, "sluice: preparing needs an administrator\n", b.err)

	require.Equal(t, ExitError, b.run("bootstrap", "--retention", "1h"))
	require.Contains(t, b.err, "at least 24h0m0s")
}

func TestVersion(t *testing.T) {
	b := newBench(t)
	require.Equal(t, ExitOK, b.run("version"))
	require.Equal(t, "sluice v1.2.3\n", b.out)
	require.Equal(t, ExitOK, b.run("version", "-o", "json"))
	require.JSONEq(t, `{"version":"v1.2.3"}`, b.out)
}

func TestHelp(t *testing.T) {
	b := newBench(t)
	require.Equal(t, ExitOK, b.run())
	require.Contains(t, b.out, "promote")
	require.NotContains(t, b.out, "docs ")

	require.Equal(t, ExitError, b.run("premote"))
	require.Contains(t, b.err, `unknown command "premote" for "sluice"`)

	code := b.run("completion", "bash")
	require.Equal(t, ExitOK, code, b.err)
	require.Contains(t, b.out, "__start_sluice")
}

func TestReferenceIsUpToDate(t *testing.T) {
	const path = "../../docs/cli.md"
	text := reference(newRoot(Host{}))
	if *rewrite {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, text, string(have), "run go generate ./starter/cli")
}
