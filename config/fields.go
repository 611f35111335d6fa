package config

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// entry is one field of a map in the input.
type entry struct {
	name       string
	key, value *yaml.Node
}

// entries returns the fields of a map, reports those that stand there twice,
// and merges what "<<" brings in; a field of the map itself wins over it.
func entries(r *report, path string, node *yaml.Node) []entry {
	var own []entry
	var merged []*yaml.Node
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := resolve(node.Content[i]), node.Content[i+1]
		switch {
		case key.Tag == tagMerge:
			merged = append(merged, resolve(value))
		case key.Kind != yaml.ScalarNode:
			r.misnamed(path, key, "the name of a field must be a text", "")
		case seen[key.Value]:
			r.misnamed(joinPath(path, key.Value), key, "the field stands here twice", "remove one of them")
		default:
			seen[key.Value] = true
			own = append(own, entry{key.Value, key, value})
		}
	}
	for _, source := range merged {
		own = append(own, mergedEntries(r, path, source, seen)...)
	}
	return own
}

// mergedEntries returns the fields of the map or list of maps behind "<<" that
// are not there yet.
func mergedEntries(r *report, path string, source *yaml.Node, seen map[string]bool) []entry {
	sources := []*yaml.Node{source}
	if source.Kind == yaml.SequenceNode {
		sources = source.Content
	}
	var fields []entry
	for _, s := range sources {
		if s = resolve(s); s.Kind != yaml.MappingNode {
			r.unreadable(joinPath(path, "<<"), s, "only a map can be merged", "")
			continue
		}
		for _, e := range entries(r, path, s) {
			if !seen[e.name] {
				seen[e.name] = true
				fields = append(fields, e)
			}
		}
	}
	return fields
}

// fieldByName finds the field of a struct by its JSON name, also in the structs
// that it embeds.
func fieldByName(v reflect.Value, name string) (reflect.Value, bool) {
	for _, field := range reflect.VisibleFields(v.Type()) {
		if !field.Anonymous && jsonName(field) == name {
			return v.FieldByIndex(field.Index), true
		}
	}
	return reflect.Value{}, false
}

// fieldNames returns the JSON names of the fields of a struct, in order.
func fieldNames(t reflect.Type) []string {
	var names []string
	for _, field := range reflect.VisibleFields(t) {
		if !field.Anonymous {
			names = append(names, jsonName(field))
		}
	}
	slices.Sort(names)
	return names
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}
