package chaos

import (
	"slices"
	"time"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// Scenario is a rollout and what people do at its holds.
type Scenario struct {
	// Name of the scenario, and About what it is.
	Name string
	// Pods of the workload.
	Pods int
	// Autoscaled: a HorizontalPodAutoscaler scales it.
	Autoscaled bool
	// Steps of the document, how canary pods are kept apart, and the probe that
	// changes are confirmed by; without one it is the state of the gateway, or its
	// grace.
	Steps     []config.Step
	Isolation config.Isolation
	Probe     *config.Probe
	// Holds is what is done at the first hold, the second, and so on; at all
	// others the step is promoted.
	Holds []Act
	// Promoting is done a while after the promotion has begun; may be empty.
	Promoting Act
}

// Act is what a person does.
type Act struct {
	Verb workflows.Verb
	// Step of a jump, from 1; Full of a promotion.
	Step int
	Full bool
	// Scale is the size to which the workload is scaled, before anything else.
	Scale int
}

// version returns the image of a revision.
func version(v string) string { return "version:" + v }

// change is the new revision as a document of the client says it.
func change(v string) workload.Change {
	return workload.Change{Images: map[string]string{"main": version(v)}}
}

// message returns what is sent for an act.
func (a Act) message() workflows.Message {
	m := workflows.Message{Step: a.Step, Full: a.Full, By: "chaos"}
	if a.Verb == workflows.VerbRevise {
		c := change("v3")
		m.Change = &c
	}
	return m
}

// weighted is a step by weight that waits for a person.
func weighted(weight, pods int) config.Step {
	return config.Step{Weight: &weight, Replicas: config.Amount{Value: pods}, Hold: config.Hold{Mode: config.HoldApproval}}
}

// matched is a step for those who send a header.
func matched(pods int) config.Step {
	return config.Step{
		Matches:  []config.Match{{Headers: []config.ValueMatch{{Name: "user-agent", Type: config.MatchExact, Value: "android"}}}},
		Replicas: config.Amount{Value: pods}, Hold: config.Hold{Mode: config.HoldApproval},
	}
}

// Scenarios are all transitions that exist. The first is the seed's canary, the
// second the seed's A/B test.
func Scenarios() []Scenario {
	canary := []config.Step{weighted(10, 1), weighted(30, 2)}
	ab := []config.Step{matched(2)}
	timed := weighted(20, 1)
	timed.Hold = config.Hold{Mode: config.HoldTimed, Duration: config.Duration(10 * time.Second)}
	mixed := matched(2)
	mixed.Weight = new(20)
	promote, abort := Act{Verb: workflows.VerbPromote}, Act{Verb: workflows.VerbAbort}
	jump := Act{Verb: workflows.VerbJump, Step: 1}
	revise := Act{Verb: workflows.VerbRevise}
	byVersion := &config.Probe{Path: path, Header: "X-Version", Equals: "{tag}"}
	byPod := &config.Probe{Path: path, Header: "X-Pod", Equals: "{pod}"}
	byDifference := &config.Probe{Path: path, Header: "X-Version"}
	return append([]Scenario{
		{Name: "canary", Pods: 5, Steps: canary},
		{Name: "ab", Pods: 5, Steps: ab},
		{Name: "canary-abort", Pods: 5, Steps: canary, Holds: []Act{promote, abort}},
		{Name: "canary-jump-back", Pods: 5, Steps: canary, Holds: []Act{promote, jump}},
		{Name: "canary-revise", Pods: 5, Steps: canary, Holds: []Act{promote, revise}},
		{Name: "canary-scale", Pods: 3, Steps: canary, Holds: []Act{{Verb: workflows.VerbPromote, Scale: 6}}},
		{Name: "canary-full", Pods: 2, Steps: canary, Holds: []Act{{Verb: workflows.VerbPromote, Full: true}}},
		{Name: "canary-timed", Pods: 3, Steps: []config.Step{timed}},
		{Name: "one-pod", Pods: 1, Steps: canary[:1]},
		{Name: "abort-promotion", Pods: 5, Steps: canary[:1], Promoting: abort},
		{Name: "ab-abort", Pods: 5, Steps: ab, Holds: []Act{abort}},
		{Name: "ab-revise", Pods: 4, Steps: ab, Holds: []Act{revise}},
		{Name: "ab-then-weight", Pods: 4, Steps: []config.Step{ab[0], mixed, canary[1]}},
		{Name: "selector", Pods: 5, Steps: canary, Isolation: config.IsolateBySelector},
		{Name: "selector-abort", Pods: 5, Steps: canary, Isolation: config.IsolateBySelector, Holds: []Act{promote, abort}},
		{Name: "selector-abort-promotion", Pods: 5, Steps: canary[:1], Isolation: config.IsolateBySelector, Promoting: abort},
		{Name: "selector-ab", Pods: 4, Steps: ab, Isolation: config.IsolateBySelector},
		{Name: "selector-one-pod", Pods: 1, Steps: canary[:1], Isolation: config.IsolateBySelector},
		{Name: "probe", Pods: 5, Steps: canary, Probe: byVersion},
		{Name: "probe-ab", Pods: 4, Steps: ab, Probe: byDifference},
		{Name: "probe-abort", Pods: 4, Steps: canary, Probe: byPod, Holds: []Act{promote, abort}},
		{Name: "probe-pod", Pods: 4, Steps: canary, Probe: byPod},
		{Name: "selector-revise", Pods: 4, Steps: canary[:1], Isolation: config.IsolateBySelector, Holds: []Act{revise}},
	}, slices.Concat(scaled(), autoscaled())...)
}

// document is the document of a scenario.
func (s Scenario) document(namespace string) config.Rollout {
	confirm := config.Confirm{Probe: s.Probe}
	if s.Probe != nil {
		confirm.Level = config.ConfirmProbe
	}
	return config.Rollout{
		Source: "chaos", Name: "demo", Namespace: namespace,
		Workload: config.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "demo"},
		Steps:    s.Steps, Isolation: s.Isolation,
		Deadline:  config.Duration(10 * time.Minute),
		OnFailure: config.FailurePause,
		OnDrift:   config.DriftEnforce,
		Traffic: config.Traffic{
			Service: "demo", Ingress: config.IngressRef{Name: "demo", Class: "nginx"},
			Grace: config.Duration(3 * time.Second), ConfirmTimeout: config.Duration(2 * time.Minute),
			Confirm: confirm,
		},
	}
}
