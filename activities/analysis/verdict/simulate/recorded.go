package simulate

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
)

// Recorded are the requests of a real rollout, second by second, as Prometheus
// had scraped them.
type Recorded struct {
	// About says what was recorded, and where.
	About string `json:"about"`
	// Seconds are in their order; the first one has the first request to canary.
	Seconds []Second `json:"seconds"`
}

// Second is what both sides answered in one second: requests and bad ones.
type Second struct {
	Canary [2]float64 `json:"canary"`
	Stable [2]float64 `json:"stable"`
}

// Found is when a rule has raised its alarm, and what that has cost.
type Found struct {
	// After is counted from the first bad answer; 0 where there was no alarm.
	After time.Duration
	// Bad are the bad answers until then, all of them without an alarm.
	Bad float64
}

//go:embed recorded/twenty-percent.json
var twentyPercent []byte

// printRecorded writes what both rules make of the requests of a real rollout.
func printRecorded(out io.Writer, o Options) error {
	recorded, err := Sandbox()
	if err != nil {
		return err
	}
	test, rule := recorded.Replay(o.Test, RecordedThreshold)
	_, err = fmt.Fprintf(out, "\nRecorded: %s.\nThe test has found it %s after the first bad answer, with %.0f bad answers; three one-minute windows in a row above %g %% after %s, with %.0f.\n",
		recorded.About, test.After, test.Bad, 100*RecordedThreshold, rule.After, rule.Bad)
	return err
}

// RecordedThreshold is the proportion of bad requests above which a window of the
// fixed rule fails on recorded requests.
const RecordedThreshold = 0.05

// Sandbox returns a recording from the sandbox: a version that was kept although
// it fails for one request in five.
func Sandbox() (Recorded, error) { return ReadRecorded(bytes.NewReader(twentyPercent)) }

// ReadRecorded reads a recording from JSON.
func ReadRecorded(in io.Reader) (Recorded, error) {
	var r Recorded
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return r, fmt.Errorf("reading a recording: %w", err)
	}
	return r, nil
}

// Replay lets both rules look at the same recorded requests: the sequential test
// every second, and a rule of three one-minute windows in a row whose proportion
// of bad requests is above a threshold.
func (r Recorded) Replay(t config.Test, threshold float64) (test, rule Found) {
	var state verdict.Sequential
	windows := fixed{threshold: threshold}
	first, bad := time.Duration(-1), 0.0
	for i, s := range r.Seconds {
		now := time.Duration(i+1) * time.Second
		canary := verdict.Counts{Requests: s.Canary[0], Bad: s.Canary[1]}
		if bad += canary.Bad; first < 0 && bad > 0 {
			first = now - time.Second
		}
		state = state.Add(canary, verdict.Counts{Requests: s.Stable[0], Bad: s.Stable[1]}, t, verdict.DefaultGuesses())
		if test.After == 0 {
			test.Bad = bad
			if state.Harmful(t) {
				test.After = now - first
			}
		}
		windows.add(canary)
		if rule.After == 0 {
			rule.Bad = bad
			if now%window == 0 && windows.alarm() {
				rule.After = now - first
			}
		}
	}
	return test, rule
}
