package layout

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Process names a process for good: process numbers are used again, the
// number together with the time of the start is not.
type Process struct {
	PID int `json:"pid"`
	// Start is the time of the start in clock ticks since boot, and Boot the
	// boot that it counts from.
	Start uint64 `json:"start"`
	Boot  string `json:"boot"`
}

// Self returns the calling process.
func Self() (Process, error) {
	return identify(os.Getpid())
}

func identify(pid int) (Process, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Process{}, fmt.Errorf("reading the boot's id: %w", err)
	}
	start, err := startTime(pid)
	if err != nil {
		return Process{}, err
	}
	return Process{PID: pid, Start: start, Boot: string(bytes.TrimSpace(boot))}, nil
}

// startTime reads field 22 of /proc/PID/stat. The second field, the command's
// name in brackets, may hold anything, so counting begins behind it.
func startTime(pid int) (uint64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the start of process %d: %w", pid, err)
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("reading the start of process %d: %q is not a process's state", pid, stat)
	}
	start, err := strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the start of process %d: %w", pid, err)
	}
	return start, nil
}

// Handle is a hold on a running process through which a signal cannot reach
// another process that has come to use its number.
type Handle struct {
	fd int
}

// Open returns a Handle on the process, or false if it is gone.
func (p Process) Open() (*Handle, bool, error) {
	if p.PID <= 0 {
		return nil, false, nil
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("opening process %d: %w", p.PID, err)
	}
	// Looked at after the opening: now the number cannot change hands.
	now, err := identify(p.PID)
	if err != nil || now != p {
		return nil, false, unix.Close(fd)
	}
	return &Handle{fd: fd}, true, nil
}

// Signal sends a signal. One for a process that has ended is not an error.
func (h *Handle) Signal(sig unix.Signal) error {
	if err := unix.PidfdSendSignal(h.fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("sending %s: %w", unix.SignalName(sig), err)
	}
	return nil
}

// Wait returns true when the process has ended, false after the given time.
func (h *Handle) Wait(limit time.Duration) (bool, error) {
	until := time.Now().Add(limit)
	for {
		left := max(0, time.Until(until))
		poll := []unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, int(left.Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("waiting for the process: %w", err)
		}
		return n > 0, nil
	}
}

// Close gives the hold up.
func (h *Handle) Close() error {
	return unix.Close(h.fd)
}
