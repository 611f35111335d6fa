package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// warningsOf returns the findings in a document as lines.
func warningsOf(t *testing.T, document string, replicas int) []string {
	t.Helper()
	r, err := ParseOne([]byte(document), Options{})
	require.NoError(t, err)
	var lines []string
	for _, f := range Warnings(r, replicas) {
		lines = append(lines, string(f.Severity)+": "+f.Error())
	}
	return lines
}

func TestWarnings(t *testing.T) {
	const (
		implicit = "info: spec.strategy.canary.steps[1]: after this step follows the implicit step to 100 %"
		two      = "a route should have at least 2 pods behind it: the loss of one is then no outage; write at least 2"
	)
	// What the steps of the base document lack on 5 pods, and on who knows how many.
	lonely := "warning: spec.strategy.canary.steps[0].replicas: 1 pod for canary; " + two
	maybe := lonely + ", unless the workload has one pod"
	cases := []struct {
		name, document, old, new string
		replicas                 int
		want                     []string
	}{
		{"size not known", betaDocument, "", "", 0, []string{maybe, implicit}},
		{"one pod has no second", betaDocument, "", "", 1, []string{implicit}},
		{"one pod behind a route", betaDocument, "", "", 5, []string{lonely, implicit}},
		{"one pod behind a match", betaDocument, "- traffic: 10%", "- matches: [{headers: [{name: a, value: b}]}]", 5, []string{
			lonely,
			"info: spec.strategy.canary.steps[1]: the matches of the step before end here: its users are treated as all others; repeat the matches to keep them on canary",
			implicit,
		}},
		{"too few for the weight", alphaDocument, "replicas: 2", "replicas: 20", 200, []string{
			"warning: spec.strategy.canary.steps[0].replicas: 1 pod for canary; weight 10 of a workload of 200 pods asks for 22 with 10 % headroom; write at least 22",
			"warning: spec.strategy.canary.steps[1].replicas: 20 pods for canary; weight 20 of a workload of 200 pods asks for 44 with 10 % headroom; write at least 44",
			implicit,
		}},
		{"weight stays", betaDocument, "traffic: 20%", "traffic: 10%", 0, []string{
			maybe,
			"warning: spec.strategy.canary.steps[1].traffic: weight 10 is not above the 10 of the step before", implicit,
		}},
		{"weight stays, alpha", alphaDocument, "weight: 20", "weight: 10", 0, []string{
			maybe,
			"warning: spec.strategy.canary.steps[1].weight: weight 10 is not above the 10 of the step before", implicit,
		}},
		{"fewer pods", betaDocument, "replicas: 1", "replicas: 50%", 10, []string{
			"warning: spec.strategy.canary.steps[1].replicas: 2 pods for canary; weight 20 of a workload of 10 pods asks for 3 with 10 % headroom; write at least 3",
			"warning: spec.strategy.canary.steps[1].replicas: of 10 pods, 2 are fewer than 50% of the step before", implicit,
		}},
		{"no requests", betaDocument, "traffic: 10%\n        replicas: 1", "replicas: 1", 5, []string{
			"info: spec.strategy.canary.steps[0]: no requests go to canary in this step; write traffic or matches to route some", implicit,
		}},
		{"full last step", betaDocument, "traffic: 20%\n        replicas: 2", "traffic: 100%\n        replicas: 100%", 0, []string{maybe}},
		{"full last step by number", betaDocument, "traffic: 20%\n        replicas: 2", "traffic: 100%\n        replicas: 1", 1, nil},
		{"no grace", betaDocument, "service: web", "service: web\n        gracePeriodSeconds: 0", 0, []string{
			maybe,
			implicit,
			"warning: spec.strategy.canary.trafficRoutings[0].gracePeriodSeconds: requests in flight may be cut off; write at least 1 second, better the time of the longest request",
		}},
		{"browser", betaDocument, "replicas: 1", "replicas: 1\n        matches: [{headers: [{name: User-Agent, value: android}]}]", 0, []string{
			maybe,
			`warning: spec.strategy.canary.steps[0].matches[0].headers[0].value: no browser sends this as its whole user-agent: only clients made for it are matched; for real devices write type: RegularExpression and a value such as "(?i)android"`,
			"info: spec.strategy.canary.steps[1]: the matches of the step before end here: its users are treated as all others; repeat the matches to keep them on canary",
			implicit,
		}},
		{"short deadline", ownDocument, "replicas: 1", "replicas: 1\n        deadline: 30s", 0, []string{
			maybe,
			"warning: spec.strategy.canary.steps[0].deadline: the deadline of 30s is not longer than the 1m0s that confirming one change may take; write a longer deadline",
			implicit,
		}},
		{"disabled", betaDocument, "spec:\n", "spec:\n  disabled: true\n", 0, []string{
			"info: spec.disabled: the document is disabled: no rollout starts", maybe, implicit,
		}},
		{"paused", betaDocument, "strategy:\n", "strategy:\n    paused: true\n", 0, []string{
			"info: spec.strategy.paused: the rollout waits before its first operation until it is resumed", maybe, implicit,
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, warningsOf(t, edit(t, c.document, c.old, c.new), c.replicas))
		})
	}
}

func TestConflicts(t *testing.T) {
	a, err := ParseOne([]byte(betaDocument), Options{})
	require.NoError(t, err)
	b := a
	b.Name = "other"
	require.Len(t, Conflicts([]Rollout{a, b}), 1)
	require.ErrorContains(t, Conflicts([]Rollout{a, b})[0], "other: spec.workloadRef: This rollout conflict with Rollout(default/web), one workload only have less than one Rollout")
	b.Namespace = "elsewhere"
	require.Empty(t, Conflicts([]Rollout{a, b}))
	b = a
	b.Workload.Name = "api"
	require.ErrorContains(t, Conflicts([]Rollout{a, b})[0], "two Rollouts have this name")
}

func TestValidateUpdate(t *testing.T) {
	running, err := ParseOne([]byte(betaDocument), Options{})
	require.NoError(t, err)
	cases := []struct {
		name   string
		change func(*Rollout)
		want   string
	}{
		{"nothing", func(*Rollout) {}, ""},
		{"weights and holds", func(r *Rollout) { r.Steps[0].Weight = new(15); r.Steps[0].Hold = Hold{Mode: HoldNone} }, ""},
		{"grace", func(r *Rollout) { r.Traffic.Grace = 0 }, ""},
		{"workload", func(r *Rollout) { r.Workload.Name = "other" }, "Rollout 'ObjectRef' field is immutable"},
		{"service", func(r *Rollout) { r.Traffic.Service = "other" }, "Rollout 'Strategy.Canary|BlueGreen.TrafficRoutings' field is immutable"},
		{"ingress", func(r *Rollout) { r.Traffic.Ingress.Class = "mse" }, "Rollout 'Strategy.Canary|BlueGreen.TrafficRoutings' field is immutable"},
		{"isolation", func(r *Rollout) { r.Isolation = IsolateBySelector }, "the isolation of canary pods is immutable"},
		{"steps", func(r *Rollout) { r.Steps = r.Steps[:1] }, "Amount of Rollout steps are immutable"},
		{"steps of our own version", func(r *Rollout) { r.Steps = r.Steps[:1]; r.Source = "sluice.dev/v1alpha1" }, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			next := running
			next.Steps = append([]Step(nil), running.Steps...)
			c.change(&next)
			err := ValidateUpdate(running, next)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}
