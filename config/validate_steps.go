package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"

	own "sluice.dev/sluice/config/v1alpha1"
)

// Limits of Kruise's schema: the longest lists of steps, and of matches of a step.
const (
	MaxSteps      = 50
	MaxMatches    = 16
	maxConditions = 16
)

func validateSteps(r *report, d *draft, steps []own.Step) {
	if len(steps) == 0 {
		r.add(stepsPath, "The number of Canary.Steps cannot be empty", "write at least one step")
		return
	}
	if len(steps) > MaxSteps {
		r.add(stepsPath, fmt.Sprintf("there are %d steps", len(steps)), fmt.Sprintf("write at most %d", MaxSteps))
	}
	for i, step := range steps {
		path := indexPath(stepsPath, i)
		validateReplicas(r, d, path, step)
		validateWeight(r, d, path, step)
		validateHold(r, path, step)
		validateMatches(r, d, path, step)
		if step.RequestHeaderModifier != nil {
			r.add(path+".requestHeaderModifier", "changing request headers is not supported yet", "leave it out")
		}
		if step.Deadline != nil && *step.Deadline <= 0 {
			r.add(path+".deadline", "the deadline must be longer than no time", "write a length of time such as 10m")
		}
		if i > 0 {
			validateOrder(r, d, path, steps[i-1], step)
		}
	}
}

func validateReplicas(r *report, d *draft, path string, step own.Step) {
	at := path + ".replicas"
	if step.Replicas == nil {
		if step.Traffic == nil || !d.impliesReplicas {
			r.add(at, d.missingReplicas, `write a number of pods such as 1, or a percentage such as "10%"`)
		}
		return // taken from the weight, which answers for itself
	}
	amount, ok := parseAmount(*step.Replicas)
	if !ok || amount.Value <= 0 || amount.Percent && amount.Value > 100 {
		r.add(at, `replicas must be positive number, or a percentage with "0%" < canaryReplicas <= "100%"`,
			`write a number of pods such as 1, or a percentage such as "10%"`)
	}
}

func validateWeight(r *report, d *draft, path string, step own.Step) {
	if step.Traffic == nil {
		return
	}
	weight, ok := parsePercent(string(*step.Traffic))
	if ok && weight > 0 && weight <= 100 {
		return
	}
	remedy := "write a percentage in quotes, such as \"10%\""
	switch {
	case d.weight == "weight":
		remedy = "write a number from 1 to 100"
	case weight == 0 && ok:
		remedy = "leave it out: a step without traffic sends no requests to canary"
	}
	r.add(path+"."+d.weight, d.badWeight, remedy)
}

func validateHold(r *report, path string, step own.Step) {
	if step.Pause != nil && step.Hold != nil {
		r.add(path+".hold", "a step has either hold or pause", "remove one of them")
	}
	if step.Pause != nil && step.Pause.Duration != nil && *step.Pause.Duration < 0 {
		r.add(path+".pause.duration", "the duration cannot be negative", "write a length of time such as 30s, or leave it out to wait for a person")
	}
	if step.Hold != nil && step.Hold.Duration < 0 {
		r.add(path+".hold", "the duration cannot be negative", "write none, approval or a length of time such as 30s")
	}
}

// validateOrder compares a step with the one before it, where they can be
// compared without knowing the size of the workload.
func validateOrder(r *report, d *draft, path string, before, step own.Step) {
	at, weightAt := path+".replicas", path+"."+d.weight
	if d.weightsRise && before.Traffic != nil && step.Traffic != nil {
		w, okW := parsePercent(string(*before.Traffic))
		v, okV := parsePercent(string(*step.Traffic))
		if okW && okV && v < w {
			r.add(weightAt, "Steps.Weight must be a non decreasing sequence", fmt.Sprintf("the step before has %d", w))
			r.broken[weightAt] = true // replicas taken from it would only say it again
		}
	}
	if !r.has(at) {
		at = weightAt
	}
	a, okA := amountOf(before)
	b, okB := amountOf(step)
	if okA && okB && a.Percent == b.Percent && b.Value < a.Value {
		r.add(at, "Steps.CanaryReplicas must be a non decreasing sequence", fmt.Sprintf("the step before has %s", a))
	}
}

// amountOf returns the pods of a step: as written, or as its weight needs them.
func amountOf(step own.Step) (Amount, bool) {
	switch {
	case step.Replicas != nil:
		return parseAmount(*step.Replicas)
	case step.Traffic != nil:
		percent, ok := parsePercent(string(*step.Traffic))
		return Amount{Value: percent, Percent: true, Implied: true}, ok
	}
	return Amount{}, false
}

var percentage = regexp.MustCompile(`^[0-9]{1,5}%$`)

// parsePercent reads "10%"; its range is the caller's to check.
func parsePercent(text string) (int, bool) {
	if !percentage.MatchString(text) {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
	return n, err == nil
}

// parseAmount reads a number of pods or a percentage of them.
func parseAmount(value intstr.IntOrString) (Amount, bool) {
	if value.Type == intstr.Int {
		return Amount{Value: int(value.IntVal)}, true
	}
	percent, ok := parsePercent(value.StrVal)
	return Amount{Value: percent, Percent: true}, ok
}
