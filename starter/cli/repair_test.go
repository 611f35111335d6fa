package cli

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// fakeRemains is a cluster with what a test says.
type fakeRemains struct {
	marked     []preflight.Marked
	found      preflight.Remains
	err        error
	namespaces []string
	requests   []preflight.RemainsRequest
}

func (f *fakeRemains) FindMarked(_ context.Context, _ *pflag.FlagSet, namespace string) ([]preflight.Marked, error) {
	f.namespaces = append(f.namespaces, namespace)
	return f.marked, nil
}

func (f *fakeRemains) InspectRemains(_ context.Context, _ *pflag.FlagSet, request preflight.RemainsRequest) (preflight.Remains, error) {
	f.requests = append(f.requests, request)
	return f.found, f.err
}

// leftAtStep2 is what is left by a rollout that was at its second step.
func leftAtStep2() preflight.Remains {
	return preflight.Remains{
		Found: true, Held: true, Canary: true, Backed: true, Replicas: 2, Routed: true, Carries: true, Weight: 30,
		Observed: preflight.Observed{
			Ref:      release.Ref{ID: "6f1a", Service: "web", Ingress: "web", Class: "nginx", Workload: config.ObjectRef{Kind: "Deployment", Name: "web"}},
			Replicas: 5, CanaryRevision: "7b8d4c9f55", Warnings: []string{"Ingress shop/web-canary: somebody has set its weight to many"},
		},
	}
}

func markedWeb(namespace string) preflight.Marked {
	return preflight.Marked{Namespace: namespace, Workload: config.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}}
}

// terminated is a rollout that was terminated ten minutes ago.
func terminated() control.Status {
	s := holding()
	closed := now.Add(-10 * time.Minute)
	s.Phase, s.Closed = control.PhaseTerminated, &closed
	return s
}

func repairBench(t *testing.T) (*bench, *fakeRemains) {
	t.Helper()
	b, f := newBench(t), &fakeRemains{found: leftAtStep2(), marked: []preflight.Marked{markedWeb("shop")}}
	b.remains = f
	b.control.status = terminated()
	b.control.run = control.Run{ID: webID, RunID: "r2"}
	return b, f
}

func TestRepairStartsAWorkflow(t *testing.T) {
	b, f := repairBench(t)
	b.control.input = workflows.Input{Rollout: config.Rollout{
		Name: "web", Disabled: true, Paused: true, Steps: make([]config.Step, 2),
		Traffic: config.Traffic{Service: "web", Grace: config.Duration(30 * time.Second), ConfirmTimeout: config.Duration(time.Minute)},
	}}

	require.Equal(t, ExitOK, b.run("repair", "web", "--reason", "terminated by mistake", "--by", "dora"), b.err)

	require.Equal(t, "started the repair of Deployment/web in namespace shop of cluster here, run r2\n", b.out)
	require.Empty(t, f.requests, "no access to the cluster is needed")
	require.Len(t, b.control.started, 1)
	in := b.control.started[0]
	require.True(t, in.Repair)
	require.Equal(t, []string{"here", "dora", "terminated by mistake"}, []string{in.Cluster, in.By, in.Reason})
	require.Equal(t, "shop", in.Rollout.Namespace)
	require.Equal(t, config.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, in.Rollout.Workload)
	require.Equal(t, 30*time.Second, in.Rollout.Traffic.Grace.Std(), "as in the last rollout")
	require.Empty(t, in.Rollout.Steps)
	require.False(t, in.Rollout.Disabled || in.Rollout.Paused)
}

func TestRepairTakesItsTimes(t *testing.T) {
	t.Run("from a document", func(t *testing.T) {
		b, _ := repairBench(t)
		require.Equal(t, ExitOK, b.run("repair", "-f", "testdata/rollout.yaml"), b.err)
		require.Equal(t, "demo", b.control.started[0].Rollout.Workload.Name)
		require.NotZero(t, b.control.started[0].Rollout.Traffic.Grace)
	})
	t.Run("from the defaults where the history is lost", func(t *testing.T) {
		b, _ := repairBench(t)
		b.control.err = &control.NotFound{ID: webID}
		require.Equal(t, ExitOK, b.run("repair", "web"), b.err)
		in := b.control.started[0]
		require.Equal(t, config.DefaultGrace, in.Rollout.Traffic.Grace)
		require.Equal(t, config.DefaultConfirmTimeout, in.Rollout.Traffic.ConfirmTimeout)
		require.Empty(t, b.err)
	})
	t.Run("from the defaults where the history cannot be read", func(t *testing.T) {
		b, _ := repairBench(t)
		b.control.err = errors.New("unknown encoding")
		require.Equal(t, ExitOK, b.run("repair", "web"), b.err)
		require.Equal(t, config.DefaultGrace, b.control.started[0].Rollout.Traffic.Grace)
		require.Contains(t, b.err, "the last rollout cannot be read (unknown encoding)")
	})
	t.Run("never where Temporal is away", func(t *testing.T) {
		b, _ := repairBench(t)
		b.control.err = &control.Unreachable{Address: "t:7233", Cause: errors.New("refused")}
		require.Equal(t, ExitError, b.run("repair", "web"))
		require.Empty(t, b.control.started)
	})
}

