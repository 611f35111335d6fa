package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"sluice.dev/sluice/tests/bench/meter"
)

// Report is the result of one run.
type Report struct {
	Date    time.Time     `json:"date"`
	Version string        `json:"version"`
	Quick   bool          `json:"quick,omitempty"`
	Machine meter.Machine `json:"machine"`
	// Settings of the sandbox and sizes of the cases.
	Settings map[string]string `json:"settings"`
	Rows     []Row             `json:"rows"`
	Details  []Detail          `json:"details"`
	// Failures of cases, by name.
	Failures map[string]string `json:"failures,omitempty"`
}

// Row is one figure.
type Row struct {
	ID    string  `json:"id"`
	Title string  `json:"title"`
	Unit  string  `json:"unit,omitempty"`
	Value float64 `json:"value"`
	// Of is the number of measurements behind the value.
	Of     int     `json:"of"`
	Target float64 `json:"target,omitempty"`
	Met    *bool   `json:"met,omitempty"`
	// Reason for a missed target.
	Reason string `json:"reason,omitempty"`
	Peers  Peers  `json:"peers,omitzero"`
}

// Detail is a table that explains figures.
type Detail struct {
	Case   string     `json:"case"`
	Title  string     `json:"title"`
	Header []string   `json:"header"`
	Lines  [][]string `json:"lines"`
}

// Set notes a figure; of is the number of measurements behind it. A figure that
// is not in the catalogue, or that was not measured (NaN), is an error.
func (r *Report) Set(id string, value float64, of int) error {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return fmt.Errorf("noting %s: nothing was measured", id)
	}
	for _, d := range catalogue {
		if d.id != id {
			continue
		}
		row := Row{ID: id, Title: d.title, Unit: d.unit, Value: value, Of: of, Target: d.target, Peers: d.peers}
		if d.target > 0 {
			row.Met = new(value <= d.target)
			if !*row.Met {
				row.Reason = cmp.Or(reasons[id], unexplained)
			}
		}
		r.Rows = append(r.Rows, row)
		return nil
	}
	return fmt.Errorf("noting %s: there is no such figure", id)
}

// Fail notes that a case could not be measured.
func (r *Report) Fail(name string, err error) {
	if r.Failures == nil {
		r.Failures = map[string]string{}
	}
	r.Failures[name] = err.Error()
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// inOrder returns the rows in the order of the catalogue.
func (r *Report) inOrder() []Row {
	var rows []Row
	for _, d := range catalogue {
		for _, row := range r.Rows {
			if row.ID == d.id {
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// number writes a value with about three digits that count.
func number(value float64) string {
	switch {
	case value == math.Trunc(value) && math.Abs(value) < 1e6:
		return fmt.Sprintf("%.0f", value)
	case math.Abs(value) >= 100:
		return fmt.Sprintf("%.0f", value)
	case math.Abs(value) >= 10:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.2f", value)
}

func withUnit(value float64, unit string) string {
	return strings.TrimSpace(number(value) + " " + unit)
}
