package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// WriteTable writes the report for people.
func (r *Report) WriteTable(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "sluice %s, %s, %s\n", r.Version, r.Date.Format(time.DateOnly), r.Machine)
	if r.Quick {
		b.WriteString("A quick run: its counts are too small to compare the figures with anything.\n")
	}
	for _, key := range slices.Sorted(maps.Keys(r.Settings)) {
		fmt.Fprintf(&b, "  %s: %s\n", key, r.Settings[key])
	}
	b.WriteByte('\n')
	lines := [][]string{{"", "Sluice", "of", "target", "", "Argo", "Kruise", "Flagger"}}
	for _, row := range r.inOrder() {
		lines = append(lines, row.cells())
	}
	writeLines(&b, lines, 1)
	r.writeMissed(&b)
	fmt.Fprintf(&b, "\nPeers: %s\n", PeersNote)
	for _, d := range r.Details {
		fmt.Fprintf(&b, "\n%s: %s\n", d.Case, d.Title)
		writeLines(&b, append([][]string{d.Header}, d.Lines...), numbersFrom(d.Lines))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Failures)) {
		fmt.Fprintf(&b, "\n%s FAILED: %s\n", name, r.Failures[name])
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	return nil
}

// writeMissed says of every missed target what holds it back.
func (r *Report) writeMissed(b *strings.Builder) {
	title := "\nMissed, and why:\n"
	for _, row := range r.inOrder() {
		if row.Reason != "" {
			fmt.Fprintf(b, "%s  %s, by %s: %s\n", title, row.ID, row.over(), row.Reason)
			title = ""
		}
	}
}

// over is by how much a target is missed.
func (row Row) over() string { return withUnit(row.Value-row.Target, row.Unit) }

func (row Row) cells() []string {
	target, verdict := "", ""
	if row.Met != nil {
		target, verdict = withUnit(row.Target, row.Unit), "met"
		if !*row.Met {
			verdict = "MISSED by " + row.over()
		}
	}
	return []string{
		row.Title, withUnit(row.Value, row.Unit), strconv.Itoa(row.Of), target, verdict,
		row.Peers.Argo, row.Peers.Kruise, row.Peers.Flagger,
	}
}

// numbersFrom returns the first column from which on all cells are short.
func numbersFrom(lines [][]string) int {
	const short = 12
	from := 0
	for _, line := range lines {
		for i, cell := range line {
			if utf8.RuneCountInString(cell) > short {
				from = max(from, i+1)
			}
		}
	}
	return from
}

// writeLines writes columns, those from a number on aligned to the right.
func writeLines(b *strings.Builder, lines [][]string, right int) {
	widths := map[int]int{}
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		padded := make([]string, len(line))
		for i, cell := range line {
			blank := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if padded[i] = cell + blank; i >= right {
				padded[i] = blank + cell
			}
		}
		fmt.Fprintln(b, "  "+strings.TrimRight(strings.Join(padded, "  "), " "))
	}
}
