package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	fakegateway "sluice.dev/sluice/tests/chaos/gateway"
	"sluice.dev/sluice/workflows"
)

// Name identifies a run: with it, exactly that run can be repeated.
func (r Run) Name() string {
	return fmt.Sprintf("%s/%s/%s/%d/%d", r.Scenario.Name, r.Personality, r.Fault, r.Write, r.Seed)
}

// ParseRun is the inverse of Name.
func ParseRun(name string) (Run, error) {
	var r Run
	parts := strings.Split(name, "/")
	if len(parts) != 5 {
		return r, fmt.Errorf("%q is no run: want scenario/personality/fault/write/seed", name)
	}
	for _, s := range Scenarios() {
		if s.Name == parts[0] {
			r.Scenario = s
		}
	}
	r.Personality, r.Fault = fakegateway.Personality(parts[1]), Fault(parts[2])
	if _, err := fmt.Sscan(parts[3]+" "+parts[4], &r.Write, &r.Seed); err != nil {
		return r, fmt.Errorf("reading write and seed of %q: %w", name, err)
	}
	if r.Scenario.Name == "" || lags[r.Personality] == nil || r.Fault != None && !slices.Contains(Faults, r.Fault) && !slices.Contains(Drifts, r.Fault) {
		return r, fmt.Errorf("%q is no run: its scenario, personality or fault does not exist", name)
	}
	return r, nil
}

// interferes says that a fault is what somebody else does, so that the rollout
// may rightly end in another way.
func (f Fault) interferes() bool {
	return slices.Contains([]Fault{Abort, AbortLate, CreateLate, Revise, Double, Repair}, f)
}

// Judge compares a run with the one in which nothing went wrong, and returns
// what is wrong with it.
func Judge(run Run, got, undisturbed Report) []string {
	problems := slices.Clone(got.Problems)
	scaled := slices.ContainsFunc(run.Scenario.Holds, func(a Act) bool { return a.Scale > 0 })
	if run.Fault == Double || (run.Fault.interferes() || got.GivenUp) && scaled {
		// Somebody has scaled it once, twice or, if it ended earlier, not at all.
		got.State, undisturbed.State = sizeless(got.State), sizeless(undisturbed.State)
	}
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if got.Taken && !got.Refused {
		add("a name belonged to somebody else, and it did not stop")
	}
	free := run.Scenario.Promoting.Verb != "" || run.Fault.interferes() || got.GivenUp
	if !free && got.Outcome != undisturbed.Outcome {
		add("it ended as %q, undisturbed as %q", got.Outcome, undisturbed.Outcome)
	}
	ends := []string{version("v2")}
	if run.Fault == Revise || slices.ContainsFunc(run.Scenario.Holds, func(a Act) bool { return a.Verb == workflows.VerbRevise }) {
		ends = append(ends, version("v3"))
	}
	switch got.Outcome {
	case workflows.RolledBack:
		ends = []string{version("v1")}
	case nothingLeft:
		ends = append(ends, version("v1"))
	case workflows.Promoted:
	}
	if !free {
		if text := differ(got.State, undisturbed.State); text != "" {
			add("the end differs from the undisturbed one: %s", text)
		}
		return problems
	}
	// Whatever was decided, one revision runs, and all else is as it was.
	var texts []string
	for _, image := range ends {
		text := differ(neutral(got.State, image), neutral(undisturbed.State, endOf(undisturbed)))
		if text == "" {
			return problems
		}
		texts = append(texts, text)
	}
	add("the end %q differs from every end that there may be: %s", got.Outcome, strings.Join(texts, "; "))
	return problems
}

// sizeless is a state without the sizes of workloads.
func sizeless(state map[string]string) map[string]string {
	out := maps.Clone(state)
	maps.DeleteFunc(out, func(key, _ string) bool { return strings.HasPrefix(key, sizeOf) })
	return out
}

// endOf is the image that runs in the end of a report.
func endOf(r Report) string {
	for _, v := range []string{"v1", "v2", "v3"} {
		if strings.Contains(r.State["pods run"], version(v)) {
			return version(v)
		}
	}
	return ""
}

// neutral is a state with one image for the name of all.
func neutral(state map[string]string, image string) map[string]string {
	out := maps.Clone(state)
	for key, text := range out {
		out[key] = strings.ReplaceAll(text, image, "IMAGE")
	}
	return out
}

// differ says where two states differ first.
func differ(got, want map[string]string) string {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			return fmt.Sprintf("%s is %q, not %q", key, got[key], want[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, known := want[key]; !known {
			return key + " is left"
		}
	}
	return ""
}
