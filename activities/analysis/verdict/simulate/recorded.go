package simulate

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
)

// Recorded are the requests of a version that was kept although it was bad, second
// by second, as its users saw them.
type Recorded struct {
	// Case is its name, About says what was recorded.
	Case  string `json:"case"`
	About string `json:"about"`
	// Threshold is the proportion of bad requests above which a window of the fixed
	// rule fails.
	Threshold float64 `json:"threshold"`
	// Bound of the test; nil where canary is compared with stable.
	Bound *float64 `json:"bound,omitempty"`
	// Seconds are in their order; the first one is that in which it was begun to
	// measure.
	Seconds []Second `json:"seconds"`
}

// Second is what both sides answered in one second: requests and bad ones.
type Second struct {
	Canary [2]float64 `json:"canary"`
	Stable [2]float64 `json:"stable"`
}

// Found is when a rule has raised its alarm, and what that has cost.
type Found struct {
	// After is counted from the second of the first bad answer; 0 where there was
	// no alarm.
	After time.Duration
	// Bad are the bad answers until then, all of them without an alarm.
	Bad float64
}

//go:embed recorded/*.json
var recordings embed.FS

// recordedCases are the recordings from the sandbox, in the order of the table.
var recordedCases = []string{"errors", "latency", "cohort", "step-2", "bake"}

// Recordings returns those from the sandbox.
func Recordings() ([]Recorded, error) {
	var all []Recorded
	for _, name := range recordedCases {
		file, err := recordings.Open(path.Join("recorded", name+".json"))
		if err != nil {
			return nil, fmt.Errorf("opening a recording: %w", err)
		}
		r, err := ReadRecorded(file)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("recording %s: %w", name, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// ReadRecorded reads a recording from JSON.
func ReadRecorded(in io.Reader) (Recorded, error) {
	var r Recorded
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return r, fmt.Errorf("reading a recording: %w", err)
	}
	return r, nil
}

// Write writes it as JSON, a line for each second.
func (r Recorded) Write(out io.Writer) error {
	seconds := r.Seconds
	r.Seconds = []Second{}
	head, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("writing a recording: %w", err)
	}
	text := head[:len(head)-len("]}")]
	for i, s := range seconds {
		line, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("writing a recording: %w", err)
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(text, '\n'), line...)
	}
	if _, err := out.Write(append(text, "]}\n"...)); err != nil {
		return fmt.Errorf("writing a recording: %w", err)
	}
	return nil
}

// Replay lets both rules look at the same recorded requests: the sequential test
// at an interval of whole seconds, and a rule of three one-minute windows in a row.
func (r Recorded) Replay(t config.Test, interval time.Duration) (test, rule Found) {
	t.Bound = r.Bound
	var state verdict.Sequential
	var canary, stable verdict.Counts // since the last sample
	windows := fixed{threshold: r.Threshold}
	first, bad := time.Duration(-1), 0.0
	for i, s := range r.Seconds {
		now := time.Duration(i+1) * time.Second
		answered := verdict.Counts{Requests: s.Canary[0], Bad: s.Canary[1]}
		if bad += answered.Bad; first < 0 && bad > 0 {
			first = now - time.Second
		}
		canary, stable = canary.Add(answered), stable.Add(verdict.Counts{Requests: s.Stable[0], Bad: s.Stable[1]})
		if now%interval == 0 {
			state = state.Add(canary, stable, t, verdict.DefaultGuesses())
			canary, stable = verdict.Counts{}, verdict.Counts{}
		}
		windows.add(answered)
		test.look(state.Harmful(t), now-first, bad)
		rule.look(now%window == 0 && windows.alarm(), now-first, bad)
	}
	return test, rule
}

// look notes what there is at a time, unless there was an alarm before.
func (f *Found) look(alarm bool, after time.Duration, bad float64) {
	if f.After > 0 {
		return
	}
	f.Bad = bad
	if alarm {
		f.After = after
	}
}

// printRecorded writes what both rules make of the recorded requests. The error
// says where the test is not the first.
func printRecorded(out io.Writer, o Options) error {
	all, err := Recordings()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nBad versions that were kept on the sandbox, and both rules on the same requests. Seconds from the first bad answer to the alarm, and the bad\n"+
		"answers until then: by the test every second and every %s, and by 3 one-minute windows in a row above the threshold.\n\n"+
		"                                                        | test, 1s    | test, %-5s | fixed rule\n"+
		"                                                        |    s    bad |    s    bad | above    s   bad\n", short(o.Interval), short(o.Interval))
	var broken []error
	for _, r := range all {
		quick, rule := r.Replay(o.Test, time.Second)
		usual, _ := r.Replay(o.Test, o.Interval)
		fmt.Fprintf(out, "%-55s | %4.0f %6.0f | %4.0f %6.0f | %3g %% %4.0f %5.0f\n", r.About,
			quick.After.Seconds(), quick.Bad, usual.After.Seconds(), usual.Bad, 100*r.Threshold, rule.After.Seconds(), rule.Bad)
		for _, test := range []Found{quick, usual} {
			if test.After == 0 || rule.After > 0 && test.After >= rule.After {
				broken = append(broken, fmt.Errorf("recording %s: the test is not sooner: %s and %s", r.Case, short(test.After), short(rule.After)))
			}
		}
	}
	return errors.Join(broken...)
}
