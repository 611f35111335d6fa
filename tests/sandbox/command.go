package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox/control"
)

// Cmd is a command to be run inside the sandbox, much like exec.Cmd. The file
// system inside is that of the machine; the network and the processes are the
// sandbox's. The command is killed when its context ends, and when this
// process or the sandbox does.
type Cmd struct {
	// Args is the command and its arguments. A name without a slash is looked
	// up in this process's PATH.
	Args []string
	// Env is added to this process's environment, as NAME=VALUE. KUBECONFIG,
	// TEMPORAL_ADDRESS and SLUICE_SANDBOX_* are set by the sandbox.
	Env []string
	// Dir is the working folder; this process's if empty.
	Dir string
	// The standard streams; nil is /dev/null. A file is handed over, anything
	// else is copied.
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	ctx     context.Context
	sandbox *Sandbox
	running *control.Running
	opened  []io.Closer // the command's ends of pipes
	copied  sync.WaitGroup
	mu      sync.Mutex
	copyErr error
}

// ExitError says that a command ended with a code other than 0.
type ExitError struct {
	control.Exit
}

// Error says with which code or signal the command ended.
func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return "the command was ended by " + unix.SignalName(unix.Signal(e.Signal))
	}
	return fmt.Sprintf("the command exited with code %d", e.Code)
}

// Command returns a command to be run inside.
func (s *Sandbox) Command(ctx context.Context, name string, args ...string) *Cmd {
	return &Cmd{Args: append([]string{name}, args...), ctx: ctx, sandbox: s}
}

// Start starts the command.
func (c *Cmd) Start() error {
	if c.running != nil {
		return errors.New("starting the command inside: it was started already")
	}
	files, err := c.files()
	if err == nil {
		spec := control.Exec{Args: c.Args, Env: append(os.Environ(), c.Env...), Dir: c.Dir}
		c.running, err = c.sandbox.control.Exec(c.ctx, spec, files)
	}
	for _, end := range c.opened {
		// The command has its own copies; ours would keep readers waiting.
		_ = end.Close()
	}
	if err != nil {
		c.copied.Wait()
		return fmt.Errorf("starting %v inside: %w", c.Args, err)
	}
	return nil
}

// Wait waits for the command's end. It returns an *ExitError if the code is
// not 0, and another error if the context or the sandbox ended first.
func (c *Cmd) Wait() error {
	exit, err := c.running.Wait()
	c.copied.Wait()
	if err != nil {
		return err
	}
	if exit.Code != 0 {
		return &ExitError{Exit: exit}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.copyErr
}

// Run starts the command and waits for its end.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the command and returns what it wrote to its standard output.
// What it wrote to its standard error is part of the error.
func (c *Cmd) Output() ([]byte, error) {
	var stdout, stderr bytes.Buffer
	c.Stdout = &stdout
	if c.Stderr == nil {
		c.Stderr = &stderr
	}
	err := c.Run()
	if err != nil && stderr.Len() > 0 {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), err
}

// PID is the number of the command's process inside, once it is started.
func (c *Cmd) PID() int { return c.running.PID }

// Ended is closed when the command, once started, has ended.
func (c *Cmd) Ended() <-chan struct{} { return c.running.Ended() }

// Signal sends a signal to the command and to the processes of its group.
func (c *Cmd) Signal(sig unix.Signal) error { return c.running.Signal(sig) }

// Kill ends the command at once, as a machine that fails would.
func (c *Cmd) Kill() error { return c.Signal(unix.SIGKILL) }

// files returns the three files that the command gets.
func (c *Cmd) files() (files [3]*os.File, err error) {
	if files[0], err = c.input(); err != nil {
		return files, err
	}
	if files[1], err = c.output(c.Stdout); err != nil {
		return files, err
	}
	if c.Stdout != nil && c.Stderr == c.Stdout {
		files[2] = files[1]
		return files, nil
	}
	files[2], err = c.output(c.Stderr)
	return files, err
}

func (c *Cmd) input() (*os.File, error) {
	if file, ok := c.Stdin.(*os.File); ok {
		return file, nil
	}
	if c.Stdin == nil {
		return c.null()
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("creating a pipe: %w", err)
	}
	c.opened = append(c.opened, r)
	go func() {
		// Not waited for: the reader that we were given may never end.
		_, err := io.Copy(w, c.Stdin)
		c.note(errors.Join(err, w.Close()))
	}()
	return r, nil
}

func (c *Cmd) output(to io.Writer) (*os.File, error) {
	if file, ok := to.(*os.File); ok {
		return file, nil
	}
	if to == nil {
		return c.null()
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("creating a pipe: %w", err)
	}
	c.opened = append(c.opened, w)
	c.copied.Go(func() {
		_, err := io.Copy(to, r)
		c.note(errors.Join(err, r.Close()))
	})
	return w, nil
}

func (c *Cmd) null() (*os.File, error) {
	file, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	c.opened = append(c.opened, file)
	return file, nil
}

// note keeps the first error of copying. A command that does not read its
// input to the end is no error.
func (c *Cmd) note(err error) {
	if err == nil || errors.Is(err, unix.EPIPE) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.copyErr == nil {
		c.copyErr = fmt.Errorf("copying the command's streams: %w", err)
	}
}
