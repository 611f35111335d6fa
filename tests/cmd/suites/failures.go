package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// errorMark is in the first line of what an assertion says when it fails.
const errorMark = "Error Trace:"

const (
	// blockLines is how many lines of one failed assertion are repeated,
	// blockHead how many of them are its first ones.
	blockLines, blockHead = 18, 6
	// whyLines is how many lines are repeated of all of them.
	whyLines = 30
	// whyWidth bounds one of the lines: compared objects are one line each.
	whyWidth = 240
)

// briefWidth bounds the line that says why a test failed.
const briefWidth = 300

// brief says in one line why a test failed: what its first failed assertion says,
// or else the first line that it logged.
func brief(test string, output []string) string {
	said := assertions(output)
	if len(said) == 0 {
		said = shortened(slices.DeleteFunc(lines(output), func(line string) bool { return !strings.Contains(line, ".go:") }))
		said = said[:min(1, len(said))]
	}
	said = slices.DeleteFunc(said, func(line string) bool { return strings.HasPrefix(line, "Test:") })
	text := strings.Join(strings.Fields(test+": "+strings.Join(said, " ")), " ")
	if utf8.RuneCountInString(text) > briefWidth {
		text = string([]rune(text)[:briefWidth]) + "..."
	}
	return text
}

// lines splits what a test has printed into its lines.
func lines(output []string) []string { return slices.Collect(strings.Lines(strings.Join(output, ""))) }

// assertions returns what the failed assertions in a test's output say: where,
// what was expected, and the name of the test. Whatever a test has logged after
// them is left out, so that a long dump cannot hide them.
func assertions(output []string) []string {
	var all, block []string
	flush := func() {
		all = append(all, shortened(block)...)
		block = nil
	}
	for line := range strings.Lines(strings.Join(output, "")) {
		indented := strings.HasPrefix(strings.TrimLeft(line, " "), "\t")
		switch {
		case strings.Contains(line, errorMark):
			flush()
			block = append(block, line)
		case len(block) > 0 && indented:
			block = append(block, line)
		case len(block) > 0:
			flush()
		}
	}
	flush()
	return all
}

// shortened keeps the beginning and the end of a block, each line cut.
func shortened(block []string) []string {
	if extra := len(block) - blockLines; extra > 0 {
		end := block[blockHead+extra:]
		block = append(block[:blockHead:blockHead], fmt.Sprintf("\t(%d lines)\n", extra))
		block = append(block, end...)
	}
	for i, line := range block {
		line = strings.TrimSpace(line)
		if utf8.RuneCountInString(line) > whyWidth {
			line = string([]rune(line)[:whyWidth]) + "..."
		}
		block[i] = line
	}
	return block
}
