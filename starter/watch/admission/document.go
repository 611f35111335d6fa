package admission

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/kruise"
	kruisealpha "sluice.dev/sluice/config/kruise/v1alpha1"
	kruisebeta "sluice.dev/sluice/config/kruise/v1beta1"
	"sluice.dev/sluice/starter/watch/projection"
)

// Parse reads a Rollout object by the rules of `sluice lint`. An object of
// Kruise's group may be in the form of either version, whichever it was read in.
func Parse(obj *unstructured.Unstructured) (config.Rollout, error) {
	data, err := bare(obj).MarshalJSON()
	if err != nil {
		return config.Rollout{}, fmt.Errorf("reading Rollout %s/%s: %w", obj.GetNamespace(), obj.GetName(), err)
	}
	return config.ParseOne(data, config.Options{Namespace: obj.GetNamespace()})
}

// bare returns what a person has written of an object, in the version that its
// fields belong to.
func bare(obj *unstructured.Unstructured) *unstructured.Unstructured {
	spec := obj.Object["spec"]
	annotations := obj.GetAnnotations()
	written := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	written.SetAPIVersion(obj.GetAPIVersion())
	if obj.GroupVersionKind().Group == kruise.Group {
		written.SetAPIVersion(kruisebeta.APIVersion)
		if _, alpha, _ := unstructured.NestedMap(obj.Object, "spec", "objectRef"); alpha {
			written.SetAPIVersion(kruisealpha.APIVersion)
		}
	}
	written.SetKind("Rollout")
	written.SetName(obj.GetName())
	written.SetNamespace(obj.GetNamespace())
	if len(annotations) > 0 {
		written.SetAnnotations(annotations)
	}
	return written
}

// decided are the phases in which a rollout may be open.
var decided = []string{projection.PhaseProgressing, projection.PhaseTerminating, projection.PhaseDisabling}

// CheckEdit refuses an edit of what is decided once per rollout, while one may be
// open. Of the route, only its two times may change. Both objects have been read.
func CheckEdit(phase string, before, after *config.Rollout) error {
	if !slices.Contains(decided, phase) {
		return nil
	}
	var errs []error
	immutable := func(changed bool, field string, but ...string) {
		if changed {
			errs = append(errs, fmt.Errorf("%s is immutable while the Rollout is %s%s: promote or abort first", field, phase, strings.Join(but, "")))
		}
	}
	immutable(before.Workload != after.Workload, "spec.workloadRef")
	route := before.Traffic
	route.Grace, route.ConfirmTimeout = after.Traffic.Grace, after.Traffic.ConfirmTimeout
	immutable(!reflect.DeepEqual(route, after.Traffic), "spec.strategy.canary.trafficRoutings", " (gracePeriodSeconds and confirmTimeout may change)")
	immutable(before.BySelector() != after.BySelector(), "spec.isolation")
	immutable(after.Source == kruisebeta.APIVersion && len(before.Steps) != len(after.Steps), "the number of spec.strategy.canary.steps")
	return errors.Join(errs...)
}
