package expression

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

var variable = regexp.MustCompile(`\{\{\s*([A-Za-z][A-Za-z0-9]*)\s*\}\}`)

// Variables returns the names of the variables in a query, each once, sorted.
func Variables(query string) []string {
	var names []string
	for _, found := range variable.FindAllStringSubmatch(query, -1) {
		names = append(names, found[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// maxQuery bounds the bytes of a query: the parser takes seconds for a long one
// that is nested deeply, and a variable that is used often makes a short one long.
const maxQuery = 16 << 10

var errLong = fmt.Errorf("the query is longer than %d bytes: write a shorter one, or a recording rule in Prometheus", maxQuery)

// Fill replaces the variables of a query by their values. The error names those
// that are not known, and braces that are no variable.
func Fill(query string, values map[string]string) (string, error) {
	var unknown []string
	size := len(query)
	filled := variable.ReplaceAllStringFunc(query, func(text string) string {
		name := variable.FindStringSubmatch(text)[1]
		value, known := values[name]
		if !known {
			unknown = append(unknown, name)
		}
		if size += len(value); size > 2*maxQuery {
			return ""
		}
		return value
	})
	if len(unknown) > 0 {
		return "", fmt.Errorf("unknown variable %s", strings.Join(unknown, ", "))
	}
	if size > 2*maxQuery {
		return "", errLong
	}
	if rest := variable.ReplaceAllString(query, ""); strings.Contains(rest, "{{") {
		return "", errors.New("{{ begins a variable, which is letters and digits and ends with }}")
	}
	return filled, nil
}

// promql is Prometheus' own parser.
var promql = parser.NewParser(parser.Options{})

// CheckQuery says whether a query without variables is PromQL that has one value
// per series: an instant vector or a scalar.
func CheckQuery(query string) error {
	if len(query) > maxQuery {
		return errLong
	}
	parsed, err := promql.ParseExpr(query)
	if err != nil {
		return fmt.Errorf("not valid PromQL: %w", err)
	}
	switch parsed.Type() {
	case parser.ValueTypeVector, parser.ValueTypeScalar:
		return nil
	default:
		return fmt.Errorf("the query has the type %s: it needs an instant vector or a scalar", parser.DocumentedType(parsed.Type()))
	}
}

// CheckCounter says whether a query without variables can be read as counters:
// one value per series that only grows. Rates and increases are refused, because
// they are not counters any more.
func CheckCounter(query string) error {
	if err := CheckQuery(query); err != nil {
		return err
	}
	if len(query) > maxQuery {
		return errLong
	}
	parsed, err := promql.ParseExpr(query)
	if err != nil {
		return err
	}
	if parsed.Type() == parser.ValueTypeScalar {
		return errors.New("a scalar is no counter: leave out scalar()")
	}
	var problem error
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if call, ok := node.(*parser.Call); ok && slices.Contains(ofRanges, call.Func.Name) {
			problem = fmt.Errorf("%s() is not a counter: leave it out, Sluice takes the differences itself and sees the first error, too", call.Func.Name)
		}
		return nil
	})
	return problem
}

// ReadsLatest says whether a query without variables reads the latest sample of a
// series however old it is, up to Prometheus' 5 minutes: a selector without a
// range, in a query that does not look at the time of samples.
func ReadsLatest(query string) bool {
	parsed, err := promql.ParseExpr(query)
	if err != nil {
		return false
	}
	latest, timed := false, false
	parser.Inspect(parsed, func(node parser.Node, path []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			ranged := false
			if len(path) > 0 {
				_, ranged = path[len(path)-1].(*parser.MatrixSelector)
			}
			latest = latest || !ranged
		case *parser.Call:
			timed = timed || n.Func.Name == "timestamp"
		}
		return nil
	})
	return latest && !timed
}

// ofRanges are the functions that turn counters into something else.
var ofRanges = []string{"rate", "irate", "increase", "delta", "idelta", "deriv"}
