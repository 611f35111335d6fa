package build

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// keptLines is how much of a failed build's output its error shows.
const keptLines = 30

// run runs `go build -v` and calls at with the number of packages compiled so
// far. The toolchain writes each package's path to standard error as it turns
// to it; anything else there is a message, and kept for the error.
func run(ctx context.Context, cmd *exec.Cmd, at func(done int)) error {
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("reading the output of go build: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting go: %w", err)
	}
	messages, readErr := follow(stderr, at)
	err = cmd.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("running %s: %w\n%s", strings.Join(cmd.Args, " "), err, strings.Join(messages, "\n"))
	}
	return readErr
}

func follow(output io.Reader, at func(done int)) (messages []string, err error) {
	done := 0
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "go: downloading "):
		case isPackage(line):
			done++
			at(done)
		default:
			messages = append(messages, line)
			if len(messages) > keptLines {
				messages = messages[1:]
			}
		}
	}
	if err := lines.Err(); err != nil {
		return messages, fmt.Errorf("reading the output of go build: %w", err)
	}
	return messages, nil
}

// isPackage tells an import path from a message.
func isPackage(line string) bool {
	return line != "" && !strings.ContainsAny(line, " :\t#")
}

// output returns what a command of the toolchain prints.
func output(cmd *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("running %s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return string(out), nil
}
