package plan_test

import (
	"fmt"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// service is the user's Service in the model, in selector mode: canary pods have
// every label that it selects by.
type service struct {
	bySelector bool
	// selects a revision of the workload's pods, or everything: those of the
	// canary too. marked: it has our record.
	selects int
	marked  bool
}

// everything is the user's own selector.
const everything = -2

// mixesCanary says that canary pods are among the endpoints of the Service
// beside others.
func (m *model) mixesCanary() bool {
	return m.bySelector && m.selects == everything && m.canary > 0
}

// narrow lets the Service select one revision. A write that is to change none of
// the endpoints must not; any other needs pods that are left.
func (m *model) narrow(op plan.Operation) error {
	revision := 0
	if op.Side == release.SideNew {
		revision = m.template
	}
	switch {
	case m.running != revision:
		return fmt.Errorf("the Service is narrowed to revision %d, and pods run %d", revision, m.running)
	case op.Keep && m.mixesCanary():
		return fmt.Errorf("a narrowing that should change nothing takes %d endpoints away", m.canary)
	case !op.Keep && op.NeedStable < 1:
		return fmt.Errorf("a narrowing without a guard")
	}
	m.selects, m.marked = revision, true
	return nil
}

// widen gives the Service its own selector back.
func (m *model) widen() error {
	if m.selects != everything && m.canaryAsked > 0 && !m.all {
		return fmt.Errorf("the Service is widened and sends requests to %d canary pods", m.canaryAsked)
	}
	m.selects, m.marked = everything, true
	return nil
}

// serves refuses a route that needs the Service while it selects the canary, or
// nobody.
func (m *model) serves(route traffic.Route) error {
	switch {
	case route.Weight == 100, m.exposed():
		return nil
	case m.mixesCanary():
		return fmt.Errorf("requests for stable reach %d canary pods through the Service", m.canary)
	case m.selects != everything && m.selects != m.running:
		return fmt.Errorf("requests reach a Service that selects revision %d, and pods run %d", m.selects, m.running)
	}
	return nil
}

// forget takes our record from the Service.
func (m *model) forget() error {
	if m.selects != everything {
		return fmt.Errorf("the Service is left narrowed to revision %d", m.selects)
	}
	m.marked = false
	return nil
}

// remember adds what the Service says to what the cluster says.
func (m *model) remember(r *preflight.Remains) {
	if m.bySelector && (m.annotated || m.marked) {
		r.Observed.Ref.Isolation.Mode = config.IsolateBySelector
	}
	r.Narrowed = m.marked
	switch m.selects {
	case everything:
	case 0:
		r.Selects = release.SideStable
	case m.template:
		r.Selects = release.SideNew
	}
}
