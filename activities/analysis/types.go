// Package analysis decides by metrics: it asks Prometheus again and again, judges
// the answers, and ends when a verdict is known. It writes nothing.
package analysis

import (
	"time"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
)

// Subject is what the queries are about: the values of their variables.
type Subject struct {
	Ref release.Ref `json:"ref"`
	// Step, from 1.
	Step int `json:"step"`
	// StableRevision and Revision are the hashes of both templates.
	StableRevision string `json:"stableRevision"`
	Revision       string `json:"revision"`
}

// PrepareRequest asks whether a rollout's metrics can be measured.
type PrepareRequest struct {
	Subject Subject        `json:"subject"`
	Rollout config.Rollout `json:"rollout"`
}

// Prepared is a rollout whose metrics can be measured.
type Prepared struct {
	// Rollout with every metric filled in.
	Rollout config.Rollout `json:"rollout"`
	// Warnings that do not stop the release, such as a server that does not answer
	// now.
	Warnings []string `json:"warnings,omitempty"`
}

// Request asks for a verdict.
type Request struct {
	Subject Subject `json:"subject"`
	// Metrics to measure, and the servers that they are read from.
	Metrics []config.Metric     `json:"metrics"`
	Servers []config.Prometheus `json:"servers,omitempty"`
	// Guard goes on after a verdict Pass: it only ends with a bad one, or at Until,
	// where that is set, with what is known then.
	Guard bool      `json:"guard,omitempty"`
	Until time.Time `json:"until,omitzero"`
	// Stopped says that the rollout waits for a person: of a Guard only a verdict that
	// returns to stable ends it, and none that pauses.
	Stopped bool `json:"stopped,omitempty"`
	// Answers ends it as soon as each of its metrics that decides was measured without
	// an error. No verdict ends it: that is for those who measure all the time.
	Answers bool `json:"answers,omitempty"`
	// State to go on from; from the beginning where nil.
	State *State `json:"state,omitempty"`
	// Earlier is the state of a measurement of the same metrics that is over. Where
	// State is nil, only what it knew of stable is taken over. Nil where there was
	// none.
	Earlier *State `json:"earlier,omitempty"`
}

// State is all that an analysis knows. It travels in heartbeats, so that another
// worker goes on where a dead one has stopped, and in the result, so that the
// numbers of a verdict are in the history.
type State struct {
	// Began is when the first worker took the analysis up.
	Began time.Time `json:"began"`
	// Metrics in the order of the request.
	Metrics []MetricState `json:"metrics"`
	// Decision that follows from them now.
	Decision verdict.Decision `json:"decision"`
}

// MetricState is what is known about one metric.
type MetricState struct {
	verdict.State
	// Next sample is due then.
	Next time.Time `json:"next"`
	// Counters as they were read last; nil before the first reading.
	Counters *Counters `json:"counters,omitempty"`
}

// Counters are the last values of all series, by side.
type Counters struct {
	Canary Series `json:"canary"`
	Stable Series `json:"stable,omitzero"`
}

// Result of an analysis.
type Result struct {
	Decision verdict.Decision `json:"decision"`
	State    State            `json:"state"`
}

// Brief returns the state without what only a worker needs, with at most n of
// the latest samples of each metric.
func (s State) Brief(n int) State {
	brief := State{Began: s.Began, Decision: s.Decision}
	for _, m := range s.Metrics {
		m.Counters = nil
		m.Samples = m.Samples[max(0, len(m.Samples)-n):]
		brief.Metrics = append(brief.Metrics, m)
	}
	return brief
}
