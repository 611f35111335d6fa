package config

import (
	"fmt"

	kruisebeta "sluice.dev/sluice/config/kruise/v1beta1"
)

// Conflicts returns which rollouts of a list cannot stand in one cluster
// together: two for the same workload, or two of the same name. Disabled ones
// count too, as in Kruise.
func Conflicts(rollouts []Rollout) []FieldError {
	var list []FieldError
	for i, r := range rollouts {
		d, _ := dialectOf(r.Source)
		for _, other := range rollouts[:i] {
			if other.Namespace != r.Namespace {
				continue
			}
			if other.Name == r.Name && other.Source == r.Source {
				list = append(list, FieldError{Document: r.Name, Path: "metadata.name", Found: r.Name,
					Problem: "two Rollouts have this name", Remedy: "rename one of them"})
			}
			if other.Workload == r.Workload {
				list = append(list, FieldError{Document: r.Name, Path: d.workload, Found: r.Workload.Kind + " " + r.Workload.Name,
					Problem: fmt.Sprintf("This rollout conflict with Rollout(%s/%s), one workload only have less than one Rollout", other.Namespace, other.Name),
					Remedy:  "apply one of them at a time"})
			}
		}
	}
	return list
}

// ValidateUpdate returns why a document cannot take the place of the one that a
// rollout under way was started with; nil where it can. Its workload, its route
// and the isolation of its pods are what the rollout holds in its hands. Whoever
// admits an edit asks this.
func ValidateUpdate(running, next Rollout) error {
	const remedy = "abort or finish the rollout under way first"
	d, _ := dialectOf(next.Source)
	var errs Errors
	if running.Workload != next.Workload || running.Namespace != next.Namespace {
		errs = append(errs, FieldError{Path: d.workload, Problem: "Rollout 'ObjectRef' field is immutable", Remedy: remedy})
	}
	if running.Traffic.Service != next.Traffic.Service || running.Traffic.Ingress != next.Traffic.Ingress {
		errs = append(errs, FieldError{Path: routesPath, Problem: "Rollout 'Strategy.Canary|BlueGreen.TrafficRoutings' field is immutable", Remedy: remedy})
	}
	isolation := canaryPath + ".isolation"
	if d.kruise {
		isolation = annotationPath(AnnotationIsolation)
	}
	if running.BySelector() != next.BySelector() {
		errs = append(errs, FieldError{Path: isolation, Problem: "the isolation of canary pods is immutable", Remedy: remedy})
	}
	if next.Source == kruisebeta.APIVersion && len(running.Steps) != len(next.Steps) {
		errs = append(errs, FieldError{Path: stepsPath, Problem: "Amount of Rollout steps are immutable",
			Found: fmt.Sprintf("%d steps, %d before", len(next.Steps), len(running.Steps)), Remedy: remedy})
	}
	return errs.orNil()
}
