package config

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFound is how much of a value an error repeats.
const maxFound = 60

// report collects what is wrong with one document and knows where in the input
// each of its fields stands.
type report struct {
	document string
	order    int
	// prefix stands before every path, for items of a List.
	prefix string
	nodes  map[string]*yaml.Node
	lines  map[string]int
	// broken paths could not be read; what validation says about them would
	// only repeat it.
	broken map[string]bool
	errs   Errors
}

func newReport(order int, prefix string) *report {
	return &report{
		order:  order,
		prefix: prefix,
		nodes:  map[string]*yaml.Node{},
		lines:  map[string]int{},
		broken: map[string]bool{},
	}
}

// add reports a problem with a field, unless the field could not be read.
func (r *report) add(path, problem, remedy string) {
	for p := path; p != ""; p = parentPath(p) {
		if r.broken[p] {
			return
		}
	}
	said := ""
	if node := r.nodes[path]; node != nil && node.Kind == yaml.ScalarNode {
		said = found(node)
	}
	r.append(path, r.line(path), said, problem, remedy)
}

// unreadable reports that a field cannot be read at all.
func (r *report) unreadable(path string, node *yaml.Node, problem, remedy string) {
	r.broken[path] = true
	if _, known := r.lines[path]; !known {
		r.lines[path] = node.Line
	}
	r.append(path, r.lines[path], found(node), problem, remedy)
}

// misnamed reports that the name of a field is wrong, whatever its value.
func (r *report) misnamed(path string, key *yaml.Node, problem, remedy string) {
	r.broken[path] = true
	r.append(path, key.Line, "", problem, remedy)
}

func (r *report) append(path string, line int, found, problem, remedy string) {
	r.errs = append(r.errs, FieldError{
		Document: r.document,
		Line:     line,
		Path:     strings.TrimSuffix(r.prefix+path, "."),
		Found:    found,
		Problem:  problem,
		Remedy:   remedy,
		order:    r.order,
	})
}

// line returns where the field stands, or the nearest field around it.
func (r *report) line(path string) int {
	for p := path; p != ""; p = parentPath(p) {
		if line, known := r.lines[p]; known {
			return line
		}
	}
	return r.lines[""]
}

// brokenBelow tells whether a field below a path could not be read.
func (r *report) brokenBelow(path string) bool {
	for p := range r.broken {
		if strings.HasPrefix(p, path) {
			return true
		}
	}
	return false
}

// has tells whether the document says anything at a path.
func (r *report) has(path string) bool {
	node := r.nodes[path]
	return node != nil && node.Tag != tagNull
}

func parentPath(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// joinPath appends a field name to a path; names that are not plain words, such
// as annotation keys, are put in brackets.
func joinPath(path, name string) string {
	switch {
	case strings.ContainsAny(name, "./[] \t\n"):
		return path + "[" + strconv.Quote(name) + "]"
	case path == "":
		return name
	default:
		return path + "." + name
	}
}

func indexPath(path string, i int) string {
	return path + "[" + strconv.Itoa(i) + "]"
}

// found renders the value of a node for a message.
func found(node *yaml.Node) string {
	node = resolve(node)
	if node == nil {
		return ""
	}
	switch node.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	switch node.Tag {
	case tagNull:
		return "null"
	case tagString:
		return strconv.Quote(shorten(node.Value))
	default:
		return shorten(node.Value)
	}
}

func shorten(text string) string {
	runes := []rune(text)
	if len(runes) <= maxFound {
		return text
	}
	return string(runes[:maxFound-1]) + "…"
}
