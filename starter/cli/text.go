package cli

import (
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"
	"k8s.io/apimachinery/pkg/util/duration"
)

// columns measures text as terminals draw it. Characters whose width depends on
// the terminal's language count as wide, so that a line is never too long.
var columns = &runewidth.Condition{EastAsianWidth: true, StrictEmojiNeutral: false}

// clean removes what could move the cursor or change the terminal: texts come
// from whoever may send a message to a rollout.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return -1
	}, text)
}

// truncate cuts text to a number of columns.
func truncate(text string, width int) string {
	const tail = "..."
	if columns.StringWidth(text) <= width {
		return text
	}
	if width <= len(tail) {
		return columns.Truncate(text, width, "")
	}
	return columns.Truncate(text, width, tail)
}

// pad fills text with spaces to a number of columns.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-columns.StringWidth(text)))
}

// wrap breaks text into lines of at most width columns, between words where it
// can.
func wrap(text string, width int) []string {
	width = max(width, 2) // a wide character needs two columns
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case columns.StringWidth(line)+1+columns.StringWidth(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
		for columns.StringWidth(line) > width {
			head := columns.Truncate(line, width, "")
			if head == "" {
				break
			}
			lines = append(lines, head)
			line = line[len(head):]
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// age is a length of time in the words of kubectl.
func age(d time.Duration) string { return duration.HumanDuration(max(0, d)) }

// bar draws how far something is: what is confirmed, and what is asked beyond
// that. Both are percentages.
func bar(confirmed, asked, width int) string {
	cells := func(percent int) int { return max(0, min(percent, 100)) * width / 100 }
	full := cells(confirmed)
	more := max(0, cells(asked)-full)
	return "[" + strings.Repeat("#", full) + strings.Repeat("+", more) + strings.Repeat("-", width-full-more) + "]"
}
