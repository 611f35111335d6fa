package verdict

import (
	"fmt"
	"math"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/expression"
)

// Judge judges the samples of one metric.
type Judge struct {
	metric    config.Metric
	condition *expression.Condition
}

// New returns the judge of a metric; the error says what is wrong with its
// condition.
func New(metric config.Metric) (*Judge, error) {
	j := &Judge{metric: metric}
	if metric.Condition == "" {
		return j, nil
	}
	condition, err := expression.CompileCondition(metric.Condition)
	if err != nil {
		return nil, fmt.Errorf("reading the condition of metric %s: %w", metric.Name, err)
	}
	j.condition = condition
	return j, nil
}

// NeedsStable says whether the stable side has to be measured, too.
func (j *Judge) NeedsStable() bool {
	m := j.metric
	return m.Compare.Any() || m.Test != nil && m.Test.Bound == nil || j.condition != nil && j.condition.NeedsStable()
}

// Begin is the state before the first sample.
func (j *Judge) Begin() State {
	return State{Metric: j.metric.Name, Outcome: Measuring, Reason: "not measured yet"}
}

// Add returns the state after one more reading.
func (j *Judge) Add(s State, r Reading) State {
	s = s.note(j.sample(s, r).noted(r.Note))
	if t := j.metric.Test; t != nil && r.Problem == "" {
		test := Sequential{}
		if s.Test != nil {
			test = *s.Test
		}
		test = test.add(batch{canary: r.CanaryCounts, stable: r.StableCounts}, *t)
		s.Test = &test
	}
	s.Outcome, s.Reason = j.verdict(s)
	return s
}

// sample judges one reading by itself.
func (j *Judge) sample(s State, r Reading) Sample {
	sample := Sample{At: r.At, Outcome: r.Problem, Reason: r.Reason, Requests: r.Requests, Value: r.Canary, Stable: r.Stable}
	if r.Problem != "" {
		return sample
	}
	if j.metric.Counts() {
		sample.Requests = &r.CanaryCounts.Requests
		if rate, ok := r.CanaryCounts.Rate(); ok {
			sample.Value = &rate
		}
		if rate, ok := r.StableCounts.Rate(); ok {
			sample.Stable = &rate
		}
	}
	value, stable, requests := sample.Value, sample.Stable, sample.Requests
	sample = sample.finite()
	switch {
	case requests != nil && sample.Requests == nil:
		return sample.as(Error, fmt.Sprintf("the number of requests is %v", *requests))
	case value == nil:
		return sample.as(NoData, "no requests since the last sample")
	case math.IsNaN(*value):
		return sample.as(NoData, "the value is NaN: the query divides nothing by nothing")
	case sample.Value == nil:
		return sample.as(Error, "the value is infinite: the query divides by zero")
	case stable != nil && math.IsInf(*stable, 0):
		return sample.as(Error, "the value of stable is infinite: the query divides by zero")
	}
	if j.metric.Test == nil && sample.Requests != nil && *sample.Requests < j.metric.MinRequests {
		return sample.as(NoData, fmt.Sprintf("%s of at least %s requests", number(*sample.Requests), number(j.metric.MinRequests)))
	}
	return j.compare(s, sample)
}

// finite leaves out values that are no numbers, which JSON cannot carry.
func (s Sample) finite() Sample {
	for _, value := range []**float64{&s.Value, &s.Stable, &s.Requests} {
		if *value != nil && (math.IsNaN(**value) || math.IsInf(**value, 0)) {
			*value = nil
		}
	}
	return s
}

func (s Sample) as(outcome Outcome, reason string) Sample {
	s.Outcome, s.Reason = outcome, reason
	return s
}

// compare judges a sample that has a value.
func (j *Judge) compare(s State, sample Sample) Sample {
	value := *sample.Value
	if bad := outside("the value", value, j.metric.Min, j.metric.Max); bad != "" {
		return sample.as(Fail, bad)
	}
	needsStable := j.metric.Compare.Any() || j.condition != nil && j.condition.NeedsStable()
	if needsStable && sample.Stable == nil {
		return sample.as(NoData, "stable has no value to compare with")
	}
	if needsStable {
		c := j.metric.Compare
		beside := fmt.Sprintf(" (canary %s, stable %s)", number(value), number(*sample.Stable))
		if bad := outside("canary divided by stable", ratio(value, *sample.Stable), c.MinRatio, c.MaxRatio); bad != "" {
			return sample.as(Fail, bad+beside)
		}
		if bad := outside("canary minus stable", value-*sample.Stable, c.MinDelta, c.MaxDelta); bad != "" {
			return sample.as(Fail, bad+beside)
		}
	}
	if j.condition == nil {
		return j.tested(s, sample)
	}
	holds, err := j.condition.Holds(variables(s, sample))
	switch {
	case err != nil:
		return sample.as(Error, err.Error())
	case !holds:
		return sample.as(Fail, fmt.Sprintf("not so: %s (value %s)", j.metric.Condition, number(value)))
	}
	return j.tested(s, sample)
}

// tested passes a sample that only the test of all of them can judge, if there is
// anything to compare it with.
func (j *Judge) tested(s State, sample Sample) Sample {
	t := j.metric.Test
	if t == nil || t.Bound != nil || sample.Stable != nil {
		return sample.as(Pass, "")
	}
	known := Sequential{}
	if s.Test != nil {
		known = *s.Test
	}
	return sample.as(known.unseen(*t))
}

// variables of a condition.
func variables(s State, sample Sample) map[string]any {
	value := *sample.Value
	known := map[string]any{
		expression.Value: value, expression.Canary: value, expression.Samples: append(s.values(), value),
	}
	if sample.Stable != nil {
		known[expression.Stable] = *sample.Stable
		known[expression.Delta] = value - *sample.Stable
		known[expression.Ratio] = ratio(value, *sample.Stable)
	}
	return known
}

// ratio is canary divided by stable; two zeros are equal.
func ratio(canary, stable float64) float64 {
	if canary == stable {
		return 1
	}
	return canary / stable
}

// outside says how a value is out of its bounds; empty where it is not.
func outside(what string, value float64, low, high *float64) string {
	switch {
	case low != nil && value < *low:
		return fmt.Sprintf("%s is %s, below %s", what, number(value), number(*low))
	case high != nil && value > *high:
		return fmt.Sprintf("%s is %s, above %s", what, number(value), number(*high))
	}
	return ""
}

// number writes a number as people do.
func number(v float64) string { return fmt.Sprintf("%.4g", v) }
