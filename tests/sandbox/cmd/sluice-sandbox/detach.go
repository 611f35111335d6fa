package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox"
)

// reportReady is what the detached half reports when all is well.
const reportReady = "ready"

// upDetached builds what has to be built, starts a second process in a session
// of its own that brings the sandbox up and keeps it, and returns when the
// sandbox is ready.
func (f *upFlags) upDetached(ctx context.Context, out io.Writer) error {
	// Here, where somebody watches, rather than there.
	if _, err := sandbox.Build(ctx, progress(out)); err != nil {
		return err
	}
	dir, err := f.folder()
	if err != nil {
		return err
	}
	if err := dir.Create(); err != nil {
		return err
	}
	log, err := os.OpenFile(dir.Join("run", "detached.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("creating the log: %w", err)
	}
	defer log.Close()
	answer, err := startDetached(log, os.Args[1:])
	if err != nil {
		return err
	}
	defer answer.Close()
	if err := awaitReport(ctx, answer); err != nil {
		return err
	}
	s, err := sandbox.Attach(string(dir))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "sandbox %s is ready; `down` ends it\n\n", s.State().Name)
	printState(out, s.State())
	return nil
}

// startDetached starts this program again with the same arguments, except for
// --detach, and returns where it reports how that went.
func startDetached(log *os.File, args []string) (*os.File, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding the own program: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("creating a pipe: %w", err)
	}
	defer w.Close()
	const firstExtra = 3
	again := append(withoutDetach(args), "--detach=false", "--report-fd="+strconv.Itoa(firstExtra))
	cmd := exec.Command(self, again...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the detached process: %w", err), r.Close())
	}
	return r, cmd.Process.Release()
}

func withoutDetach(args []string) []string {
	var kept []string
	for _, arg := range args {
		if arg != "--detach" && !strings.HasPrefix(arg, "--detach=") {
			kept = append(kept, arg)
		}
	}
	return kept
}

// awaitReport reads what the detached half reports. If ctx ends first, the
// sandbox goes on starting.
func awaitReport(ctx context.Context, answer *os.File) error {
	stop := context.AfterFunc(ctx, func() { answer.Close() })
	defer stop()
	text, err := io.ReadAll(answer)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted while the sandbox starts; `down` ends it")
	case err != nil:
		return fmt.Errorf("waiting for the sandbox: %w", err)
	case string(text) != reportReady:
		return errors.New(string(text))
	}
	return nil
}
