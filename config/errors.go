package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// FieldError is one thing that is wrong with one field of a document.
type FieldError struct {
	// Document is the name of the document, or its number in the input where it
	// has no name; empty where the input holds a single document.
	Document string `json:"document,omitempty"`
	// Line of the input, from 1; 0 where it is not known.
	Line int `json:"line,omitempty"`
	// Path of the field, such as spec.strategy.canary.steps[0].replicas; empty
	// where the document as a whole is meant.
	Path string `json:"path,omitempty"`
	// Found is what the document says there, shortened; empty where it says
	// nothing.
	Found string `json:"found,omitempty"`
	// Problem says what is wrong.
	Problem string `json:"problem"`
	// Remedy says what to write instead; may be empty.
	Remedy string `json:"remedy,omitempty"`

	order int // position of the document in the input
}

// Error returns the error as one line.
func (e FieldError) Error() string {
	var b strings.Builder
	if e.Document != "" {
		fmt.Fprintf(&b, "%s: ", e.Document)
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Path != "" {
		fmt.Fprintf(&b, "%s: ", e.Path)
	}
	b.WriteString(e.Problem)
	if e.Found != "" {
		fmt.Fprintf(&b, " (found %s)", e.Found)
	}
	if e.Remedy != "" {
		fmt.Fprintf(&b, "; %s", e.Remedy)
	}
	return b.String()
}

// Errors is everything that is wrong with an input, in the order of its lines.
type Errors []FieldError

// maxPrinted is how many errors of an input are printed; nobody reads more.
const maxPrinted = 100

// Error returns the errors, one per line, the first hundred of them.
func (e Errors) Error() string {
	if len(e) == 1 {
		return e[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d errors:", len(e))
	for _, one := range e[:min(len(e), maxPrinted)] {
		b.WriteString("\n  ")
		b.WriteString(one.Error())
	}
	if more := len(e) - maxPrinted; more > 0 {
		fmt.Fprintf(&b, "\n  and %d more", more)
	}
	return b.String()
}

// orNil keeps a nil Errors from becoming a non-nil error.
func (e Errors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b FieldError) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path))
	})
	return e
}
