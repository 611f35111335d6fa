// Command sluice-bench measures Sluice on a sandbox of real parts and prints the
// figures next to their targets and to those of its peers.
//
// Exit code 0: everything was measured, whatever the figures are; 130:
// interrupted; 1: anything else.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox"
)

// The exit codes other than 0.
const (
	exitFailed      = 1
	exitInterrupted = 130
)

func main() {
	if code, played := sandbox.Main(); played {
		os.Exit(code)
	}
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	// A second Ctrl-C ends this process at once, and the kernel the sandbox.
	context.AfterFunc(ctx, stop)
	err := newCommand().ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "sluice-bench: interrupted; everything is down again")
		return exitInterrupted
	}
	fmt.Fprintln(os.Stderr, "sluice-bench:", err)
	return exitFailed
}
