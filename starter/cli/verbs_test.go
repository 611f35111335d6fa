package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

const webID = "rollout:here:shop:Deployment:web"

func TestVerbs(t *testing.T) {
	const run = "11111111-1111-1111-1111-111111111111"
	change := &workload.Change{Images: map[string]string{"main": "shop/web:v3"}}
	cases := map[string]struct {
		args  []string
		phase workflows.Phase
		want  sent
	}{
		"promote": {
			[]string{"promote", "web", "--reason", "fine"}, workflows.PhaseHolding,
			sent{webID, workflows.VerbPromote, workflows.Message{Step: 1, Revision: "7b8d4c9f55", Run: run, By: "carol@laptop", Reason: "fine"}},
		},
		"promote early": {
			[]string{"promote", "web", "--step", "2"}, workflows.PhaseProgressing,
			sent{webID, workflows.VerbPromote, workflows.Message{Step: 2, Revision: "7b8d4c9f55", Run: run, By: "carol@laptop"}},
		},
		"promote in full": {
			[]string{"promote", "web", "--full"}, workflows.PhaseProgressing,
			sent{webID, workflows.VerbPromote, workflows.Message{Full: true, Step: 1, Revision: "7b8d4c9f55", Run: run, By: "carol@laptop"}},
		},
		"pause":  {[]string{"pause", "web", "--by", "alice"}, workflows.PhaseProgressing, sent{webID, workflows.VerbPause, workflows.Message{By: "alice"}}},
		"abort":  {[]string{"abort", "deploy/web", "--reason", "errors"}, workflows.PhaseProgressing, sent{webID, workflows.VerbAbort, workflows.Message{By: "carol@laptop", Reason: "errors"}}},
		"resume": {[]string{"resume", "web"}, workflows.PhasePaused, sent{webID, workflows.VerbResume, workflows.Message{Run: run, By: "carol@laptop"}}},
		"retry":  {[]string{"retry", "web"}, workflows.PhaseStuck, sent{webID, workflows.VerbRetry, workflows.Message{Run: run, By: "carol@laptop"}}},
		"jump": {
			[]string{"jump", "web", "--step", "2"}, workflows.PhaseHolding,
			sent{webID, workflows.VerbJump, workflows.Message{Step: 2, Revision: "7b8d4c9f55", Run: run, By: "carol@laptop"}},
		},
		"revise": {
			[]string{"revise", "web", "--image", "main=shop/web:v3"}, workflows.PhaseHolding,
			sent{webID, workflows.VerbRevise, workflows.Message{Change: change, Run: run, By: "carol@laptop"}},
		},
		"by document": {
			[]string{"pause", "-f", "testdata/rollout.yaml"}, workflows.PhaseHolding,
			sent{demoID, workflows.VerbPause, workflows.Message{By: "carol@laptop"}},
		},
		"in another namespace": {
			[]string{"pause", "sts/db", "-n", "data"}, workflows.PhaseHolding,
			sent{"rollout:here:data:StatefulSet:db", workflows.VerbPause, workflows.Message{By: "carol@laptop"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.control.status = holding()
			b.control.status.Phase = tc.phase
			b.control.answer = workflows.Answer{Text: "it is done", Step: 1, Run: run}

			require.Equal(t, ExitOK, b.run(tc.args...), b.err)

			require.Equal(t, []sent{tc.want}, b.control.sent)
			require.Equal(t, "it is done\n", b.out)
		})
	}
}

func TestUrgentVerbsLookAtNothingFirst(t *testing.T) {
	for _, verb := range []string{"abort", "pause"} {
		b := newBench(t)
		require.Equal(t, ExitOK, b.run(verb, "web"))
		require.Empty(t, b.control.ids, "the status is not asked for")
	}
}

func TestVerbsThatSendNothing(t *testing.T) {
	closed := now.Add(-time.Hour)
	cases := map[string]struct {
		args   []string
		change func(*control.Status)
		want   string
	}{
		"promote while progressing": {[]string{"promote", "web"}, func(s *control.Status) { s.Phase = workflows.PhaseProgressing }, "nothing holds: the rollout is Progressing; name a step with --step"},
		"promote while promoting":   {[]string{"promote", "web"}, func(s *control.Status) { s.Phase = workflows.PhasePromoting }, "nothing holds: the rollout is Promoting\n"},
		"promote while paused":      {[]string{"promote", "web"}, func(s *control.Status) { s.Phase = workflows.PhasePaused }, "the rollout is paused: resume it first"},
		"promote while stuck":       {[]string{"promote", "web"}, func(s *control.Status) { s.Phase, s.Failure = workflows.PhaseStuck, "no pods" }, "step 1 has failed (no pods): retry, jump, revise or abort"},
		"promote without a worker":  {[]string{"promote", "web"}, func(s *control.Status) { s.Phase, s.Note = control.PhaseUnknown, "no worker answers" }, "Unknown as far as is known (no worker answers)"},
		"retry after the end":       {[]string{"retry", "web"}, func(s *control.Status) { s.Phase, s.Closed = workflows.PhasePromoted, &closed }, "has ended (Promoted at 2026-03-01T11:00:00Z): start a new one"},
		"no name":                   {[]string{"promote"}, nil, "name the workload: `sluice promote NAME`"},
		"name and file":             {[]string{"promote", "web", "-f", "x.yaml"}, nil, "both web and -f x.yaml name the workload"},
		"unknown kind":              {[]string{"promote", "job/web"}, nil, `"job/web" is not a workload`},
		"another workflow":          {[]string{"promote", "order:1"}, nil, "is not the ID of a rollout"},
		"step zero":                 {[]string{"promote", "web", "--step", "0"}, nil, "steps are counted from 1"},
		"step and full":             {[]string{"promote", "web", "--step", "1", "--full"}, nil, "leave --step out"},
		"jump to nowhere":           {[]string{"jump", "web"}, nil, "name the step to go to"},
		"revise to nothing":         {[]string{"revise", "web"}, nil, "say what is new"},
		"two names":                 {[]string{"abort", "web", "api"}, nil, "accepts at most 1 arg"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.control.status = holding()
			if tc.change != nil {
				tc.change(&b.control.status)
			}

			require.Equal(t, ExitError, b.run(tc.args...))

			require.Contains(t, b.err, tc.want)
			require.Empty(t, b.control.sent)
		})
	}
}

