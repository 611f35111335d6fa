package kube

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Patch is a JSON patch (RFC 6902) in the making. The zero value is empty and
// means that nothing is to be done.
type Patch []Operation

// Operation is one operation of a Patch.
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// MarshalJSON writes an operation; remove has no value, all others have one
// even if it is null.
func (o Operation) MarshalJSON() ([]byte, error) {
	if o.Op == "remove" {
		return json.Marshal(map[string]string{"op": o.Op, "path": o.Path})
	}
	type plain Operation
	return json.Marshal(plain(o))
}

// Set adds or replaces the value at a path.
func (p *Patch) Set(value any, path ...string) {
	*p = append(*p, Operation{Op: "add", Path: Pointer(path...), Value: value})
}

// Remove removes the value at a path, which must exist.
func (p *Patch) Remove(path ...string) {
	*p = append(*p, Operation{Op: "remove", Path: Pointer(path...)})
}

// Test lets the whole patch fail, as a conflict, unless the value at a path is
// this one.
func (p *Patch) Test(value any, path ...string) {
	*p = append(*p, Operation{Op: "test", Path: Pointer(path...), Value: value})
}

// SetIn sets one key of a map at a path, and the map itself where the object
// does not have it yet.
func (p *Patch) SetIn(exists bool, value any, path ...string) {
	if exists {
		p.Set(value, path...)
		return
	}
	last := len(path) - 1
	p.Set(map[string]any{path[last]: value}, path[:last]...)
}

// Pointer builds a JSON pointer from unescaped parts.
func Pointer(path ...string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, part := range path {
		b.WriteByte('/')
		b.WriteString(escape.Replace(part))
	}
	return b.String()
}

// lock lets the patch apply to one version of the object only.
func (p Patch) lock(version string) Patch {
	return append(Patch{{Op: "test", Path: "/metadata/resourceVersion", Value: version}}, p...)
}

func (p Patch) encode() ([]byte, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encoding the patch: %w", err)
	}
	return data, nil
}
