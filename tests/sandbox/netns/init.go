package netns

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"

	"golang.org/x/sys/unix"
)

// RunInit does the work of process 1: it starts cmd, hands SIGTERM, SIGINT
// and SIGHUP on to it, and reaps every process that lost its parent, until
// cmd ends or lifeline does. It returns cmd's exit code, 128 plus the signal's
// number where a signal ended it. When process 1 then exits, the kernel kills
// what is left in the namespace.
//
// lifeline is read until its end, which is what a reader sees when the
// process that holds the other end is gone, however it went.
func RunInit(cmd *exec.Cmd, lifeline io.Reader) (int, error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	defer signal.Stop(signals)

	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	ended := make(chan unix.WaitStatus, 1)
	go reap(cmd.Process.Pid, ended)
	cut := make(chan struct{})
	go func() {
		// An error of reading means the same as the end: nobody is there.
		_, _ = io.Copy(io.Discard, lifeline)
		close(cut)
	}()
	for {
		select {
		case s := <-signals:
			if err := unix.Kill(cmd.Process.Pid, s.(unix.Signal)); err != nil && !errors.Is(err, unix.ESRCH) {
				return 1, fmt.Errorf("handing %s on: %w", s, err)
			}
		case status := <-ended:
			return ExitCode(status), nil
		case <-cut:
			return 1, errors.New("the outer process is gone")
		}
	}
}

// reap waits for every child and reports the end of the one with the given
// pid. All children are waited for here, because two waiters in one process
// would take each other's.
func reap(pid int, ended chan<- unix.WaitStatus) {
	for {
		var status unix.WaitStatus
		got, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case got == pid:
			ended <- status
			return
		case errors.Is(err, unix.ECHILD):
			ended <- unix.WaitStatus(1 << 8)
			return
		}
	}
}

// ExitCode returns the code that a shell would show for a wait status: the
// exit code, or 128 plus the number of the signal.
func ExitCode(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
