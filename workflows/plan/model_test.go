package plan_test

import (
	"fmt"
	"time"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// model is a cluster that knows only what matters for losing requests. It is
// written from the traffic contract, not from the planner, and refuses every
// operation that could lose one.
type model struct {
	// doc of the rollout, and n pods of its workload, of which stable are ready;
	// begun is how many it had.
	doc              *config.Rollout
	n, stable, begun int
	// held template and revision of the workload's pods: 0 is stable, 1.. newer.
	template, running int
	// canary pods and their revision; canaryAsked of its Deployment.
	canary, canaryAsked, canaryRev int
	// backed: the canary Service exists.
	backed bool
	// the route, as written.
	exists bool
	route  traffic.Route
	// toCanary: a gateway may follow a route that sends requests to canary; all:
	// every gateway is known to send every request there.
	toCanary, all bool
	// inCanary and inStable: requests may be in flight to that side.
	inCanary, inStable bool
	// known: every gateway has the endpoints of the workload's pods; canaryKnown:
	// and of a pod of the canary that stays.
	known       bool
	canaryKnown bool
	promoting   bool
	// halted: the workload stands where it is, with pods of two revisions.
	halted    bool
	annotated bool
	next      int
	// revising: a revision is about to take the place of another one.
	revising bool
	service
}

// mixed is what runs while one revision replaces another.
const mixed = -1

func newModel(r *config.Rollout, n int) *model {
	return &model{doc: r, n: n, stable: n, begun: n, inStable: true, known: true, next: 1, service: service{bySelector: r.BySelector(), selects: everything}}
}

func carriesTraffic(r traffic.Route) bool { return r.Weight > 0 || len(r.Matches) > 0 }

// do performs op, to its confirmation, or says how it would lose requests.
func (m *model) do(op plan.Operation) error {
	if m.running == mixed && !m.halted && m.inStable && m.canary > 0 && op.Kind != plan.HaltPromotion {
		return fmt.Errorf("%s while the workload goes on to be replaced with requests on it", op.Kind)
	}
	if err := m.write(op); err != nil {
		return err
	}
	switch op.Kind {
	case plan.EnsureCanary:
		m.canary = m.canaryAsked
	case plan.SetRoute:
		m.toCanary, m.all = carriesTraffic(op.Route), op.Route.Weight == 100
		m.canaryKnown = m.canaryKnown || op.NeedCanary > 0
	case plan.RemoveRoute:
		m.toCanary = false
	case plan.Drain:
		m.drain()
	case plan.PromoteStable, plan.RestoreTemplate:
		m.running, m.known, m.stable = m.settled(), true, m.n
	case plan.ReleaseWorkload:
		m.backed, m.annotated, m.promoting = false, false, false
	case plan.RemoveCanary:
		m.backed = false
	case plan.HoldRevision, plan.NarrowService, plan.WidenService, plan.HaltPromotion:
	}
	return nil
}

// write is the part of op that is done when its activity has only just begun to
// wait for the consequences.
func (m *model) write(op plan.Operation) error {
	switch op.Kind {
	case plan.HoldRevision:
		m.annotated = true
		m.template = m.next
	case plan.EnsureCanary:
		return m.ensureCanary(op)
	case plan.SetRoute:
		return m.setRoute(op)
	case plan.PromoteStable:
		return m.replace(m.template)
	case plan.RestoreTemplate:
		if op.Settle || m.promoting {
			return m.replace(0)
		}
		m.template = 0
	case plan.RemoveRoute:
		if m.exists && carriesTraffic(m.route) {
			return fmt.Errorf("the route is removed while it carries requests")
		}
		m.exists, m.route = false, traffic.Route{}
	case plan.ReleaseWorkload:
		if err := m.forget(); err != nil {
			return err
		}
		return m.release()
	case plan.RemoveCanary:
		return m.release()
	case plan.NarrowService:
		return m.narrow(op)
	case plan.WidenService:
		return m.widen()
	case plan.HaltPromotion:
		m.halted = true
	case plan.Drain:
	}
	return nil
}

// exposed says that the workload serves while it has pods of two revisions, which
// is better than what somebody else has left it with.
func (m *model) exposed() bool { return m.running == mixed && (m.halted || m.canary == 0) }

// settled is what the workload runs when it has nothing left to replace.
func (m *model) settled() int {
	if m.promoting {
		return m.template
	}
	return m.running
}

func (m *model) release() error {
	if m.exists {
		return fmt.Errorf("the canary goes while its route exists")
	}
	if m.inCanary {
		return fmt.Errorf("the canary goes while requests are in flight to it")
	}
	if m.mixesCanary() {
		return fmt.Errorf("the canary goes while the Service selects it")
	}
	m.canary, m.canaryAsked, m.canaryRev = 0, 0, 0
	return nil
}

func (m *model) ensureCanary(op plan.Operation) error {
	if m.bySelector && m.selects == everything && !m.all && !m.exposed() {
		return fmt.Errorf("canary pods would get requests of the Service that selects them")
	}
	busy := m.inCanary || m.toCanary
	if busy && op.Replicas < m.canary {
		return fmt.Errorf("canary shrinks from %d to %d with requests on it", m.canary, op.Replicas)
	}
	if busy && m.canaryRev != m.template {
		return fmt.Errorf("canary is replaced with requests on it")
	}
	m.canary = min(m.canary, op.Replicas)
	if m.canaryRev != m.template {
		m.canary = 0
	}
	m.canaryKnown = m.canaryKnown && m.canary > 0
	m.backed, m.canaryAsked, m.canaryRev = true, op.Replicas, m.template
	return nil
}

func (m *model) setRoute(op plan.Operation) error {
	if carriesTraffic(op.Route) && (m.canary < max(1, op.NeedCanary) || op.NeedCanary < 1) {
		return fmt.Errorf("route %v to a canary of %d, guarded by %d", op.Route, m.canary, op.NeedCanary)
	}
	if carriesTraffic(op.Route) && !m.canaryKnown {
		return fmt.Errorf("requests are routed to a canary that a gateway may not know")
	}
	if carriesTraffic(op.Route) && m.canaryRev != m.template && !m.promoting {
		return fmt.Errorf("requests are routed to a superseded revision")
	}
	if op.Route.Weight < 100 && !m.known && !m.exposed() {
		return fmt.Errorf("requests return to pods that a gateway may not know")
	}
	if err := m.serves(op.Route); err != nil {
		return err
	}
	if err := m.bears(op); err != nil {
		return err
	}
	m.exists, m.route = true, op.Route
	m.toCanary = m.toCanary || carriesTraffic(op.Route)
	m.inCanary = m.inCanary || m.toCanary
	if op.Route.Weight < 100 {
		m.all, m.inStable = false, true
	}
	return nil
}

func (m *model) drain() {
	m.inCanary = m.inCanary && m.toCanary
	m.inStable = m.inStable && !m.all
}

// replace makes the pods of the workload run a revision. Where they do already,
// nothing happens.
func (m *model) replace(revision int) error {
	if m.running == revision && m.template == revision {
		return nil
	}
	if m.inStable {
		return fmt.Errorf("the workload is replaced while requests may be in flight to it")
	}
	if m.selects != everything {
		return fmt.Errorf("the workload is replaced while its Service selects revision %d only", m.selects)
	}
	if !m.exists || m.route.Weight != 100 || m.canary < m.n {
		return fmt.Errorf("the workload is replaced without cover: route %v, canary %d of %d", m.route, m.canary, m.n)
	}
	m.template, m.running, m.promoting, m.known, m.halted = revision, mixed, true, false, false
	return nil
}

// clean says what is left behind.
func (m *model) clean() error {
	if m.running != m.template {
		return fmt.Errorf("the workload runs %d and has template %d", m.running, m.template)
	}
	if m.exists || m.backed || m.canaryAsked != 0 || m.annotated || m.marked || m.selects != everything {
		return fmt.Errorf("left behind: route %v, canary %d, annotation %v, Service %+v", m.exists, m.canary, m.annotated, m.service)
	}
	return nil
}

// doc makes a document with the given steps.
func doc(steps ...config.Step) *config.Rollout {
	return &config.Rollout{Steps: steps, Traffic: config.Traffic{Grace: config.Duration(3 * time.Second)}}
}

// step makes a step by weight.
func step(weight, replicas int) config.Step {
	return config.Step{Weight: &weight, Replicas: config.Amount{Value: replicas}}
}

// match makes a step by header.
func match(replicas int) config.Step {
	return config.Step{
		Matches:  []config.Match{{Headers: []config.ValueMatch{{Name: "user-agent", Type: config.MatchExact, Value: "android"}}}},
		Replicas: config.Amount{Value: replicas},
	}
}