func TestRepairWaits(t *testing.T) {
	ended := func(phase workflows.Phase) []update {
		s := holding()
		closed := now
		s.Phase, s.Closed, s.Message = phase, &closed, "the end"
		return []update{{status: s}}
	}
	cases := map[workflows.Phase]int{
		workflows.PhaseRolledBack: ExitOK, workflows.PhasePromoted: ExitOK, workflows.PhaseRefused: ExitError, control.PhaseTerminated: ExitError,
	}
	for phase, code := range cases {
		t.Run(string(phase), func(t *testing.T) {
			b, _ := repairBench(t)
			b.control.updates = ended(phase)
			require.Equal(t, code, b.run("repair", "web", "--wait"), b.err)
		})
	}
}

func TestRepairOfAnOpenRollout(t *testing.T) {
	cases := []struct {
		name   string
		repair bool
		args   []string
		code   int
		want   string
	}{
		{"a rollout", false, []string{"repair", "web", "--wait"}, ExitError, "a rollout of Deployment/web in namespace shop of cluster here is open already (run r1): it is not lost, and nothing was done"},
		{"a repair", true, []string{"repair", "web"}, ExitError, "it is a repair; --wait waits for it"},
		{"a repair that is waited for", true, []string{"repair", "web", "--wait"}, ExitOK, "runs already: waiting for it"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b, _ := repairBench(t)
			b.control.startErr = &control.AlreadyRunning{Run: control.Run{ID: webID, RunID: "r1"}}
			b.control.input = workflows.Input{Repair: c.repair}
			done := holding()
			done.Phase = workflows.PhaseRolledBack
			b.control.updates = []update{{status: done}}
			require.Equal(t, c.code, b.run(c.args...), b.err)
			require.Contains(t, b.err, c.want)
		})
	}
}

func TestRepairDryRun(t *testing.T) {
	b, f := repairBench(t)
	require.Equal(t, ExitOK, b.run("repair", "web", "--dry-run"), b.err)
	golden(t, "repair", b.out)
	fits(t, b.out, 80)
	require.Empty(t, b.control.started)
	require.Equal(t, []preflight.RemainsRequest{{Namespace: "shop", Workload: markedWeb("shop").Workload, WorkflowID: webID}}, f.requests)

	f.found.Promoting, f.found.Promoted, f.found.Weight = true, true, 100
	require.Equal(t, ExitOK, b.run("repair", "web", "--dry-run"), b.err)
	require.Contains(t, b.out, "on to the new revision")

	b.control.status = holding()
	require.Equal(t, ExitOK, b.run("repair", "web", "--dry-run"), b.err)
	require.Contains(t, b.err, "is open (Holding): it is not lost, and a repair would be refused")

	require.Equal(t, ExitOK, b.run("repair", "web", "--dry-run", "-o", "json"))
	require.Contains(t, b.out, `"kind": "set-route"`)

	f.found = preflight.Remains{}
	require.Equal(t, ExitError, b.run("repair", "web", "--dry-run"))
	require.Contains(t, b.err, "no rollout has left anything on the workload")
}

func TestRepairLists(t *testing.T) {
	b, f := repairBench(t)
	require.Equal(t, ExitOK, b.run("repair"), b.err)
	golden(t, "repair_list", b.out)
	require.Equal(t, []string{"shop"}, f.namespaces)

	b.control.status = holding()
	require.Equal(t, ExitOK, b.run("repair", "-A"), b.err)
	require.Contains(t, b.out, "open (Holding)")
	require.Equal(t, []string{"shop", ""}, f.namespaces)

	b.control.statusErr = &control.NotFound{ID: webID}
	f.err = errors.New("repairing Deployment shop/web is refused, nothing was touched: several rollouts have left something")
	require.Equal(t, ExitOK, b.run("repair"), b.err)
	require.Contains(t, b.out, "unknown to Temporal")
	require.Contains(t, b.out, "several rollouts have left")

	f.marked = nil
	require.Equal(t, ExitOK, b.run("repair"), b.err)
	require.Equal(t, "no rollout has left anything\n", b.out)
	require.Equal(t, ExitOK, b.run("repair", "-o", "json"), b.err)
	require.JSONEq(t, "[]", b.out)
	require.Empty(t, b.control.started)
}

func TestRepairAll(t *testing.T) {
	b, f := repairBench(t)
	f.marked = []preflight.Marked{markedWeb("shop"), markedWeb("store")}
	require.Equal(t, ExitOK, b.run("repair", "--all", "-A"), b.err)
	require.Len(t, b.control.started, 2)
	require.Equal(t, "store", b.control.started[1].Rollout.Namespace)

	b.control.started, b.control.status = nil, holding()
	require.Equal(t, ExitOK, b.run("repair", "--all"), b.err)
	require.Empty(t, b.control.started)
	require.Equal(t, "nothing to repair\n", b.out)
	require.Contains(t, b.err, "is open (Holding): left alone")

	b.control.status, b.control.startErr = terminated(), errors.New("no")
	require.Equal(t, ExitError, b.run("repair", "--all"))
	require.Contains(t, b.err, "repairing Deployment/web in namespace store of cluster here: no")
}

func TestRepairIsUsedWrongly(t *testing.T) {
	cases := map[string][]string{
		"name no workload":    {"repair", "web", "--all"},
		"leave --wait out":    {"repair", "web", "--dry-run", "--wait"},
		"name the workload":   {"repair", "--dry-run"},
		"--wait is for":       {"repair", "--wait"},
		"give one of them":    {"repair", "web", "-f", "x"},
		"is not a workload":   {"repair", "job/web"},
		"accepts at most 1 a": {"repair", "web", "shop"},
	}
	for want, args := range cases {
		t.Run(want, func(t *testing.T) {
			b, _ := repairBench(t)
			require.Equal(t, ExitError, b.run(args...))
			require.Contains(t, b.err, want)
			require.Empty(t, b.control.started)
		})
	}
}
