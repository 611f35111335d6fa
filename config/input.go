package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"
)

// Limits of an input. A document with 50 steps of 16 matches stays far below.
const (
	// MaxInputBytes is the size of the largest input that is read.
	MaxInputBytes = 1 << 20
	maxDepth      = 64
	maxNodes      = 100_000
)

// Tags of the YAML types that documents are made of.
const (
	tagNull      = "!!null"
	tagBool      = "!!bool"
	tagInt       = "!!int"
	tagFloat     = "!!float"
	tagString    = "!!str"
	tagTimestamp = "!!timestamp"
	tagMerge     = "!!merge"
)

// readDocuments splits an input into its documents. Empty ones are left out.
func readDocuments(data []byte) ([]*yaml.Node, error) {
	if len(data) > MaxInputBytes {
		return nil, fmt.Errorf("reading documents: %d bytes are more than the %d that are accepted", len(data), MaxInputBytes)
	}
	if json.Valid(data) {
		data = jsonEscapes.ReplaceAllFunc(data, yamlEscape)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var documents []*yaml.Node
	nodes := 0
	for {
		document, err := nextDocument(decoder)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading documents: %w", err)
		}
		if err := measure(document, 0, &nodes); err != nil {
			return nil, fmt.Errorf("reading documents: %w", err)
		}
		if document.Tag != tagNull {
			documents = append(documents, document)
		}
	}
}

// nextDocument reads one document; io.EOF after the last. The YAML library
// panics on some malformed inputs, which must not take a server down.
func nextDocument(decoder *yaml.Decoder) (node *yaml.Node, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("malformed YAML: %v", cause)
		}
	}()
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return nil, err
	}
	return document.Content[0], nil
}

// measure bounds depth and size of a document with its aliases expanded: a few
// bytes of nested aliases can stand for billions of nodes.
func measure(node *yaml.Node, depth int, nodes *int) error {
	*nodes++
	if depth > maxDepth {
		return fmt.Errorf("line %d: nested more than %d levels deep", node.Line, maxDepth)
	}
	if *nodes > maxNodes {
		return fmt.Errorf("line %d: more than %d values, with aliases expanded", node.Line, maxNodes)
	}
	if node.Kind == yaml.AliasNode {
		return measure(node.Alias, depth+1, nodes)
	}
	for _, child := range node.Content {
		if err := measure(child, depth+1, nodes); err != nil {
			return err
		}
	}
	return nil
}

// resolve follows aliases. It ends because measure has refused cycles.
func resolve(node *yaml.Node) *yaml.Node {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

// jsonEscapes finds the escapes of JSON that the YAML library does not know: a
// slash, and a character written as two surrogates. The last alternative steps
// over every other escape.
var jsonEscapes = regexp.MustCompile(`(?i)\\/|\\ud[89ab][0-9a-f]{2}\\ud[cdef][0-9a-f]{2}|\\.`)

func yamlEscape(escape []byte) []byte {
	if string(escape) == `\/` {
		return []byte("/")
	}
	if len(escape) != len(`\ud83d\ude00`) {
		return escape
	}
	high, errHigh := strconv.ParseUint(string(escape[2:6]), 16, 32)
	low, errLow := strconv.ParseUint(string(escape[8:12]), 16, 32)
	if err := errors.Join(errHigh, errLow); err != nil {
		return escape
	}
	return []byte(string(utf16.DecodeRune(rune(high), rune(low))))
}
