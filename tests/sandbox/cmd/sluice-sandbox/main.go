// Command sluice-sandbox runs a real Kubernetes with a gateway, Temporal and
// Prometheus on one Linux machine, as root or as an ordinary user, with
// nothing but Go installed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox"
)

func main() {
	if code, played := sandbox.Main(); played {
		os.Exit(code)
	}
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	return codeOf(root.ExecuteContext(ctx))
}

// codeOf says why a command has failed, and returns its exit code.
func codeOf(err error) int {
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintln(os.Stderr, "sluice-sandbox:", err)
	if errors.Is(err, errInterrupted) {
		return exitInterrupted
	}
	return 1
}

// exitInterrupted is the exit code after Ctrl-C, as of other programs.
const exitInterrupted = 130

// exitCode is an error that says nothing but with which code to exit.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }
