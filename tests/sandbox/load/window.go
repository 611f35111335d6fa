package load

import (
	"maps"
	"time"
)

// maxExamples is how many failures a window keeps in full.
const maxExamples = 10

// Window is what happened to the requests that were sent from a mark on.
// Durations are nanoseconds in JSON.
type Window struct {
	Name            string           `json:"name"`
	From            time.Time        `json:"from"`
	To              time.Time        `json:"to"`              // now, or the end of the run
	Requests        int64            `json:"requests"`        // finished
	InFlight        int64            `json:"inFlight"`        // not finished yet and not in any other count
	Good            int64            `json:"good"`            // answered with 2xx
	Server5xx       int64            `json:"server5xx"`       // answered with 5xx
	TransportErrors int64            `json:"transportErrors"` // not answered
	Versions        map[string]int64 `json:"versions"`        // good answers by version; "" has none
	Statuses        map[int]int64    `json:"statuses"`
	Errors          map[string]int64 `json:"errors"` // transport errors by class
	Cohorts         map[string]Group `json:"cohorts"`
	Kinds           map[Kind]Group   `json:"kinds"`
	Examples        []Failure        `json:"examples"` // the first failures
	Gap             Gap              `json:"gap"`
	Latency         Latency          `json:"latency"`
	MaxLag          time.Duration    `json:"maxLagNs"` // how much later than due a request was sent at most
}

// Group is a part of a Window.
type Group struct {
	Requests int64            `json:"requests"`
	Good     int64            `json:"good"`
	Versions map[string]int64 `json:"versions"`
}

// Gap is the longest time without a good answer, also before the first and
// after the last one of a window.
type Gap struct {
	Longest time.Duration `json:"longestNs"`
	At      time.Time     `json:"at"` // when it began
}

// Latency is that of all answers, from when they were due to their last byte.
// Quantiles are at most 3 % too long.
type Latency struct {
	P50 time.Duration `json:"p50Ns"`
	P99 time.Duration `json:"p99Ns"`
	Max time.Duration `json:"maxNs"`
}

// Failure is one request that had no good answer.
type Failure struct {
	At     time.Time     `json:"at"` // when it was sent
	Took   time.Duration `json:"tookNs"`
	Cohort string        `json:"cohort"`
	Kind   Kind          `json:"kind"`
	Status int           `json:"status,omitempty"`
	Error  string        `json:"error,omitempty"`
}

// Lost returns how many finished requests had no good answer.
func (w Window) Lost() int64 { return w.Requests - w.Good }

// Share returns the part of the good answers that came from a version, 0 to 1;
// 0 when there are none.
func (w Window) Share(version string) float64 {
	return share(w.Versions[version], w.Good)
}

// Share is [Window.Share] of a group.
func (g Group) Share(version string) float64 { return share(g.Versions[version], g.Good) }

func share(part, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// result is one finished request.
type result struct {
	seq             int64 // order of sending
	due, sent, done time.Time
	cohort          string
	kind            Kind
	answer          answer
}

func (r result) good() bool {
	return r.answer.err == nil && r.answer.status >= 200 && r.answer.status < 300
}

// tally fills one window. Whoever uses it holds the lock.
type tally struct {
	Window
	firstSeq int64 // requests sent before belong to others
	begun    int64
	lastGood time.Time
	hist     histogram
}

func newTally(name string, from time.Time, firstSeq int64) *tally {
	return &tally{firstSeq: firstSeq, lastGood: from, Window: Window{
		Name: name, From: from,
		Versions: map[string]int64{}, Statuses: map[int]int64{}, Errors: map[string]int64{},
		Cohorts: map[string]Group{}, Kinds: map[Kind]Group{},
	}}
}

// add counts a request, unless it was sent before the mark.
func (t *tally) add(r result) {
	if r.seq < t.firstSeq {
		return
	}
	t.Requests++
	t.MaxLag = max(t.MaxLag, r.sent.Sub(r.due))
	if r.answer.err != nil {
		t.TransportErrors++
		t.Errors[classify(r.answer)]++
	} else {
		t.Statuses[r.answer.status]++
		t.hist.add(r.done.Sub(r.due))
	}
	if r.answer.status >= 500 {
		t.Server5xx++
	}
	if r.good() {
		t.Good++
		t.Versions[r.answer.version]++
		t.endGap(r.done)
	} else {
		t.keep(r)
	}
	count(t.Cohorts, r.cohort, r)
	count(t.Kinds, r.kind, r)
}

// endGap measures the time since the last good answer. Answers may be counted
// in another order than they came.
func (t *tally) endGap(now time.Time) {
	if gap := now.Sub(t.lastGood); gap > t.Gap.Longest {
		t.Gap = Gap{Longest: gap, At: t.lastGood}
	}
	if now.After(t.lastGood) {
		t.lastGood = now
	}
}

func (t *tally) keep(r result) {
	if len(t.Examples) == maxExamples {
		return
	}
	f := Failure{At: r.sent, Took: r.done.Sub(r.sent), Cohort: r.cohort, Kind: r.kind, Status: r.answer.status}
	if r.answer.err != nil {
		f.Error = classify(r.answer) + ": " + r.answer.err.Error()
	}
	t.Examples = append(t.Examples, f)
}

func count[K comparable](groups map[K]Group, key K, r result) {
	g := groups[key]
	if g.Versions == nil {
		g.Versions = map[string]int64{}
	}
	g.Requests++
	if r.good() {
		g.Good++
		g.Versions[r.answer.version]++
	}
	groups[key] = g
}

// window returns a copy as of now, which may be before a mark that was made
// after the end of the run.
func (t *tally) window(now time.Time) Window {
	w := t.Window
	if now.Before(w.From) {
		now = w.From
	}
	w.To = now
	w.InFlight = t.begun - t.Requests
	w.Versions = maps.Clone(t.Versions)
	w.Statuses = maps.Clone(t.Statuses)
	w.Errors = maps.Clone(t.Errors)
	w.Cohorts = cloneGroups(t.Cohorts)
	w.Kinds = cloneGroups(t.Kinds)
	w.Examples = append([]Failure{}, t.Examples...)
	if gap := now.Sub(t.lastGood); gap > w.Gap.Longest {
		w.Gap = Gap{Longest: gap, At: t.lastGood}
	}
	w.Latency = Latency{P50: t.hist.quantile(0.5), P99: t.hist.quantile(0.99), Max: t.hist.max}
	return w
}

func cloneGroups[K comparable](groups map[K]Group) map[K]Group {
	out := make(map[K]Group, len(groups))
	for k, g := range groups {
		g.Versions = maps.Clone(g.Versions)
		out[k] = g
	}
	return out
}
