package cli

import "strings"

// style is how a terminal draws a piece of text.
type style string

// The styles, as parameters of the terminal's "select graphic rendition".
const (
	stylePlain  style = ""
	styleBold   style = "1"
	styleDim    style = "2"
	styleGood   style = "32"
	styleNotice style = "33"
	styleBad    style = "31"
)

// page is text for people, never wider than its width.
type page struct {
	width  int
	colour bool
	lines  []string
}

// String returns the page, each line ended.
func (p *page) String() string {
	if len(p.lines) == 0 {
		return ""
	}
	return strings.Join(p.lines, "\n") + "\n"
}

// draw gives a text a style where colours are wanted. The text has been measured
// before.
func (p *page) draw(s style, text string) string {
	if !p.colour || s == stylePlain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// line adds one line, cut where it is too long.
func (p *page) line(s style, text string) {
	p.lines = append(p.lines, p.draw(s, strings.TrimRight(truncate(clean(text), p.width), " ")))
}

// paragraph adds text that goes on in indented lines.
func (p *page) paragraph(s style, first, indent, text string) {
	p.indented(s, first, indent, wrap(clean(text), p.width-columns.StringWidth(first), p.width-columns.StringWidth(indent)))
}

// query adds PromQL that goes on in indented lines.
func (p *page) query(s style, first, indent, text string) {
	p.indented(s, first, indent, wrapQuery(clean(text), p.width-columns.StringWidth(first), p.width-columns.StringWidth(indent)))
}

func (p *page) indented(s style, first, indent string, lines []string) {
	for i, line := range lines {
		lead := indent
		if i == 0 {
			lead = first
		}
		p.lines = append(p.lines, lead+p.draw(s, line))
	}
}

// labelWidth is the column in which the values of fields begin.
const labelWidth = 11

// field adds a label and its value; nothing where there is no value.
func (p *page) field(s style, label, text string) {
	indent := strings.Repeat(" ", labelWidth)
	p.paragraph(s, pad(label, labelWidth), indent, text)
}

// rows adds a table: columns as wide as they need to be, the widest ones cut
// until the table fits.
func (p *page) rows(indent string, rows [][]string, styleOf func(row int) style) {
	widths := columnWidths(rows, p.width-len(indent))
	for i, row := range rows {
		var b strings.Builder
		for j, cell := range row {
			cell = truncate(clean(cell), widths[j])
			if j < len(row)-1 {
				cell = pad(cell, widths[j]) + gap
			}
			b.WriteString(cell)
		}
		p.lines = append(p.lines, indent+p.draw(styleOf(i), strings.TrimRight(b.String(), " ")))
	}
}

// gap stands between columns.
const gap = "  "

// minColumn is the width below which a column is not cut.
const minColumn = 4

func columnWidths(rows [][]string, limit int) []int {
	var widths []int
	for _, row := range rows {
		for j, cell := range row {
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], columns.StringWidth(clean(cell)))
		}
	}
	total := len(gap) * max(0, len(widths)-1)
	for _, w := range widths {
		total += w
	}
	for total > limit {
		widest := 0
		for j, w := range widths {
			if w > widths[widest] {
				widest = j
			}
		}
		if widths[widest] <= minColumn {
			break
		}
		widths[widest]--
		total--
	}
	return widths
}

// headed is the style of tables with a heading.
func headed(row int) style {
	if row == 0 {
		return styleBold
	}
	return stylePlain
}
