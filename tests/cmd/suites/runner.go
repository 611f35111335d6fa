package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// logFolder holds the whole output of each suite, below the project's folder.
const logFolder = "artefacts/test"

// runner runs suites.
type runner struct {
	root   string
	all    []suite
	screen *screen
}

// outcome of a suite.
type outcome struct {
	counts
	took time.Duration
	// why it failed: an error of the runner's, or the output of what failed.
	err     error
	reasons []string
	// what failed assertions say, repeated at the end.
	why []string
	// a line for each failed test.
	briefs []string
}

// join adds what another part of the suite has come to.
func (o *outcome) join(part outcome) {
	o.add(part.counts)
	o.reasons = append(o.reasons, part.reasons...)
	o.why = append(o.why, part.why...)
	o.briefs = append(o.briefs, part.briefs...)
}

// bad says whether anything failed.
func (o outcome) bad() bool { return o.err != nil || o.failed > 0 }

// run runs a suite and prints its line, and why it failed.
func (r *runner) run(ctx context.Context, s suite) outcome {
	begun := time.Now()
	show := r.screen.begin(s.name)
	result := r.steps(ctx, s, show)
	result.took = time.Since(begun)
	show.end()
	if result.err != nil && result.failed == 0 {
		result.failed = 1
	}
	if ctx.Err() == nil {
		r.screen.result(s.name, result)
	}
	return result
}

// steps runs the steps of a suite up to the first that fails.
func (r *runner) steps(ctx context.Context, s suite, show *progress) outcome {
	var result outcome
	log, err := r.openLog(s.name)
	if err != nil {
		return outcome{err: err}
	}
	out := &locked{out: log}
	for _, st := range s.steps {
		if st.shards > 1 {
			result.err = r.shards(ctx, st, out, show, &result)
			if result.bad() {
				break
			}
			continue
		}
		commands, err := r.commands(ctx, st)
		for i := 0; err == nil && i < len(commands) && !result.bad(); i++ {
			err = r.one(ctx, st, commands[i], out, show, &result)
		}
		if err != nil {
			result.err = err
		}
		if result.bad() {
			break
		}
	}
	result.err = errors.Join(result.err, log.Close())
	return result
}

func (r *runner) openLog(name string) (*os.File, error) {
	folder := filepath.Join(r.root, filepath.FromSlash(logFolder))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("creating the folder of the logs: %w", err)
	}
	file, err := os.Create(filepath.Join(folder, name+".log"))
	if err != nil {
		return nil, fmt.Errorf("creating a log: %w", err)
	}
	return file, nil
}

// one runs one command and adds its outcome.
func (r *runner) one(ctx context.Context, s step, args []string, log io.Writer, show teller, result *outcome) error {
	// A test binary ends itself when its time is over, and says where it hung.
	ctx, cancel := context.WithTimeout(ctx, s.timeout()+time.Minute)
	defer cancel()
	if _, err := fmt.Fprintf(log, "$ cd %s && %s\n", s.dir, strings.Join(args, " ")); err != nil {
		return fmt.Errorf("writing a log: %w", err)
	}
	switch s.do {
	case tests, rest, fuzz:
		return r.tests(ctx, s, args, log, show, result)
	case build:
		return r.build(ctx, s, args, log)
	default:
		return r.check(ctx, s, args, log, show, result)
	}
}

// tests runs `go test -json`.
func (r *runner) tests(ctx context.Context, s step, args []string, log io.Writer, show teller, result *outcome) error {
	before := result.counts
	reader := newTestReader(log, nil)
	reader.see = func(test string) {
		now := before
		now.add(reader.counts)
		show.at(now, test)
	}
	reader.failure = func(brief string) { r.screen.line("!!!   " + brief) }
	cmd := r.command(ctx, s.dir, args)
	var problems bytes.Buffer
	cmd.Stderr = io.MultiWriter(log, &problems)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("reading the output of go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting go test: %w", err)
	}
	readErr := reader.read(stdout)
	err = cmd.Wait()
	result.join(outcome{counts: reader.counts, reasons: reader.reasons, why: reader.why, briefs: reader.briefs})
	if err != nil && reader.failed == 0 {
		result.reasons = append(result.reasons, problems.String())
		return fmt.Errorf("running go test in %s: %w", s.dir, err)
	}
	return readErr
}

// build runs a command and shows what it prints.
func (r *runner) build(ctx context.Context, s step, args []string, log io.Writer) error {
	cmd := r.command(ctx, s.dir, args)
	out := io.MultiWriter(log, &lineWriter{line: r.screen.line})
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// check runs a command that counts as one test.
func (r *runner) check(ctx context.Context, s step, args []string, log io.Writer, show teller, result *outcome) error {
	show.at(result.counts, strings.Join(args[:min(2, len(args))], " ")+" in "+s.dir)
	var output bytes.Buffer
	cmd := r.command(ctx, s.dir, args)
	out := io.MultiWriter(log, &output)
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	if err == nil && (s.do != quiet || output.Len() == 0) {
		result.passed++
		return nil
	}
	result.failed++
	result.reasons = append(result.reasons, fmt.Sprintf("%s in %s:\n", strings.Join(args, " "), s.dir), output.String())
	if err != nil {
		result.reasons = append(result.reasons, err.Error()+"\n")
	}
	return nil
}

// locked lets standard output and standard error share a log.
type locked struct {
	mu  sync.Mutex
	out io.Writer
}

// Write writes to the log.
func (l *locked) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(text)
}
