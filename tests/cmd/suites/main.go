// Command suites runs what `make test` is: every suite of the project's table,
// one line each, with the whole output of each in artefacts/test. It stops at
// the first suite that fails, shows why, and ends with a line that counts tests:
//
//	412 passed, 0 failed
//
// Its arguments name the suites to run; none means all but the extra ones.
// Exit code 0: all passed; 1: something failed; 2: wrong usage; 130:
// interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("suites", flag.ContinueOnError)
	list := flags.Bool("list", false, "list the suites and run none")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	root, err := findRoot()
	if err != nil {
		fmt.Fprintln(os.Stderr, "suites:", err)
		return 2
	}
	all := table()
	if *list {
		for _, s := range all {
			fmt.Printf("%-9s %s\n", s.name, s.about)
		}
		return 0
	}
	chosen, err := choose(all, flags.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "suites:", err)
		return 2
	}
	screen := &screen{out: os.Stdout, terminal: term.IsTerminal(int(os.Stdout.Fd()))}
	return runAll(ctx, &runner{root: root, all: all, screen: screen}, chosen)
}

// findRoot returns the project's folder: the one above that of the tests'
// module, in or below which the program is run.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "tests", "go.mod")); err == nil {
			return dir, nil
		}
		dir = filepath.Dir(dir)
	}
	return "", fmt.Errorf("run this inside the project's folder")
}

// missing says whether a program is needed and not installed.
func missing(program string) bool {
	if program == "" {
		return false
	}
	_, err := exec.LookPath(program)
	return err != nil
}

// runAll runs suites one after the other, up to the first that fails, and prints
// the closing line.
func runAll(ctx context.Context, r *runner, chosen []suite) int {
	begun := time.Now()
	var sum counts
	code := 0
	for i, s := range chosen {
		if missing(s.needs) && len(chosen) > 1 {
			r.screen.line(fmt.Sprintf("%-9s left out: it needs %s, which is not installed", s.name, s.needs))
			continue
		}
		result := r.run(ctx, s)
		sum.add(result.counts)
		if ctx.Err() != nil {
			r.screen.line("interrupted")
			code = 130
			break
		}
		if result.bad() {
			if rest := len(chosen) - i - 1; rest > 0 {
				r.screen.line(fmt.Sprintf("%d more suites were not run", rest))
			}
			code = 1
			break
		}
	}
	if sum.skipped > 0 {
		r.screen.line(fmt.Sprintf("%d tests were skipped", sum.skipped))
	}
	r.screen.line(fmt.Sprintf("took %s; whole outputs are in %s", time.Since(begun).Round(time.Second), logFolder))
	r.screen.line(fmt.Sprintf("%d passed, %d failed", sum.passed, sum.failed))
	return code
}
