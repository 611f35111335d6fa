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
)

// applyAnnotations reads our annotations of a Kruise document into the fields
// that our own version has for them, where they are refused.
func applyAnnotations(r *report, d *draft) {
	annotations := d.doc.Metadata.Annotations
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		value, path := annotations[key], annotationPath(key)
		switch {
		case !strings.HasPrefix(key, own.Group+"/"), bypassAnnotation(r, key, value, path):
		case key == AnnotationOnFailure && d.kruise:
			d.doc.Spec.OnFailure = &value
		case key == AnnotationDeadline && d.kruise:
			var period own.Period
			if err := period.UnmarshalText([]byte(value)); err != nil {
				r.add(path, "not a length of time", "write a number with a unit, such as 90s, 5m or 1h30m")
				continue
			}
			d.doc.Spec.Deadline = &period
		case key == AnnotationOnFailure:
			r.add(path, "only Kruise documents say this in an annotation", "write spec.onFailure")
		case key == AnnotationDeadline:
			r.add(path, "only Kruise documents say this in an annotation", "write spec.deadline")
		default:
			remedy := fmt.Sprintf("known are %s and %s", AnnotationOnFailure, AnnotationDeadline)
			if near := Nearest(key, []string{AnnotationOnFailure, AnnotationDeadline}); near != "" {
				remedy = fmt.Sprintf("did you mean %q?", near)
			}
			r.add(path, "unknown annotation", remedy)
		}
	}
}

// settingPath returns where a document of this version says a setting that our
// own version has as a field of spec.
func (d *draft) settingPath(field, annotation string) string {
	if d.kruise {
		return annotationPath(annotation)
	}
	return "spec." + field
}
