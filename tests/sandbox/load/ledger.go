package load

import (
	"maps"
	"slices"
	"time"
)

// Ledger is what each version has answered, as its users saw it.
type Ledger map[string]Account

// Account of one version. An answer is bad with a status of 5xx, or if it took
// longer than Options.Slow.
type Account struct {
	Bad      int64     `json:"bad"`
	FirstBad time.Time `json:"firstBad,omitzero"` // when the first bad answer came
	Last     time.Time `json:"last"`              // when the last answer came, of any kind
	// Seconds of the run from its beginning, up to the last with an answer.
	Seconds []Count `json:"seconds"`
}

// Count is a number of answers.
type Count struct {
	Requests int64 `json:"requests"`
	Bad      int64 `json:"bad"`
}

// bad says that a user was served badly.
func (r result) bad(slow time.Duration) bool {
	return r.answer.status >= 500 || slow > 0 && r.done.Sub(r.sent) > slow
}

// add notes an answer of a run that began at the time; what was not answered is
// of no version.
func (l Ledger) add(r result, start time.Time, slow time.Duration) {
	if r.answer.err != nil {
		return
	}
	a := l[r.answer.version]
	second := int(r.done.Sub(start) / time.Second)
	if missing := second + 1 - len(a.Seconds); missing > 0 {
		a.Seconds = append(a.Seconds, make([]Count, missing)...)
	}
	a.Seconds[second].Requests++
	if r.bad(slow) {
		a.Seconds[second].Bad++
		a.Bad++
		if a.FirstBad.IsZero() || r.done.Before(a.FirstBad) {
			a.FirstBad = r.done
		}
	}
	if r.done.After(a.Last) {
		a.Last = r.done
	}
	l[r.answer.version] = a
}

// clone returns a copy.
func (l Ledger) clone() Ledger {
	out := maps.Clone(l)
	for version, a := range out {
		a.Seconds = slices.Clone(a.Seconds)
		out[version] = a
	}
	return out
}
