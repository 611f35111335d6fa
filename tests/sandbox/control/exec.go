package control

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// exec runs a command for a client, with the client's files as its standard
// streams, until it ends or the client goes away.
func (s *Server) exec(c *session, spec *Exec) {
	if spec == nil || len(spec.Args) == 0 || len(c.files) != 3 {
		c.send(Response{Error: "exec needs a command and three files"})
		return
	}
	cmd := &exec.Cmd{
		Path:   spec.Args[0],
		Args:   spec.Args,
		Dir:    spec.Dir,
		Env:    append(slices.Clone(spec.Env), s.env...),
		Stdin:  c.files[0],
		Stdout: c.files[1],
		Stderr: c.files[2],
		// A session of its own, so that the whole group can be signalled.
		SysProcAttr: &unix.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		c.send(Response{Error: fmt.Sprintf("starting %s: %v", spec.Args[0], err)})
		return
	}
	// The reader of the command's output must see its end when the command
	// ends, so no copy may stay open here.
	closeAll(c.files)
	c.send(Response{PID: cmd.Process.Pid})
	group := &group{pid: cmd.Process.Pid}
	go s.follow(c, group)
	exit, err := waitFor(cmd, group)
	if err != nil {
		c.send(Response{Error: err.Error()})
		return
	}
	c.send(Response{Exit: exit})
}

// follow hands the client's signals on to the command, and kills it when the
// client is gone.
func (s *Server) follow(c *session, g *group) {
	for {
		var req Request
		if err := c.in.Decode(&req); err != nil {
			if !ended(err) {
				s.log.Warn("reading from the client of a command", "error", err)
			}
			g.signal(unix.SIGKILL)
			return
		}
		if req.Op == OpSignal {
			g.signal(unix.Signal(req.Signal))
		}
	}
}

// waitFor waits for the command's end.
func waitFor(cmd *exec.Cmd, g *group) (*Exit, error) {
	err := cmd.Wait()
	g.done()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return nil, fmt.Errorf("waiting for %s: %w", cmd.Path, err)
	}
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return &Exit{Code: 128 + int(status.Signal()), Signal: int(status.Signal())}, nil
	}
	return &Exit{Code: status.ExitStatus()}, nil
}

// group is a process group that may be signalled until its leader has been
// waited for: after that its number may be another's.
type group struct {
	mu  sync.Mutex
	pid int
}

func (g *group) signal(sig unix.Signal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pid != 0 {
		// The only error possible is that the group has just ended.
		_ = unix.Kill(-g.pid, sig)
	}
}

func (g *group) done() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pid = 0
}

// resolve returns the absolute path of a command as the client's shell would
// find it.
func resolve(command, dir string) (string, error) {
	found, err := exec.LookPath(command)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return "", fmt.Errorf("finding the command: %w", err)
	}
	return absolute(found, dir), nil
}

func absolute(path, dir string) string {
	if path[0] == os.PathSeparator {
		return path
	}
	return dir + string(os.PathSeparator) + path
}
