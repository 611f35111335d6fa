package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// clock writes a duration as minutes and seconds.
func clock(d time.Duration) string {
	seconds := int(d.Seconds())
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}

// wrap breaks a text into lines between words. A word that is too long has a
// line of its own.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// align pads the cells of a table, the last column excepted.
func align(rows [][]string) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len(cell))
		}
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		var b strings.Builder
		for j, cell := range row {
			fmt.Fprintf(&b, "%-*s  ", widths[j], cell)
		}
		lines[i] = strings.TrimRight(b.String(), " ")
	}
	return lines
}

// bareWord is what a shell takes as it is.
var bareWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quote writes an argument as a shell reads it.
func quote(arg string) string {
	if bareWord.MatchString(arg) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// commandLines writes a command as it is typed, broken between flags.
func commandLines(args []string) []string {
	var lines []string
	line := "$"
	for i := 0; i < len(args); {
		unit := quote(args[i])
		flag := strings.HasPrefix(args[i], "-")
		for i++; flag && i < len(args) && !strings.HasPrefix(args[i], "-"); i++ {
			unit += " " + quote(args[i])
		}
		if len(line)+1+len(unit) > width-len(` \`) && line != "$" {
			lines, line = append(lines, line+` \`), "   "
		}
		line += " " + unit
	}
	return append(lines, line)
}

// barWidth of bars of shares.
const barWidth = 20

// bar draws a share, 0 to 1.
func bar(share float64) string {
	full := int(share*barWidth + 0.5)
	return strings.Repeat("#", full) + strings.Repeat(".", barWidth-full)
}

// percent writes a share, 0 to 1.
func percent(share float64) string { return fmt.Sprintf("%5.1f %%", 100*share) }
