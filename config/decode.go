package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The decoder is ours because the libraries at hand stop at the first wrong
// type, know no lines, or suggest nothing; a document is answered once, with
// everything that is wrong with it.

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	intOrString     = reflect.TypeFor[intstr.IntOrString]()
	wholeNumber     = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
)

// decode reads a node into v, field by field, and reports whatever does not
// fit; the rest of v is set nevertheless.
func decode(r *report, path string, node *yaml.Node, v reflect.Value) {
	node = resolve(node)
	r.nodes[path] = node
	if _, known := r.lines[path]; !known {
		r.lines[path] = node.Line
	}
	if node.Tag == tagNull {
		return // as for Kubernetes, null is the same as absent
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch {
	case v.Type() == intOrString:
		decodeIntOrString(r, path, node, v)
	case v.Addr().Type().Implements(textUnmarshaler):
		decodeText(r, path, node, v)
	case v.Kind() == reflect.Interface:
		// Accepted and ignored, whatever it is.
	case v.Kind() == reflect.Struct:
		decodeStruct(r, path, node, v)
	case v.Kind() == reflect.Slice:
		decodeSlice(r, path, node, v)
	case v.Kind() == reflect.Map:
		decodeMap(r, path, node, v)
	case v.Kind() == reflect.Float64:
		decodeFloat(r, path, node, v)
	default:
		decodeScalar(r, path, node, v)
	}
}

func decodeStruct(r *report, path string, node *yaml.Node, v reflect.Value) {
	if node.Kind != yaml.MappingNode {
		r.unreadable(path, node, "must be a map of fields", "known fields: "+strings.Join(fieldNames(v.Type()), ", "))
		return
	}
	for _, e := range entries(r, path, node) {
		field, ok := fieldByName(v, e.name)
		if !ok {
			unknownField(r, path, e, fieldNames(v.Type()))
			continue
		}
		r.lines[joinPath(path, e.name)] = e.key.Line
		decode(r, joinPath(path, e.name), e.value, field)
	}
}

func unknownField(r *report, path string, e entry, known []string) {
	remedy := "known fields: " + strings.Join(known, ", ")
	if near := Nearest(e.name, known); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
		// The field that was meant is not also missing.
		if meant := joinPath(path, near); r.nodes[meant] == nil {
			r.broken[meant] = true
		}
	}
	r.misnamed(joinPath(path, e.name), e.key, "unknown field", remedy)
}

func decodeSlice(r *report, path string, node *yaml.Node, v reflect.Value) {
	if node.Kind != yaml.SequenceNode {
		r.unreadable(path, node, "must be a list", `start each item with "- "`)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content)))
	for i, item := range node.Content {
		if resolve(item).Tag == tagNull {
			r.unreadable(indexPath(path, i), item, "empty item in a list", "fill it in or remove it")
			continue
		}
		decode(r, indexPath(path, i), item, v.Index(i))
	}
}

func decodeMap(r *report, path string, node *yaml.Node, v reflect.Value) {
	if node.Kind != yaml.MappingNode {
		r.unreadable(path, node, "must be a map of names to texts", "")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range entries(r, path, node) {
		value := reflect.New(v.Type().Elem()).Elem()
		r.lines[joinPath(path, e.name)] = e.key.Line
		decode(r, joinPath(path, e.name), e.value, value)
		v.SetMapIndex(reflect.ValueOf(e.name), value)
	}
}

func decodeScalar(r *report, path string, node *yaml.Node, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if isText(node) {
			v.SetString(node.Value)
			return
		}
		remedy := ""
		if node.Kind == yaml.ScalarNode {
			remedy = fmt.Sprintf("write it in quotes: %q", node.Value)
		}
		r.unreadable(path, node, "must be a text", remedy)
	case reflect.Bool:
		if node.Kind != yaml.ScalarNode || node.Tag != tagBool {
			r.unreadable(path, node, "must be true or false", "write true or false, without quotes")
			return
		}
		v.SetBool(strings.EqualFold(node.Value, "true"))
	default:
		n, ok := decodeInt(r, path, node, v.Type().Bits())
		if ok {
			v.SetInt(n)
		}
	}
}

func decodeInt(r *report, path string, node *yaml.Node, bits int) (int64, bool) {
	if node.Kind == yaml.ScalarNode && node.Tag == tagInt && wholeNumber.MatchString(node.Value) {
		if n, err := strconv.ParseInt(node.Value, 10, bits); err == nil {
			return n, true
		}
		r.unreadable(path, node, "the number is too large", fmt.Sprintf("write at most %d", int64(1)<<(bits-1)-1))
		return 0, false
	}
	r.unreadable(path, node, "must be a whole number", "write decimal digits without quotes, such as 30")
	return 0, false
}

// decodeFloat reads a number; infinities and what is not a number are refused.
func decodeFloat(r *report, path string, node *yaml.Node, v reflect.Value) {
	if node.Kind == yaml.ScalarNode && (node.Tag == tagInt || node.Tag == tagFloat) {
		if f, err := strconv.ParseFloat(node.Value, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			v.SetFloat(f)
			return
		}
	}
	r.unreadable(path, node, "must be a number", "write decimal digits without quotes, such as 0.99")
}

func decodeIntOrString(r *report, path string, node *yaml.Node, v reflect.Value) {
	if isText(node) {
		v.Set(reflect.ValueOf(intstr.FromString(node.Value)))
		return
	}
	if node.Kind != yaml.ScalarNode || node.Tag != tagInt {
		r.unreadable(path, node, "must be a number or a percentage", `write a number such as 3 or a percentage such as "30%"`)
		return
	}
	if n, ok := decodeInt(r, path, node, 32); ok {
		v.Set(reflect.ValueOf(intstr.FromInt32(int32(n))))
	}
}

func decodeText(r *report, path string, node *yaml.Node, v reflect.Value) {
	if !isText(node) && (node.Kind != yaml.ScalarNode || node.Tag != tagInt) {
		r.unreadable(path, node, "must be a text or a whole number", "")
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(node.Value)); err != nil {
		problem, remedy, _ := strings.Cut(err.Error(), ": ")
		r.unreadable(path, node, problem, remedy)
	}
}

// isText tells texts from numbers and truth values. A date without quotes is a
// text for kubectl too.
func isText(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && (node.Tag == tagString || node.Tag == tagTimestamp)
}
