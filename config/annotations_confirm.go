package config

import (
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	own "sluice.dev/sluice/config/v1alpha1"
)

// Annotations with which a Kruise document says how changes are confirmed.
const (
	// AnnotationConfirm pins the level.
	AnnotationConfirm = own.Group + "/confirm"
	// AnnotationProbe says how canary's answers are told, as YAML.
	AnnotationProbe = own.Group + "/probe"
)

// annotateConfirm reads one of these annotations; false where it is none.
func (d *draft) annotateConfirm(r *report, key, value string) bool {
	switch key {
	case AnnotationConfirm:
		d.eachConfirm(func(c *own.Confirm) { c.Level = value })
	case AnnotationProbe:
		probe := readProbe(r, annotationPath(key), value)
		d.eachConfirm(func(c *own.Confirm) { c.Probe = probe })
	default:
		return false
	}
	return true
}

// readProbe reads the YAML of an annotation.
func readProbe(r *report, path, value string) *own.Probe {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(value), &node); err != nil || len(node.Content) == 0 {
		r.add(path, "not a map of fields", "write YAML such as {path: /version, header: X-Version}")
		return nil
	}
	// The lines of the annotation's own text mean nothing in the document.
	line := r.line(path)
	probe := &own.Probe{}
	decode(r, path, node.Content[0], reflect.ValueOf(probe).Elem())
	for p := range r.lines {
		if strings.HasPrefix(p, path+".") {
			r.lines[p] = line
		}
	}
	return probe
}

// eachConfirm changes how the routes of the document are confirmed.
func (d *draft) eachConfirm(change func(*own.Confirm)) {
	if d.doc.Spec.Strategy.Canary == nil {
		return
	}
	routes := d.doc.Spec.Strategy.Canary.TrafficRoutings
	for i := range routes {
		if routes[i].Confirm == nil {
			routes[i].Confirm = &own.Confirm{}
		}
		change(routes[i].Confirm)
	}
}
