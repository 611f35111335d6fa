package config

import (
	"fmt"
	"strings"
)

// Severity is how much a finding matters.
type Severity string

// The severities of findings.
const (
	// SeverityWarning marks what is likely a mistake or a risk.
	SeverityWarning Severity = "warning"
	// SeverityInfo marks what a reader may not expect.
	SeverityInfo Severity = "info"
)

// Finding is something about a valid document that its author should know.
type Finding struct {
	Severity Severity `json:"severity"`
	FieldError
}

// findings collects what is found in one rollout.
type findings struct {
	dialect dialect
	rollout *Rollout
	list    []Finding
}

func (f *findings) warn(path, problem, remedy string) {
	f.list = append(f.list, Finding{SeverityWarning, FieldError{Path: path, Problem: problem, Remedy: remedy}})
}

func (f *findings) info(path, problem, remedy string) {
	f.list = append(f.list, Finding{SeverityInfo, FieldError{Path: path, Problem: problem, Remedy: remedy}})
}

// Warnings returns what is allowed but likely not meant, or good to know, in
// the order of the document. Replicas is the size of the workload; 0 where it
// is not known leaves out what depends on it.
func Warnings(r Rollout, replicas int) []Finding {
	d, _ := dialectOf(r.Source)
	f := &findings{dialect: d, rollout: &r}
	if r.Disabled {
		f.info("spec.disabled", "the document is disabled: no rollout starts", "")
	}
	if r.Paused {
		f.info("spec.strategy.paused", "the rollout waits before its first operation until it is resumed", "")
	}
	for i := range r.Steps {
		path := indexPath(stepsPath, i)
		f.capacity(path, r.Steps[i], replicas)
		f.matches(path, r.Steps[i])
		if deadline := r.StepDeadline(i); deadline <= r.Traffic.ConfirmTimeout {
			f.warn(path+".deadline", fmt.Sprintf("the deadline of %s is not longer than the %s that confirming one change may take", deadline, r.Traffic.ConfirmTimeout),
				"write a longer deadline")
		}
		if i > 0 {
			f.order(path, r.Steps[i-1], r.Steps[i], replicas)
		}
	}
	f.analyses(r)
	f.last(r, replicas)
	if r.Traffic.Grace.Std().Seconds() < 1 {
		f.warn(indexPath(routesPath, 0)+".gracePeriodSeconds", "requests in flight may be cut off", "write at least 1 second, better the time of the longest request")
	}
	return f.list
}

func (f *findings) capacity(path string, step Step, replicas int) {
	if !step.routed() {
		f.info(path, "no requests go to canary in this step", "write "+f.dialect.weight+" or matches to route some")
		return
	}
	if replicas <= 0 {
		f.share(path, step)
		return
	}
	pods := f.rollout.Pods(step, replicas)
	need := f.rollout.Need(step, replicas)
	if pods >= need {
		return
	}
	reason := fmt.Sprintf("weight %d of a workload of %d pods asks for %d with %d %% headroom", step.weight(), replicas, need, f.rollout.headroom())
	if need == minServing {
		reason = fmt.Sprintf("a route should have at least %d pods behind it: the loss of one is then no outage", minServing)
	}
	f.warn(path+".replicas", fmt.Sprintf("%s for canary; %s", podCount(pods), reason), fmt.Sprintf("write at least %d", need))
}

// share compares pods with the weight where the size of the workload is not
// known.
func (f *findings) share(path string, step Step) {
	a := step.Replicas
	need := f.rollout.NeedCanary(step.weight(), 100)
	switch {
	case a.Implied:
	case !a.Percent && a.Value < minServing:
		f.warn(path+".replicas", fmt.Sprintf("%s for canary; a route should have at least %d pods behind it: the loss of one is then no outage", podCount(a.Value), minServing),
			fmt.Sprintf("write at least %d, unless the workload has one pod", minServing))
	case a.Percent && step.weight() > 0 && a.Value < need:
		f.warn(path+".replicas", fmt.Sprintf("%s of the pods for weight %d, which asks for %d %% with %d %% headroom", a, step.weight(), need, f.rollout.headroom()), fmt.Sprintf("write at least %d%%", need))
	}
}

func podCount(n int) string {
	if n == 1 {
		return "1 pod"
	}
	return fmt.Sprintf("%d pods", n)
}

func (f *findings) matches(path string, step Step) {
	for i, match := range step.Matches {
		for j, h := range match.Headers {
			at := indexPath(indexPath(path+".matches", i)+".headers", j)
			if strings.EqualFold(h.Name, "user-agent") && h.Type == MatchExact && !strings.Contains(h.Value, "/") {
				f.warn(at+".value", "no browser sends this as its whole user-agent: only clients made for it are matched",
					`for real devices write type: RegularExpression and a value such as "(?i)android"`)
			}
		}
	}
}

func (f *findings) order(path string, before, step Step, replicas int) {
	if before.Weight != nil && step.Weight != nil && *step.Weight <= *before.Weight {
		f.warn(path+"."+f.dialect.weight, fmt.Sprintf("weight %d is not above the %d of the step before", *step.Weight, *before.Weight), "")
	}
	if len(before.Matches) > 0 && len(step.Matches) == 0 {
		f.info(path, "the matches of the step before end here: its users are treated as all others", "repeat the matches to keep them on canary")
	}
	if replicas > 0 && f.rollout.Pods(step, replicas) < f.rollout.Pods(before, replicas) {
		f.warn(path+".replicas", fmt.Sprintf("of %d pods, %s are fewer than %s of the step before", replicas, step.Replicas, before.Replicas), "")
	}
}

func (f *findings) last(r Rollout, replicas int) {
	last := r.Steps[len(r.Steps)-1]
	full := last.weight() == 100 && (last.Replicas.all() || replicas > 0 && r.Pods(last, replicas) == replicas)
	if !full {
		f.info(indexPath(stepsPath, len(r.Steps)-1), "after this step follows the implicit step to 100 %", "")
	}
}
