package verdict

import (
	"fmt"
	"slices"
	"strings"

	"sluice.dev/sluice/config"
)

// Action is what follows from the verdicts on all metrics of an analysis.
type Action string

// The actions.
const (
	// Continue measures on.
	Continue Action = "continue"
	// Promote goes on to the next step.
	Promote Action = "promote"
	// Pause keeps everything as it is until a person decides.
	Pause Action = "pause"
	// Rollback returns to stable.
	Rollback Action = "rollback"
)

// Decision is an action and why.
type Decision struct {
	Action  Action  `json:"action"`
	Outcome Outcome `json:"outcome"`
	// Metric that decided; empty where all did.
	Metric string `json:"metric,omitempty"`
	Reason string `json:"reason"`
}

// Decide combines the states of the metrics of one analysis, which come in the
// same order. A return to stable goes before a pause. Metrics that are left out
// promote nothing: at least one has to pass.
func Decide(metrics []config.Metric, states []State) Decision {
	var waiting, passed []string
	paused := Decision{}
	for i, m := range metrics {
		if m.DryRun {
			continue
		}
		action := actionOf(m, states[i].Outcome)
		d := Decision{Action: action, Outcome: states[i].Outcome, Metric: m.Name, Reason: m.Name + ": " + states[i].Reason}
		switch {
		case action == Rollback:
			return d
		case action == Pause && paused.Action == "":
			paused = d
		case action == Continue && states[i].Outcome != Measuring && gap(m, states[i].Outcome) == config.GapIgnore:
			// Left out.
		case action == Continue:
			waiting = append(waiting, d.Reason)
		case action == Promote:
			passed = append(passed, d.Reason)
		}
	}
	switch {
	case paused.Action != "":
		return paused
	case len(waiting) > 0:
		return Decision{Action: Continue, Outcome: Measuring, Reason: strings.Join(waiting, "; ")}
	case len(passed) == 0:
		return Decision{Action: Continue, Outcome: NoData, Reason: "no metric has anything to judge: those that are left out promote nothing"}
	}
	return Decision{Action: Promote, Outcome: Pass, Reason: strings.Join(passed, "; ")}
}

// actionOf is what the policies of a metric make of a verdict.
func actionOf(m config.Metric, outcome Outcome) Action {
	switch outcome {
	case Pass:
		return Promote
	case Fail:
		if m.OnFail == config.FailureRollback {
			return Rollback
		}
		return Pause
	case NoData, Error:
		switch gap(m, outcome) {
		case config.GapPause:
			return Pause
		case config.GapRollback:
			return Rollback
		case config.GapWait, config.GapIgnore:
		}
	case Measuring:
	}
	return Continue
}

// MayReturn says whether any verdict on these metrics returns to stable.
func MayReturn(metrics []config.Metric) bool {
	return slices.ContainsFunc(metrics, func(m config.Metric) bool {
		return !m.DryRun && (m.OnFail == config.FailureRollback || m.OnNoData == config.GapRollback || m.OnError == config.GapRollback)
	})
}

// gap is the policy for a verdict NoData or Error.
func gap(m config.Metric, outcome Outcome) config.GapPolicy {
	if outcome == Error {
		return m.OnError
	}
	return m.OnNoData
}

// String tells a decision in one line.
func (d Decision) String() string {
	return fmt.Sprintf("%s: %s", d.Outcome, d.Reason)
}
