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
	n int
	// held template and revision of the workload's pods: 0 is stable, 1.. newer.
	template, running int
	// canary pods and their revision.
	canary, canaryRev int
	// the route, as written and as the gateway follows it.
	exists bool
	route  traffic.Route
	// inCanary and inStable: requests may be in flight to that side.
	inCanary, inStable bool
	promoting          bool
	annotated          bool
	next               int
}

func newModel(n int) *model { return &model{n: n, inStable: true, next: 1} }

func carriesTraffic(r traffic.Route) bool { return r.Weight > 0 || len(r.Matches) > 0 }

// do performs op or says how it would lose requests.
func (m *model) do(op plan.Operation) error {
	switch op.Kind {
	case plan.HoldRevision:
		m.annotated = true
		m.template = m.next
	case plan.EnsureCanary:
		return m.ensureCanary(op)
	case plan.SetRoute:
		return m.setRoute(op)
	case plan.Drain:
		m.drain()
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
		if m.exists {
			return fmt.Errorf("the canary goes while its route exists")
		}
		if m.inCanary {
			return fmt.Errorf("the canary goes while requests are in flight to it")
		}
		m.canary, m.canaryRev, m.annotated = 0, 0, false
	}
	return nil
}

func (m *model) ensureCanary(op plan.Operation) error {
	busy := m.inCanary || (m.exists && carriesTraffic(m.route))
	if busy && op.Replicas < m.canary {
		return fmt.Errorf("canary shrinks from %d to %d with requests on it", m.canary, op.Replicas)
	}
	if busy && m.canaryRev != m.template {
		return fmt.Errorf("canary is replaced with requests on it")
	}
	m.canary, m.canaryRev = op.Replicas, m.template
	return nil
}

func (m *model) setRoute(op plan.Operation) error {
	if carriesTraffic(op.Route) && (m.canary < max(1, op.NeedCanary) || op.NeedCanary < 1) {
		return fmt.Errorf("route %v to a canary of %d, guarded by %d", op.Route, m.canary, op.NeedCanary)
	}
	if carriesTraffic(op.Route) && m.canaryRev != m.template && !m.promoting {
		return fmt.Errorf("requests are routed to a superseded revision")
	}
	m.exists, m.route = true, op.Route
	m.inCanary = m.inCanary || carriesTraffic(op.Route)
	m.inStable = m.inStable || op.Route.Weight < 100
	return nil
}

func (m *model) drain() {
	if !m.exists || !carriesTraffic(m.route) {
		m.inCanary = false
	}
	if m.exists && m.route.Weight == 100 {
		m.inStable = false
	}
}

// replace makes the pods of the workload run a revision.
func (m *model) replace(revision int) error {
	if m.inStable {
		return fmt.Errorf("the workload is replaced while requests may be in flight to it")
	}
	if !m.exists || m.route.Weight != 100 || m.canary < m.n {
		return fmt.Errorf("the workload is replaced without cover: route %v, canary %d of %d", m.route, m.canary, m.n)
	}
	m.template, m.running, m.promoting = revision, revision, true
	return nil
}

// clean says what is left behind.
func (m *model) clean() error {
	if m.exists || m.canary != 0 || m.annotated {
		return fmt.Errorf("left behind: route %v, canary %d, annotation %v", m.exists, m.canary, m.annotated)
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
