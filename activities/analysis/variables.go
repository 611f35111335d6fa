package analysis

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/expression"
)

// Side is one of the two that are compared.
type Side string

// The sides.
const (
	Canary Side = "canary"
	Stable Side = "stable"
)

// values of the variables for one side of a metric.
func (s Subject) values(m config.Metric, side Side) map[string]string {
	ref := s.Ref
	values := map[string]string{
		config.VarWorkload: ref.Workload.Name, config.VarNamespace: ref.Namespace,
		config.VarStep: strconv.Itoa(s.Step), config.VarInterval: seconds(m.Interval), config.VarWindow: seconds(m.Window),
		config.VarStablePods: podsOf(ref.Workload.Name), config.VarCanaryPods: podsOf(ref.CanaryDeployment()),
		config.VarStableService: ref.Service, config.VarCanaryService: ref.CanaryService(),
		config.VarStableIngress: ref.Ingress, config.VarCanaryIngress: ref.CanaryIngress(),
		config.VarStableRevision: s.StableRevision, config.VarCanaryRevision: s.Revision,
		config.VarSide: string(side),
	}
	own := map[string]string{
		config.VarPods: config.VarStablePods, config.VarService: config.VarStableService,
		config.VarIngress: config.VarStableIngress, config.VarRevision: config.VarStableRevision,
	}
	values[config.VarCanaryPattern], values[config.VarCanarySuffix] = "", ""
	if side == Canary {
		values[config.VarCanaryPattern], values[config.VarCanarySuffix] = ".+", "-canary"
		own = map[string]string{
			config.VarPods: config.VarCanaryPods, config.VarService: config.VarCanaryService,
			config.VarIngress: config.VarCanaryIngress, config.VarRevision: config.VarCanaryRevision,
		}
	}
	for name, same := range own {
		values[name] = values[same]
	}
	maps.Copy(values, m.Args)
	return values
}

// seconds writes a duration as PromQL reads it, in whole milliseconds at least.
func seconds(d config.Duration) string {
	if ms := d.Std().Milliseconds(); ms%1000 != 0 {
		return fmt.Sprintf("%dms", ms)
	}
	return fmt.Sprintf("%ds", int64(d.Std().Seconds()))
}

// Queries of one metric for one side, with the variables filled in.
type Queries struct {
	Side Side `json:"side"`
	// Value, or Requests and one of Bad and Good.
	Value    string `json:"value,omitempty"`
	Requests string `json:"requests,omitempty"`
	Bad      string `json:"bad,omitempty"`
	Good     string `json:"good,omitempty"`
}

// Fill returns the queries of a metric for one side. The error names the query
// and what is wrong with it.
func (s Subject) Fill(m config.Metric, side Side) (Queries, error) {
	values := s.values(m, side)
	queries := Queries{Side: side}
	for _, q := range []struct {
		name, text string
		to         *string
	}{{"query", m.Query, &queries.Value}, {"requests", m.Requests, &queries.Requests}, {"bad", m.Bad, &queries.Bad}, {"good", m.Good, &queries.Good}} {
		if q.text == "" {
			continue
		}
		filled, err := expression.Fill(q.text, values)
		if err == nil {
			err = expression.CheckQuery(filled)
		}
		if err == nil {
			err = s.checkPods(q.text)
		}
		if err != nil {
			return queries, fmt.Errorf("reading %s of metric %s: %w", q.name, m.Name, err)
		}
		*q.to = filled
	}
	return queries, nil
}

// NamesStep says whether a query of the metrics has the number of the step in it.
func NamesStep(metrics []config.Metric) bool {
	return slices.ContainsFunc(metrics, func(m config.Metric) bool {
		for _, query := range []string{m.Query, m.Requests, m.Bad, m.Good} {
			if slices.Contains(expression.Variables(query), config.VarStep) {
				return true
			}
		}
		return false
	})
}
