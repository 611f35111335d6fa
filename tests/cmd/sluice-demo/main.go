// Command sluice-demo shows on a sandbox of real parts what Sluice does: it
// releases the seed's application by weight and by header, aborts a release,
// and counts every request that its clients send meanwhile.
//
// It is set by the environment: DEMO_PAUSE (seconds between steps, 3),
// INTERACTIVE=1 (a person promotes), DEMO_KEEP (1: the sandbox stays until Ctrl-C,
// so that the story can be read in the Temporal UI, as it does on a terminal; 0:
// it ends with the story), NO_COLOR. Exit code 0: all went well and no request was
// lost; 130: interrupted before the end of the story; 1: anything else.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

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
	n := newNarrator(os.Stdout, os.LookupEnv, time.Now())
	set, err := readSettings(os.LookupEnv, n.person)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sluice-demo:", err)
		return exitFailed
	}
	err = play(ctx, set, n)
	n.clear()
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(os.Stderr, "sluice-demo:", err)
		return exitInterrupted
	}
	fmt.Fprintln(os.Stderr, "sluice-demo:", err)
	return exitFailed
}

// errInterrupted says that somebody ended the story early.
var errInterrupted = errors.New("interrupted; everything is down again")

// play brings the stage up, tells the story and takes the stage down.
func play(ctx context.Context, set settings, n *narrator) error {
	limited, cancel := context.WithTimeout(ctx, set.limit())
	defer cancel()
	stage, err := setStage(limited, n)
	switch {
	case err == nil:
		return perform(limited, stage, set)
	case cancelled(ctx):
		return errInterrupted
	}
	return err
}

// perform tells the story on a stage that is up, and takes it down.
func perform(ctx context.Context, stage *stage, set settings) error {
	s := &story{stage: stage, settings: set, stable: 1, latest: 1}
	err := s.tell(ctx)
	switch {
	case cancelled(ctx):
		err = errInterrupted
	case set.stays():
		if err != nil && !errors.Is(err, errLost) {
			stage.line(bad, err.Error())
			stage.say(kept)
		}
		stage.awaitInterrupt(ctx)
		stage.line(plain, "")
		stage.say("Taking the sandbox down.")
	}
	failed := err != nil && !errors.Is(err, errInterrupted)
	return errors.Join(err, stage.strike(context.WithoutCancel(ctx), failed))
}

// cancelled says whether somebody has interrupted, rather than a limit ended.
func cancelled(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }
