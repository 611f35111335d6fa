// Package meter reads what the benchmark does not time itself: what processes
// use, which requests reached the API server, and what a workflow's history
// consists of.
package meter

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/tests/sandbox"
)

// Usage is what a process has used since its start.
type Usage struct {
	// CPU time of all its threads, user and system.
	CPU time.Duration
	// RSS is its memory now, and Peak the most that it ever had, in bytes.
	RSS, Peak int64
}

// MiB returns bytes in mebibytes.
func MiB(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// Processes reads the usage of processes of a sandbox, by their numbers inside.
func Processes(ctx context.Context, s *sandbox.Sandbox, pids ...int) (map[int]Usage, error) {
	var files []string
	for _, pid := range pids {
		files = append(files, fmt.Sprintf("/proc/%d/stat", pid), fmt.Sprintf("/proc/%d/status", pid))
	}
	text, err := s.Command(ctx, "cat", files...).Output()
	if err != nil {
		return nil, fmt.Errorf("reading what processes %v use: %w", pids, err)
	}
	return parse(text)
}

// Parts reads the usage of every part of a sandbox that runs, by its name.
func Parts(ctx context.Context, s *sandbox.Sandbox) (map[string]Usage, error) {
	status, err := s.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for the sandbox's parts: %w", err)
	}
	names := map[int]string{}
	var pids []int
	for _, part := range status.Parts {
		if part.PID != 0 {
			names[part.PID] = part.Name
			pids = append(pids, part.PID)
		}
	}
	byPID, err := Processes(ctx, s, pids...)
	if err != nil {
		return nil, err
	}
	parts := map[string]Usage{}
	for pid, usage := range byPID {
		parts[names[pid]] = usage
	}
	return parts, nil
}

// tick is the unit of times in /proc/PID/stat: what programs see of it is
// 1/100 s on every architecture that Go supports.
const tick = 10 * time.Millisecond

// parse reads the files stat and status of processes, one behind the other.
func parse(text []byte) (map[int]Usage, error) {
	all := map[int]Usage{}
	pid := 0
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if number, rest, ok := strings.Cut(line, " ("); ok {
			n, err := strconv.Atoi(number)
			if err != nil {
				continue
			}
			cpu, err := cpuTime(rest)
			if err != nil {
				return nil, fmt.Errorf("reading the state of process %d: %w", n, err)
			}
			pid, all[n] = n, Usage{CPU: cpu}
			continue
		}
		u := all[pid]
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "VmRSS":
			u.RSS = kibibytes(value)
		case "VmHWM":
			u.Peak = kibibytes(value)
		}
		all[pid] = u
	}
	return all, lines.Err()
}

// cpuTime reads fields 14 and 15 of a stat line. Counting begins behind the name
// of the command, which may hold anything.
func cpuTime(line string) (time.Duration, error) {
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("%q has too few fields", line)
	}
	var sum time.Duration
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// kibibytes reads "  1234 kB" as bytes; 0 if it is something else.
func kibibytes(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(text, "kB")), 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}
