package config

import (
	"time"

	own "sluice.dev/sluice/config/v1alpha1"
)

// What holds where a document says nothing.
const (
	// DefaultNamespace is used where neither document nor caller names one.
	DefaultNamespace = "default"
	// DefaultClass of an Ingress, as in Kruise.
	DefaultClass = "nginx"
	// DefaultGrace is Kruise's; an explicit 0 is honoured.
	DefaultGrace = Duration(3 * time.Second)
	// DefaultConfirmTimeout is generous: gateways take seconds, not minutes.
	DefaultConfirmTimeout = Duration(time.Minute)
	// DefaultDeadline of a step.
	DefaultDeadline = Duration(10 * time.Minute)
	// DefaultOnFailure never moves traffic without a person.
	DefaultOnFailure = FailurePause
	// DefaultIsolation writes to no Service of the user.
	DefaultIsolation = IsolateByLabel
	// DefaultOnDrift asks a person.
	DefaultOnDrift = DriftPause
	// DefaultHeadroom in percent: losing one pod, or a weight that is kept only on
	// average, overloads neither side.
	DefaultHeadroom = 10
)

// setDefaults fills in what the document leaves out, except for replicas
// (amountOf) and holds (holdOf), which depend on other fields.
func setDefaults(d *draft) {
	spec := &d.doc.Spec
	if spec.Deadline == nil {
		spec.Deadline = new(own.Period(DefaultDeadline))
	}
	if spec.OnFailure == nil {
		spec.OnFailure = new(string(DefaultOnFailure))
	}
	if spec.OnDrift == nil {
		spec.OnDrift = new(string(DefaultOnDrift))
	}
	if spec.Capacity == nil {
		spec.Capacity = &own.Capacity{}
	}
	if spec.Capacity.Headroom == nil {
		spec.Capacity.Headroom = new(int32(DefaultHeadroom))
	}
	canary := spec.Strategy.Canary
	if canary == nil {
		return
	}
	if canary.EnableExtraWorkloadForCanary == nil {
		canary.EnableExtraWorkloadForCanary = new(true)
	}
	if canary.Isolation == nil {
		canary.Isolation = new(string(DefaultIsolation))
	}
	for i := range canary.TrafficRoutings {
		route := &canary.TrafficRoutings[i]
		if route.GracePeriodSeconds == nil {
			route.GracePeriodSeconds = new(int32(DefaultGrace.Std() / time.Second))
		}
		if route.ConfirmTimeout == nil {
			route.ConfirmTimeout = new(own.Period(DefaultConfirmTimeout))
		}
		if route.Ingress != nil && route.Ingress.ClassType == "" {
			route.Ingress.ClassType = d.legacyClass(i)
		}
	}
}

// legacyClass returns the class that the first releases of v1alpha1 wrote
// beside the Ingress, or the default.
func (d *draft) legacyClass(route int) string {
	if route < len(d.legacy.routeTypes) && d.legacy.routeTypes[route] != "" {
		return d.legacy.routeTypes[route]
	}
	return DefaultClass
}

// holdOf returns what a step waits for. As in Kruise, a pause without duration
// waits for a person, also where it is left out, and a last step that says
// "100%" does not wait; an explicit hold is taken at its word.
func holdOf(step own.Step, last bool) Hold {
	switch {
	case step.Analysis != nil && step.Hold == nil && step.Pause == nil:
		return Hold{Mode: HoldNone} // metrics alone decide
	case step.Hold != nil:
		return Hold{Mode: HoldMode(step.Hold.Mode), Duration: Duration(step.Hold.Duration)}.settled()
	case last && isAll(step):
		return Hold{Mode: HoldNone}
	case step.Pause == nil || step.Pause.Duration == nil:
		return Hold{Mode: HoldApproval}
	default:
		return Hold{Mode: HoldTimed, Duration: Duration(*step.Pause.Duration)}.settled()
	}
}

// isAll tells a step of 100 % from one that names as many pods.
func isAll(step own.Step) bool {
	amount, ok := amountOf(step)
	return ok && amount.all()
}

// settled turns a timed hold of no time into none.
func (h Hold) settled() Hold {
	if h.Mode == HoldTimed && h.Duration == 0 {
		return Hold{Mode: HoldNone}
	}
	return h
}
