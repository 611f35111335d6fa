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

// wrap breaks text into lines, between words where it can: the first of at most
// first columns, the others of at most rest.
func wrap(text string, first, rest int) []string {
	return fill(strings.Fields(text), " ", first, rest)
}

// wrapQuery breaks PromQL into lines between its words, where it may be broken
// and joined again without being another query: never inside of a text.
func wrapQuery(text string, first, rest int) []string {
	var words []string
	begin, quote := 0, rune(0)
	for i, r := range text {
		switch {
		case quote != 0:
			if r == quote && (quote == '`' || !escaped(text[begin:i])) {
				quote = 0
			}
		case strings.ContainsRune("\"'`", r):
			quote = r
		case strings.ContainsRune(" ,({)}", r):
			words = append(words, text[begin:i+1])
			begin = i + 1
		}
	}
	return fill(append(words, text[begin:]), "", first, rest)
}

// escaped says whether what follows a text is escaped by its end.
func escaped(text string) bool {
	return (len(text)-len(strings.TrimRight(text, `\`)))%2 == 1
}

// fill puts words into lines, glued.
func fill(words []string, glue string, first, rest int) []string {
	const widest = 2 // columns that one character may need
	limit, rest := max(first, widest), max(rest, widest)
	var lines []string
	line := ""
	end := func() {
		lines = append(lines, strings.TrimRight(line, " "))
		line, limit = "", rest
	}
	for _, word := range words {
		if line != "" && columns.StringWidth(line)+len(glue)+columns.StringWidth(strings.TrimRight(word, " ")) > limit {
			end()
		}
		if line != "" {
			line += glue
		}
		line += word
		for columns.StringWidth(strings.TrimRight(line, " ")) > limit {
			whole := line
			line = columns.Truncate(whole, limit, "")
			if line == "" {
				line = whole
				break
			}
			tail := whole[len(line):]
			end()
			line = tail
		}
	}
	if line != "" {
		end()
	}
	return lines
}

// age is a length of time in the words of kubectl.
func age(d time.Duration) string { return duration.HumanDuration(max(0, d)) }

// short is a length of time without the parts that are zero: 10m, not 10m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// bar draws how far something is: what is confirmed, and what is asked beyond
// that. Both are percentages.
func bar(confirmed, asked, width int) string {
	cells := func(percent int) int { return max(0, min(percent, 100)) * width / 100 }
	full := cells(confirmed)
	more := max(0, cells(asked)-full)
	return "[" + strings.Repeat("#", full) + strings.Repeat("+", more) + strings.Repeat("-", width-full-more) + "]"
}
