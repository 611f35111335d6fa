package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	own "sluice.dev/sluice/config/v1alpha1"
)

// Annotations with which a Kruise document says what it has no fields for.
const (
	AnnotationOnFailure = own.Group + "/on-failure"
	AnnotationDeadline  = own.Group + "/deadline"
	AnnotationOnDrift   = own.Group + "/on-drift"
	// AnnotationAnalysis names the metrics of every step: templates, separated by
	// commas, or configmap/NAME for all templates of a ConfigMap.
	AnnotationAnalysis = own.Group + "/analysis"
	// AnnotationPrometheus is the address of the server that is asked.
	AnnotationPrometheus = own.Group + "/prometheus"
	// AnnotationIsolation is label or selector.
	AnnotationIsolation = own.Group + "/isolation"
)

// annotations that are known, and where our own version says the same.
var annotations = []struct{ key, field string }{
	{AnnotationOnFailure, "spec.onFailure"}, {AnnotationDeadline, "spec.deadline"}, {AnnotationOnDrift, "spec.onDrift"},
	{AnnotationAnalysis, "analysis in each step"}, {AnnotationPrometheus, "spec.prometheus"},
	{AnnotationIsolation, "spec.strategy.canary.isolation"},
	{AnnotationConfirm, "confirm.level in " + routesPath}, {AnnotationProbe, "confirm.probe in " + routesPath},
}

// applyAnnotations reads our annotations of a Kruise document into the fields
// that our own version has for them, where they are refused.
func applyAnnotations(r *report, d *draft) {
	given := d.doc.Metadata.Annotations
	for _, key := range slices.Sorted(maps.Keys(given)) {
		value, path := given[key], annotationPath(key)
		switch {
		case !strings.HasPrefix(key, own.Group+"/"), bypassAnnotation(r, key, value, path):
		case key == AnnotationOnFailure && d.kruise:
			d.doc.Spec.OnFailure = &value
		case key == AnnotationOnDrift && d.kruise:
			d.doc.Spec.OnDrift = &value
		case key == AnnotationDeadline && d.kruise:
			var period own.Period
			if err := period.UnmarshalText([]byte(value)); err != nil {
				r.add(path, "not a length of time", "write a number with a unit, such as 90s, 5m or 1h30m")
				continue
			}
			d.doc.Spec.Deadline = &period
		case key == AnnotationAnalysis && d.kruise:
			d.annotateAnalysis(r, path, value)
		case key == AnnotationPrometheus && d.kruise:
			d.doc.Spec.Prometheus = []own.Prometheus{{Name: DefaultServer, Address: value}}
			d.serversAt = path
		case key == AnnotationIsolation && d.kruise:
			// Where there is no canary strategy, that is what is reported.
			if canary := d.doc.Spec.Strategy.Canary; canary != nil {
				canary.Isolation = &value
			}
		case d.kruise && d.annotateConfirm(r, key, value):
		default:
			misplaced(r, path, key)
		}
	}
}

// misplaced reports an annotation that our own version has a field for, or that
// nobody knows.
func misplaced(r *report, path, key string) {
	var known []string
	for _, a := range annotations {
		if a.key == key {
			r.add(path, "only Kruise documents say this in an annotation", "write "+a.field)
			return
		}
		known = append(known, a.key)
	}
	remedy := "known are " + strings.Join(known, ", ")
	if near := Nearest(key, known); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	r.add(path, "unknown annotation", remedy)
}

// annotateAnalysis gives every step the metrics that the annotation names. A step
// without a written pause is then promoted by them alone.
func (d *draft) annotateAnalysis(r *report, path, value string) {
	var metrics []own.Metric
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if configMap, ok := strings.CutPrefix(name, "configmap/"); ok {
			metrics = append(metrics, own.Metric{ConfigMap: configMap})
		} else if name != "" {
			metrics = append(metrics, own.Metric{Template: name})
		}
	}
	if len(metrics) == 0 {
		r.add(path, "no metric is named", "write names of templates, such as app/success-rate, or configmap/NAME")
		return
	}
	d.metricsAt = path
	if d.doc.Spec.Strategy.Canary == nil {
		return
	}
	for i := range d.doc.Spec.Strategy.Canary.Steps {
		step := &d.doc.Spec.Strategy.Canary.Steps[i]
		step.Analysis = &own.Analysis{Metrics: metrics}
		if !r.has(indexPath(stepsPath, i) + ".pause") {
			step.Pause = nil
		}
	}
}

// settingPath returns where a document of this version says a setting that our
// own version has as a field.
func (d *draft) settingPath(field, annotation string) string {
	if d.kruise {
		return annotationPath(annotation)
	}
	return field
}
