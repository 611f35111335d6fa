package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// source is one object of the input: a document, or an item of a List.
type source struct {
	node                   *yaml.Node
	order                  int
	prefix                 string
	apiVersion, kind, name string
}

// label names the source in messages.
func (s source) label() string {
	if s.name != "" {
		return s.name
	}
	return fmt.Sprintf("document %d", s.order)
}

// sourcesOf lists the objects of the input in order.
func sourcesOf(documents []*yaml.Node) []source {
	var sources []source
	for i, document := range documents {
		s := newSource(document, i+1, "")
		items := field(s.node, "items")
		if !strings.HasSuffix(s.kind, "List") || items == nil || items.Kind != yaml.SequenceNode {
			sources = append(sources, s)
			continue
		}
		for j, item := range items.Content {
			sources = append(sources, newSource(item, i+1, indexPath("items", j)+"."))
		}
	}
	return sources
}

func newSource(node *yaml.Node, order int, prefix string) source {
	node = resolve(node)
	return source{
		node:       node,
		order:      order,
		prefix:     prefix,
		apiVersion: text(field(node, "apiVersion")),
		kind:       text(field(node, "kind")),
		name:       text(field(field(node, "metadata"), "name")),
	}
}

// field returns the value of a field of a map, or nil.
func field(node *yaml.Node, name string) *yaml.Node {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return resolve(node.Content[i+1])
		}
	}
	return nil
}

func text(node *yaml.Node) string {
	if node == nil || !isText(node) {
		return ""
	}
	return node.Value
}
