package crds

import (
	"encoding"
	"maps"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/kruise"
)

// openAPI is a schema as the API server reads it.
type openAPI = map[string]any

var (
	intOrString     = reflect.TypeFor[intstr.IntOrString]()
	timestamp       = reflect.TypeFor[metav1.Time]()
	percent         = reflect.TypeFor[kruise.Percent]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// schemaOf returns the schema of a type of package config, so that the API
// server knows exactly the fields that the parser knows. What values are allowed
// is the business of the rules, which say more than a schema can; only the lengths
// of lists are bounded here, too.
func schemaOf(t reflect.Type) openAPI {
	switch {
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem())
	case t == timestamp:
		return openAPI{"type": "string", "format": "date-time"}
	case t == percent:
		return openAPI{"type": "string"}
	case t == intOrString, reflect.PointerTo(t).Implements(textUnmarshaler):
		return openAPI{"x-kubernetes-int-or-string": true, "anyOf": []any{openAPI{"type": "integer"}, openAPI{"type": "string"}}}
	}
	switch t.Kind() {
	case reflect.Struct:
		properties := openAPI{}
		addFields(properties, t)
		return openAPI{"type": "object", "properties": properties}
	case reflect.Slice:
		return openAPI{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Map:
		return openAPI{"type": "object", "additionalProperties": schemaOf(t.Elem())}
	case reflect.String:
		return openAPI{"type": "string"}
	case reflect.Bool:
		return openAPI{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return openAPI{"type": "number"}
	case reflect.Interface:
		return openAPI{"x-kubernetes-preserve-unknown-fields": true}
	case reflect.Int64:
		return openAPI{"type": "integer", "format": "int64"}
	default:
		return openAPI{"type": "integer", "format": "int32"}
	}
}

// addFields adds the fields of a struct; those of embedded ones are its own.
func addFields(properties openAPI, t reflect.Type) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			addFields(properties, field.Type)
		case name != "" && name != "-":
			properties[name] = bounded(name, schemaOf(field.Type))
		}
	}
}

// mostItems are the limits of lists, as in Kruise's definition and in the rules.
var mostItems = map[string]int64{"steps": config.MaxSteps, "matches": config.MaxMatches}

// bounded returns the schema of a field with the limit of its list, if it has one: it
// holds while the webhook that knows the rules is away, too.
func bounded(name string, field openAPI) openAPI {
	if most, ok := mostItems[name]; ok && field["type"] == "array" {
		field["maxItems"] = most
	}
	return field
}

// union returns a schema that knows the fields of both.
func union(a, b openAPI) openAPI {
	out := maps.Clone(a)
	for key, value := range b {
		have, ok := out[key].(openAPI)
		more, also := value.(openAPI)
		if ok && also {
			out[key] = union(have, more)
		} else if _, there := out[key]; !there {
			out[key] = value
		}
	}
	return out
}