func TestRefusal(t *testing.T) {
	b := newBench(t)
	b.control.status, b.control.err = holding(), &control.Refused{Text: "step 1 is promoted already"}

	require.Equal(t, ExitError, b.run("promote", "web"))

	require.Equal(t, "sluice: refused: step 1 is promoted already\n", b.err)
	require.Empty(t, b.out)
}

func TestNames(t *testing.T) {
	scope := Scope{Cluster: "here", Namespace: "shop"}
	cases := map[string]string{
		"web": webID, "deploy/web": webID, "Deployment/web": webID, "deployment.apps/web": webID, "deployments/web": webID,
		webID: webID, "ds/agent": "rollout:here:shop:DaemonSet:agent", "cloneset.apps.kruise.io/web": "rollout:here:shop:CloneSet:web",
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := idOf(name, scope)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

func TestWhoActs(t *testing.T) {
	cases := map[string]struct {
		flag string
		env  map[string]string
		want string
	}{
		"flag":    {"alice", map[string]string{"SLUICE_BY": "bob"}, "alice"},
		"ours":    {"", map[string]string{"SLUICE_BY": "bob", "GITLAB_USER_LOGIN": "carl"}, "bob"},
		"gitlab":  {"", map[string]string{"GITLAB_USER_LOGIN": "carl"}, "carl"},
		"jenkins": {"", map[string]string{"BUILD_USER_ID": "dan"}, "dan"},
		"empty":   {"", map[string]string{"SLUICE_BY": ""}, "carol@laptop"},
		"person":  {"", nil, "carol@laptop"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := &who{by: tc.flag}
			host := Host{User: func() string { return "carol@laptop" }, Env: func(n string) (string, bool) { v, ok := tc.env[n]; return v, ok }}
			require.Equal(t, tc.want, w.actor(host))
		})
	}
}

func TestJobLink(t *testing.T) {
	env := map[string]string{"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "shop/web", "GITHUB_RUN_ID": "7"}
	host := Host{Env: func(n string) (string, bool) { v, ok := env[n]; return v, ok }}
	require.Equal(t, "https://github.com/shop/web/actions/runs/7", jobLink(host))
	delete(env, "GITHUB_RUN_ID")
	require.Empty(t, jobLink(host))
}
