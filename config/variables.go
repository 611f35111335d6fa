package config

import (
	"maps"
	"slices"
)

// Variables of every query. Those of a side differ between canary and stable;
// all values are safe inside of a PromQL string.
const (
	VarWorkload  = "workload"
	VarNamespace = "namespace"
	// VarStep is the number of the step, from 1; VarInterval the time between
	// samples and VarWindow that of rates, in seconds with their unit.
	VarStep     = "step"
	VarInterval = "interval"
	VarWindow   = "window"

	// VarSide is canary or stable.
	VarSide = "side"
	// VarPods is a regular expression for the names of the side's pods, VarService
	// its Service, VarIngress its Ingress, VarRevision the hash of its template.
	VarPods     = "pods"
	VarService  = "service"
	VarIngress  = "ingress"
	VarRevision = "revision"
	// VarCanaryPattern is ".+" for canary and empty for stable: for labels that
	// only requests of canary have.
	VarCanaryPattern = "canaryPattern"
	// VarCanarySuffix is "-canary" for canary and empty for stable: for names that
	// a gateway makes from those of stable.
	VarCanarySuffix = "canarySuffix"

	VarStablePods     = "stablePods"
	VarStableService  = "stableService"
	VarStableIngress  = "stableIngress"
	VarStableRevision = "stableRevision"
	VarCanaryPods     = "canaryPods"
	VarCanaryService  = "canaryService"
	VarCanaryIngress  = "canaryIngress"
	VarCanaryRevision = "canaryRevision"
)

var sideVariables = []string{VarSide, VarPods, VarService, VarIngress, VarRevision, VarCanaryPattern, VarCanarySuffix}

// QueryVariables are all variables that every query has, sorted.
var QueryVariables = slices.Sorted(slices.Values(append([]string{
	VarWorkload, VarNamespace, VarStep, VarInterval, VarWindow,
	VarStablePods, VarStableService, VarStableIngress, VarStableRevision,
	VarCanaryPods, VarCanaryService, VarCanaryIngress, VarCanaryRevision,
}, sideVariables...)))

// exampleOf are examples for all variables of a metric's queries.
func exampleOf(m Metric) map[string]string {
	values := exampleValues()
	maps.Copy(values, m.Args)
	return values
}

// exampleValues stand in for the values that are known when a rollout begins.
func exampleValues() map[string]string {
	values := map[string]string{}
	for _, name := range QueryVariables {
		values[name] = "x"
	}
	values[VarInterval], values[VarWindow], values[VarStep] = "30s", "60s", "1"
	return values
}
