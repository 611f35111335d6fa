package proc

import "time"

// State is what a part does at present.
type State string

// The states of a part. A program goes from waiting over starting to ready; a
// task ends in done.
const (
	Waiting  State = "waiting"
	Starting State = "starting"
	Ready    State = "ready"
	Done     State = "done"
	Frozen   State = "frozen"
	Stopping State = "stopping"
	Stopped  State = "stopped"
	Failed   State = "failed"
)

// PartStatus is what is known of a part.
type PartStatus struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// PID is the process in the sandbox's process namespace, 0 if none runs.
	PID int `json:"pid,omitempty"`
	// Healthy is what the part's probe said when the status was asked for.
	Healthy bool `json:"healthy"`
	// Detail says why a part failed or is not healthy.
	Detail string `json:"detail,omitempty"`
	// Started is when the process was started, and ReadyAfter how long it then
	// took to become ready.
	Started    time.Time     `json:"started,omitzero"`
	ReadyAfter time.Duration `json:"readyAfter,omitempty"`
}

// Phase is the state of a sandbox as a whole.
type Phase string

// The phases of a sandbox.
const (
	// PhaseStarting: not every part has been ready yet.
	PhaseStarting Phase = "starting"
	// PhaseReady: every part is ready.
	PhaseReady Phase = "ready"
	// PhaseDegraded: it was ready, and now a part is not.
	PhaseDegraded Phase = "degraded"
	// PhaseFailed: a part failed before all were ready.
	PhaseFailed Phase = "failed"
	// PhaseStopped: nothing runs.
	PhaseStopped Phase = "stopped"
)

// Status is the state of a sandbox and of its parts.
type Status struct {
	Phase Phase `json:"phase"`
	// Error says why the sandbox failed to start.
	Error string `json:"error,omitempty"`
	// StartedIn is the time from the start of the first part to the readiness
	// of the last.
	StartedIn time.Duration `json:"startedIn,omitempty"`
	Parts     []PartStatus  `json:"parts"`
}

// phase tells the state of the whole from how the start went and from how
// the parts are.
func phase(started bool, startErr error, parts []PartStatus) Phase {
	switch {
	case startErr != nil:
		return PhaseFailed
	case !started:
		return PhaseStarting
	}
	for _, p := range parts {
		if !p.Healthy {
			return PhaseDegraded
		}
	}
	return PhaseReady
}
