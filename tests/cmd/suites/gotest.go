package main

import (
	"bufio"
	"encoding/json"
	"io"
	"slices"
	"strings"
)

// counts of tests.
type counts struct {
	passed, failed, skipped int
}

func (c *counts) add(d counts) {
	c.passed += d.passed
	c.failed += d.failed
	c.skipped += d.skipped
}

// event is one line of `go test -json`.
type event struct {
	Action, Package, ImportPath, Test, Output string
	FailedBuild                               string
}

// testKey names a test, or with an empty test a package.
type testKey struct{ pkg, test string }

// testReader counts what `go test -json` reports and keeps the output of what
// fails. A test with subtests counts as one more.
type testReader struct {
	counts
	log io.Writer // the output as `go test -v` would print it
	see func(current string)

	output  map[testKey][]string // of what has not ended, and of builds
	failing map[string]bool      // packages with a failed test
	reasons []string             // output of what failed
	why     []string             // what failed assertions say
	briefs  []string             // a line for each test that failed

	failure func(brief string) // told of each failed test, if not nil
}

func newTestReader(log io.Writer, see func(string)) *testReader {
	return &testReader{log: log, see: see, output: map[testKey][]string{}, failing: map[string]bool{}}
}

// read reads until the end.
func (r *testReader) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Action == "" {
			// What the toolchain says about itself is not JSON.
			e = event{Action: "output", Output: lines.Text() + "\n"}
		}
		if err := r.take(e); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (r *testReader) take(e event) error {
	key := testKey{e.Package, e.Test}
	switch e.Action {
	case "output", "build-output":
		if e.Action == "build-output" {
			key = testKey{pkg: e.ImportPath}
		}
		r.output[key] = append(r.output[key], e.Output)
		_, err := io.WriteString(r.log, e.Output)
		return err
	case "run":
		r.see(e.Test)
	case "pass", "skip":
		delete(r.output, key)
		if e.Test != "" && e.Action == "pass" {
			r.passed++
		} else if e.Test != "" {
			r.skipped++
		}
	case "fail":
		r.fail(e, key)
	}
	return nil
}

// fail counts a failure. A package that fails without a failed test of its own
// could not be built, or ended early, and counts as one.
func (r *testReader) fail(e event, key testKey) {
	if e.Test == "" && r.failing[e.Package] {
		return
	}
	r.failed++
	r.failing[e.Package] = true
	if e.FailedBuild != "" {
		build := testKey{pkg: e.FailedBuild}
		r.reasons = append(r.reasons, r.output[build]...)
		delete(r.output, build) // once, however many packages need it
	}
	if e.Test == "" {
		r.reasons = append(r.reasons, r.unended(e.Package)...)
	}
	r.reasons = append(r.reasons, r.output[key]...)
	r.why = append(r.why, assertions(r.output[key])...)
	if e.Test != "" {
		r.brief(e.Test, r.output[key])
	}
	delete(r.output, key)
}

// brief keeps why a test failed, in a line. A test that failed only with one of
// its subtests has nothing to add.
func (r *testReader) brief(test string, output []string) {
	text := brief(test, output)
	if text == test+":" && slices.ContainsFunc(r.briefs, func(b string) bool { return strings.HasPrefix(b, test+"/") }) {
		return
	}
	r.briefs = append(r.briefs, text)
	if r.failure != nil {
		r.failure(text)
	}
}

// unended returns the output of a package's tests that have not ended: where a
// panic or a limit of time ended the process, they say why.
func (r *testReader) unended(pkg string) []string {
	var keys []testKey
	for key := range r.output {
		if key.pkg == pkg && key.test != "" {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b testKey) int { return strings.Compare(a.test, b.test) })
	var lines []string
	for _, key := range keys {
		lines = append(lines, r.output[key]...)
	}
	return lines
}
