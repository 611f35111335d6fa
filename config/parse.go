package config

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Options say how an input is parsed.
type Options struct {
	// Namespace of the documents that name none; DefaultNamespace where empty.
	Namespace string
	// SkipOtherKinds leaves out documents of other kinds, such as the Deployment
	// in the same file, instead of refusing them.
	SkipOtherKinds bool
}

// kindRollout is the kind of all accepted documents.
const kindRollout = "Rollout"

// Parse reads one or more Rollout documents of any accepted version, as YAML or
// JSON, also as items of a List. The result is defaulted and valid. The error is
// always Errors and holds everything that is wrong with all documents; then no
// rollout is returned.
func Parse(data []byte, opts Options) ([]Rollout, error) {
	documents, err := readDocuments(data)
	if err != nil {
		return nil, Errors{{Problem: err.Error()}}
	}
	sources := sourcesOf(documents)
	var rollouts []Rollout
	var errs Errors
	shared := templates{}
	for _, s := range sources {
		if s.kind == kindTemplate {
			r := newReport(s.order, s.prefix)
			r.document = s.label()
			if t, ok := readTemplate(r, s); ok {
				shared[t.Metadata.Name] = t.Spec
			}
			errs = append(errs, r.errs...)
		}
	}
	for _, s := range sources {
		if s.kind == kindTemplate {
			continue
		}
		r := newReport(s.order, s.prefix)
		if len(sources) > 1 {
			r.document = s.label()
		}
		if rollout := parseSource(r, s, opts, shared); rollout != nil {
			rollouts = append(rollouts, *rollout)
		}
		errs = append(errs, r.errs...)
	}
	if len(errs) == 0 && len(rollouts) == 0 {
		errs = Errors{{Problem: "the input holds no Rollout document", Remedy: "accepted versions: " + strings.Join(APIVersions(), ", ")}}
	}
	if err := errs.orNil(); err != nil {
		return nil, err
	}
	return rollouts, nil
}

// ParseOne is Parse for an input that must hold exactly one Rollout document.
func ParseOne(data []byte, opts Options) (Rollout, error) {
	rollouts, err := Parse(data, opts)
	if err != nil {
		return Rollout{}, err
	}
	if len(rollouts) > 1 {
		names := make([]string, len(rollouts))
		for i, r := range rollouts {
			names[i] = r.Name
		}
		return Rollout{}, Errors{{
			Problem: fmt.Sprintf("the input holds %d Rollout documents: %s", len(rollouts), strings.Join(names, ", ")),
			Remedy:  "give one at a time",
		}}
	}
	return rollouts[0], nil
}

// parseSource returns nil where the document is skipped or wrong.
func parseSource(r *report, s source, opts Options, shared templates) *Rollout {
	if s.node.Kind != yaml.MappingNode {
		r.unreadable("", s.node, "a document must be a map of fields", "start with apiVersion and kind")
		return nil
	}
	if s.apiVersion == "" || s.kind == "" {
		r.append("", s.node.Line, "", "a document needs apiVersion and kind", "accepted versions: "+strings.Join(APIVersions(), ", "))
		return nil
	}
	d, known := dialectOf(s.apiVersion)
	if s.kind != kindRollout {
		if !opts.SkipOtherKinds {
			r.append("kind", field(s.node, "kind").Line, s.kind, "only Rollout documents are accepted", "put other objects in files of their own")
		}
		return nil
	}
	if !known {
		remedy := "accepted versions: " + strings.Join(APIVersions(), ", ")
		r.append("apiVersion", field(s.node, "apiVersion").Line, s.apiVersion, "unknown version of the Rollout document", remedy)
		return nil
	}
	draft := d.read(r, s.node)
	draft.dialect, draft.templates = d, shared
	applyAnnotations(r, &draft)
	setDefaults(&draft)
	validate(r, &draft)
	if len(r.errs) > 0 {
		return nil
	}
	rollout := build(&draft, opts)
	return &rollout
}

func decodeAs[T any](r *report, node *yaml.Node) T {
	var doc T
	decode(r, "", node, reflect.ValueOf(&doc).Elem())
	return doc
}
