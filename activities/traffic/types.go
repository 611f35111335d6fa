// Package traffic changes which requests go to the canary and proves that the
// gateway has taken the change. A gateway is an adapter that renders a Route to
// an object and confirms it; the order of operations is not its business.
package traffic

import (
	"fmt"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/config"
)

// Route says which requests go to canary.
type Route struct {
	// Weight in percent, 0 to 100.
	Weight int `json:"weight"`
	// Matches that go to canary whatever the weight is.
	Matches []config.Match `json:"matches,omitempty"`
	// Nonce is the value of the probe's header that goes to canary whatever the
	// weight is; empty where there is none. A match by header takes its place.
	Nonce string `json:"nonce,omitempty"`
}

// RouteRequest asks for a route and its confirmation.
type RouteRequest struct {
	Ref   release.Ref `json:"ref"`
	Route Route       `json:"route"`
	// Absent asks for no route at all: every request goes to stable.
	Absent bool `json:"absent,omitempty"`
	// NeedCanary and NeedStable are the ready endpoints that must be published
	// before the write; it is refused (retried) until they are.
	NeedCanary int `json:"needCanary,omitempty"`
	NeedStable int `json:"needStable,omitempty"`
	// Size is how many pods the workload had when both were computed: where it has
	// another size now, nothing is written, and the error is of type Scaled. 0 does
	// not look.
	Size int `json:"size,omitempty"`
	// Unsure says that the route before was not confirmed, so that earlier ones
	// may be in force too.
	Unsure bool `json:"unsure,omitempty"`
	// Again says that a route was asked for since one was confirmed, and may have
	// waited for pods: the gateway has to know those that there are before more
	// requests go there.
	Again bool `json:"again,omitempty"`
}

// Confirmation is the proof that a change has been taken.
type Confirmation struct {
	// Level is how it was confirmed.
	Level Level `json:"level"`
	// Gateways that confirmed, of Expected.
	Gateways int `json:"gateways"`
	Expected int `json:"expected"`
	// Millis between the write and the last confirmation.
	Millis int64 `json:"millis"`
	// Wrote is false if the live state was as asked already.
	Wrote bool `json:"wrote"`
	// Carried says that the route which was removed may have sent requests to
	// canary until then, because somebody else had edited it.
	Carried bool `json:"carried,omitempty"`
	// Counted says that probes were told by the metrics of the gateway.
	Counted bool `json:"counted,omitempty"`
	// Drift says what somebody else had changed on the canary Ingress since the
	// last write; it has been overwritten.
	Drift string `json:"drift,omitempty"`
	// Note says why it was not confirmed by a better level, or by the one that is
	// pinned.
	Note string `json:"note,omitempty"`
}

// String says how a change was confirmed: "confirmed by state at 2 of 2 gateway
// replicas, 412 ms".
func (c Confirmation) String() string {
	by := string(c.Level)
	if c.Counted {
		by += " and metrics"
	}
	text := fmt.Sprintf("confirmed by %s at %d of %d gateway replicas, %d ms", by, c.Gateways, c.Expected, c.Millis)
	if c.Level == LevelGrace {
		text = fmt.Sprintf("confirmed by grace, %d ms", c.Millis)
	}
	if c.Note != "" {
		text += ": " + c.Note
	}
	return text
}

// Level is a rung of the confirmation ladder, best first.
type Level = gateway.Level

// The levels.
const (
	// LevelState reads the gateway's own state on every replica.
	LevelState = gateway.LevelState
	// LevelProbe sends requests through every replica that only the new route
	// sends to canary.
	LevelProbe = gateway.LevelProbe
	// LevelGrace waits for the time that the gateway needs at most.
	LevelGrace = gateway.LevelGrace
)

// EndpointsRequest asks whether the gateway serves exactly the ready pods of
// the user's Service.
type EndpointsRequest struct {
	Ref release.Ref `json:"ref"`
}
