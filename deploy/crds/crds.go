// Package crds makes the CustomResourceDefinitions of Rollout objects from the
// types that the parser reads, so that both always know the same fields.
//
// rollouts.kruise.io is served as v1alpha1 and v1beta1 without a conversion
// webhook: an object is kept as it was written, and both versions know the
// fields of both. Nothing is lost in either direction, and neither reads nor the
// deletion of a namespace ever wait for a process of ours.
package crds

import (
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/config/kruise"
	kruisealpha "sluice.dev/sluice/config/kruise/v1alpha1"
	kruisebeta "sluice.dev/sluice/config/kruise/v1beta1"
	own "sluice.dev/sluice/config/v1alpha1"
	"sluice.dev/sluice/starter/watch/projection"
)

// Resource is the plural name of Rollouts in both groups.
const Resource = "rollouts"

// ManagedBy is the label of definitions that Sluice has installed.
const (
	ManagedBy    = "app.kubernetes.io/managed-by"
	ManagedValue = "sluice"
)

// Definitions is the resource of CustomResourceDefinitions.
var Definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// Groups are the API groups of Rollouts.
var Groups = []string{kruise.Group, own.Group}

// Name of the definition of a group.
func Name(group string) string { return Resource + "." + group }

// All returns the definitions, Kruise's first.
func All() []*unstructured.Unstructured {
	spec := func(t reflect.Type) map[string]any { return schemaOf(t) }
	both := union(spec(reflect.TypeFor[kruisealpha.Spec]()), spec(reflect.TypeFor[kruisebeta.Spec]()))
	return []*unstructured.Unstructured{
		definition(kruise.Group, nil, version("v1beta1", both, true), version("v1alpha1", both, false)),
		definition(own.Group, []any{ShortName}, version("v1alpha1", spec(reflect.TypeFor[own.Spec]()), true)),
	}
}

// ShortName of Rollouts of our own group: where both definitions are installed,
// the plural name alone means those of Kruise's.
const ShortName = "slr"

func definition(group string, shortNames []any, versions ...any) *unstructured.Unstructured {
	names := map[string]any{"kind": "Rollout", "listKind": "RolloutList", "plural": Resource, "singular": "rollout"}
	if len(shortNames) > 0 {
		names["shortNames"] = shortNames
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": Definitions.GroupVersion().String(),
		"kind":       "CustomResourceDefinition",
		"metadata": map[string]any{
			"name":   Name(group),
			"labels": map[string]any{ManagedBy: ManagedValue},
		},
		"spec": map[string]any{
			"group":      group,
			"scope":      "Namespaced",
			"names":      names,
			"conversion": map[string]any{"strategy": "None"},
			"versions":   versions,
		},
	}}
}

func version(name string, spec map[string]any, storage bool) any {
	return map[string]any{
		"name": name, "served": true, "storage": storage,
		"subresources":             map[string]any{"status": map[string]any{}},
		"additionalPrinterColumns": columns(),
		"schema": map[string]any{"openAPIV3Schema": map[string]any{
			"type": "object",
			"properties": map[string]any{
				"apiVersion": map[string]any{"type": "string"},
				"kind":       map[string]any{"type": "string"},
				"metadata":   map[string]any{"type": "object"},
				"spec":       spec,
				"status":     schemaOf(reflect.TypeFor[projection.Status]()),
			},
		}},
	}
}

// columns are those that users of Kruise Rollouts know.
func columns() []any {
	column := func(name, kind, path, about string) any {
		return map[string]any{"name": name, "type": kind, "jsonPath": path, "description": about}
	}
	return []any{
		column("STATUS", "string", ".status.phase", "The phase of the rollout"),
		column("CANARY_STEP", "integer", ".status.currentStepIndex", "The step that the rollout is at, from 1"),
		column("CANARY_STATE", "string", ".status.currentStepState", "Where that step stands"),
		column("MESSAGE", "string", ".status.message", "What happens or what is waited for"),
		column("AGE", "date", ".metadata.creationTimestamp", "The age of the Rollout"),
	}
}
