package preview

import (
	"fmt"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
	"sluice.dev/sluice/workflows/plan"
)

// Plan is everything that a rollout would do.
type Plan struct {
	Cluster   string           `json:"cluster"`
	Namespace string           `json:"namespace"`
	Name      string           `json:"name"`
	Workload  config.ObjectRef `json:"workload"`
	// Replicas of the workload, and Ready ones.
	Replicas int `json:"replicas"`
	Ready    int `json:"ready"`

	StableRevision string            `json:"stableRevision"`
	Revision       string            `json:"revision"`
	StableImages   map[string]string `json:"stableImages,omitempty"`
	Images         map[string]string `json:"images,omitempty"`

	// Confirm says how changes of the route would be confirmed.
	Confirm string `json:"confirm,omitempty"`

	// Stages are the steps and the promotion at the end.
	Stages []Stage `json:"stages"`
	// Analyses by which it would be decided.
	Analyses []Analysis `json:"analyses,omitempty"`
	// Objects that would be touched.
	Objects []Object `json:"objects"`
	// Warnings of the preflight, and Findings about the document.
	Warnings []string         `json:"warnings,omitempty"`
	Findings []config.Finding `json:"findings,omitempty"`
}

// Stage is one step, or the promotion that follows the last one.
type Stage struct {
	// Step from 1, of Steps.
	Step  int `json:"step"`
	Steps int `json:"steps"`
	// Operations in order.
	Operations []Operation `json:"operations"`
	// Hold at the end: "approval", a duration or "none".
	Hold string `json:"hold"`
	// Bake at the end, instead of a hold.
	Bake *config.Duration `json:"bake,omitempty"`
	// Metrics that have to pass, by name.
	Metrics string `json:"metrics,omitempty"`
	// Deadline of the operations.
	Deadline config.Duration `json:"deadline"`
}

// Operation is one operation and how the world is after it.
type Operation struct {
	plan.Operation
	// What it does, in words, what it Needs before it writes, and what has to be
	// so before the next one begins.
	What  string `json:"what"`
	Needs string `json:"needs,omitempty"`
	Waits string `json:"waitsUntil,omitempty"`
	// Objects that it writes.
	Objects []string `json:"objects"`
	// Stable and Canary pods afterwards, and the Weight and Matches of canary.
	Stable  int    `json:"stablePods"`
	Canary  int    `json:"canaryPods"`
	Weight  int    `json:"weight"`
	Matches string `json:"matches,omitempty"`
}

// Object is something that would be touched.
type Object struct {
	Name   string `json:"name"`
	Action string `json:"action"`
}

// maxOperations is more than any rollout needs; a planner that never ends is a
// bug that should not hang a terminal.
const maxOperations = 10_000

// Make simulates the rollout of a document for what the preflight has observed.
func Make(cluster string, doc *config.Rollout, observed preflight.Observed) (Plan, error) {
	p := Plan{
		Cluster: cluster, Namespace: doc.Namespace, Name: doc.Name, Workload: doc.Workload,
		Replicas: observed.Replicas, Ready: observed.Ready,
		StableRevision: observed.StableRevision, Revision: observed.CanaryRevision,
		StableImages: observed.StableImages, Images: observed.CanaryImages,
		Confirm:  observed.Confirm,
		Objects:  objects(observed),
		Warnings: observed.Warnings, Findings: config.Warnings(*doc, observed.Replicas),
	}
	s := &simulation{doc: doc, observed: observed, world: plan.Before(observed)}
	var err error
	if p.Analyses, err = analyses(doc, observed); err != nil {
		return p, err
	}
	steps := len(doc.Steps) + 1
	for i := range steps {
		stage := Stage{Step: i + 1, Steps: steps, Hold: string(config.HoldNone), Deadline: doc.StepDeadline(i)}
		next := func() []plan.Operation { return plan.Finish(doc, s.world) }
		if i < len(doc.Steps) {
			stage.Hold = holdText(doc.Steps[i].Hold)
			next = func() []plan.Operation { return plan.Step(doc, s.world, i) }
			if doc.Steps[i].Analysis != nil {
				stage.Metrics = workflows.MetricNames(doc.Steps[i].Analysis)
			}
		} else if doc.Bake != nil {
			if err := s.bake(&p, stage); err != nil {
				return p, err
			}
		}
		operations, err := s.run(next)
		if err != nil {
			return p, fmt.Errorf("planning step %d: %w", i+1, err)
		}
		stage.Operations = operations
		p.Stages = append(p.Stages, stage)
	}
	return p, nil
}

// bake adds the stage before the promotion, at whose end all requests go to
// canary and the old revision is kept ready.
func (s *simulation) bake(p *Plan, stage Stage) error {
	operations, err := s.run(func() []plan.Operation { return plan.Step(s.doc, s.world, len(s.doc.Steps)) })
	if err != nil {
		return fmt.Errorf("planning the bake: %w", err)
	}
	stage.Operations, stage.Bake = operations, &s.doc.Bake.Duration
	if s.doc.Bake.Analysis != nil {
		stage.Metrics = workflows.MetricNames(s.doc.Bake.Analysis)
	}
	p.Stages = append(p.Stages, stage)
	return nil
}

func holdText(h config.Hold) string {
	if h.Mode == config.HoldTimed {
		return h.Duration.String()
	}
	return string(h.Mode)
}

// simulation does operations by taking them as done.
type simulation struct {
	doc      *config.Rollout
	observed preflight.Observed
	world    plan.World
}

// run does what is next until nothing is, planning again after each operation as
// the workflow does.
func (s *simulation) run(next func() []plan.Operation) ([]Operation, error) {
	var done []Operation
	for ops := next(); len(ops) > 0; ops = next() {
		if len(done) == maxOperations {
			return nil, fmt.Errorf("more than %d operations: please report this", maxOperations)
		}
		op := ops[0]
		from := s.world
		s.world = s.world.Begin(op).Done(op)
		done = append(done, s.describe(op, from))
	}
	return done, nil
}

// describe says what an operation does and how the world is after it.
func (s *simulation) describe(op plan.Operation, from plan.World) Operation {
	route := s.world.Confirmed
	return Operation{
		Operation: op,
		What:      what(op, from), Needs: needs(op), Waits: s.waits(op), Objects: touched(op, s.observed),
		Stable: s.world.Replicas, Canary: s.world.Canary,
		Weight: route.Weight, Matches: config.MatchesText(route.Matches),
	}
}

// routeText says in words which requests go to canary.
func routeText(route traffic.Route) string {
	text := fmt.Sprintf("%d%%", route.Weight)
	if m := config.MatchesText(route.Matches); m != "" {
		text += " and " + m
	}
	return text
}
