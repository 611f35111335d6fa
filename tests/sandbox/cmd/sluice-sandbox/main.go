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
	err := root.ExecuteContext(ctx)
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintln(os.Stderr, "sluice-sandbox:", err)
	return 1
}

// exitCode is an error that says nothing but with which code to exit.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }
