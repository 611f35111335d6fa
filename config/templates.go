package config

import (
	"embed"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	own "sluice.dev/sluice/config/v1alpha1"
)

// kindTemplate is the kind of documents that describe one metric for many
// Rollouts.
const kindTemplate = "MetricTemplate"

//go:embed templates/*.yaml
var readyMade embed.FS

// templates by name.
type templates map[string]own.Metric

// readyTemplates are those that come with Sluice. Their names have a slash, which
// those of others cannot have.
var readyTemplates = sync.OnceValues(func() (templates, error) {
	files, err := readyMade.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("listing the ready-made templates: %w", err)
	}
	all := templates{}
	for _, file := range files {
		data, err := readyMade.ReadFile("templates/" + file.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the ready-made templates: %w", err)
		}
		found, _, err := parseTemplates(data)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file.Name(), err)
		}
		maps.Copy(all, found)
	}
	return all, nil
})

// ReadyTemplates returns the names of the templates that come with Sluice, sorted.
func ReadyTemplates() []string {
	ready, err := readyTemplates()
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(ready))
}

// parseTemplates reads documents of templates, and their names in order.
func parseTemplates(data []byte) (templates, []string, error) {
	documents, err := readDocuments(data)
	if err != nil {
		return nil, nil, err
	}
	found, errs := templates{}, Errors{}
	var order []string
	for _, s := range sourcesOf(documents) {
		r := newReport(s.order, s.prefix)
		r.document = s.label()
		if s.kind != kindTemplate {
			r.append("kind", s.node.Line, s.kind, "only "+kindTemplate+" documents are accepted here", "")
		} else if t, ok := readTemplate(r, s); ok {
			found[t.Metadata.Name] = t.Spec
			order = append(order, t.Metadata.Name)
		}
		errs = append(errs, r.errs...)
	}
	return found, order, errs.orNil()
}

// readTemplate decodes one template; what it says is judged where it is used.
func readTemplate(r *report, s source) (own.MetricTemplate, bool) {
	if s.apiVersion != own.APIVersion {
		r.append("apiVersion", lineOf(s.node, "apiVersion"), s.apiVersion, "unknown version of the "+kindTemplate+" document", "write "+own.APIVersion)
		return own.MetricTemplate{}, false
	}
	t := decodeAs[own.MetricTemplate](r, s.node)
	if t.Metadata.Name == "" {
		r.add("metadata.name", "a template needs a name", "")
	}
	if t.Spec.Template != "" || t.Spec.ConfigMap != "" {
		r.add("spec.template", "a template cannot refer to another one", "write its query here")
	}
	return t, len(r.errs) == 0
}

func lineOf(node *yaml.Node, name string) int {
	if f := field(node, name); f != nil {
		return f.Line
	}
	return node.Line
}

// find returns a template by name: of the same file, or ready-made.
func (t templates) find(name string) (own.Metric, bool) {
	if found, ok := t[name]; ok {
		return found, true
	}
	ready, err := readyTemplates()
	if err != nil {
		return own.Metric{}, false
	}
	found, ok := ready[name]
	return found, ok
}

// names of all templates that can be found.
func (t templates) names() []string {
	return append(slices.Sorted(maps.Keys(t)), ReadyTemplates()...)
}

// merge returns the metric that a template and what is said beside it mean
// together: what is said goes before the template, field by field.
func merge(template, said own.Metric) own.Metric {
	merged := template
	from, to := reflect.ValueOf(said), reflect.ValueOf(&merged).Elem()
	for i := range from.NumField() {
		if !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
	merged.Args = maps.Clone(template.Args)
	if merged.Args == nil {
		merged.Args = map[string]string{}
	}
	maps.Copy(merged.Args, said.Args)
	if said.Duration != nil && said.Count == nil {
		merged.Count = nil
	}
	if said.Count != nil && said.Duration == nil {
		merged.Duration = nil
	}
	if merged.Name == "" {
		merged.Name = strings.ReplaceAll(said.Template, "/", "-")
	}
	merged.Template, merged.ConfigMap = "", ""
	return merged
}
