package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox/proc"
)

// Client talks to a running sandbox.
type Client struct {
	path string
}

// NewClient returns a Client for the control socket at path.
func NewClient(path string) *Client {
	return &Client{path: path}
}

// Status asks every part how it is.
func (c *Client) Status(ctx context.Context) (proc.Status, error) {
	answer, err := c.call(ctx, Request{Op: OpStatus})
	if err != nil {
		return proc.Status{}, err
	}
	if answer.Status == nil {
		return proc.Status{}, errors.New("asking for the status: empty answer")
	}
	return *answer.Status, nil
}

// Watch calls see with the status now and at every change until see returns
// false or ctx ends.
func (c *Client) Watch(ctx context.Context, see func(proc.Status) bool) error {
	conn, in, err := c.open(ctx, Request{Op: OpWatch}, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	for {
		answer, err := receive(ctx, in)
		if err != nil {
			return err
		}
		if answer.Status != nil && !see(*answer.Status) {
			return nil
		}
	}
}

// Stop ends a part, at once with SIGKILL if kill is set.
func (c *Client) Stop(ctx context.Context, part string, kill bool) error {
	_, err := c.call(ctx, Request{Op: OpStop, Part: part, Kill: kill})
	return err
}

// Start starts a part that does not run, and returns when it is ready.
func (c *Client) Start(ctx context.Context, part string) error {
	_, err := c.call(ctx, Request{Op: OpStart, Part: part})
	return err
}

// Freeze stops a part from being scheduled.
func (c *Client) Freeze(ctx context.Context, part string) error {
	_, err := c.call(ctx, Request{Op: OpFreeze, Part: part})
	return err
}

// Thaw lets a frozen part go on.
func (c *Client) Thaw(ctx context.Context, part string) error {
	_, err := c.call(ctx, Request{Op: OpThaw, Part: part})
	return err
}

// Signal sends a signal to one process inside, named by its inner pid.
func (c *Client) Signal(ctx context.Context, pid int, sig unix.Signal) error {
	_, err := c.call(ctx, Request{Op: OpSignal, PID: pid, Signal: int(sig)})
	return err
}

// Exec starts a command inside with the given standard streams. The command
// is killed when ctx ends, and when this process does.
func (c *Client) Exec(ctx context.Context, spec Exec, files [3]*os.File) (*Running, error) {
	if len(spec.Args) == 0 {
		return nil, errors.New("running a command inside: no command given")
	}
	if spec.Dir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, fmt.Errorf("finding the working folder: %w", err)
		}
		spec.Dir = dir
	}
	path, err := resolve(spec.Args[0], spec.Dir)
	if err != nil {
		return nil, err
	}
	spec.Args = append([]string{path}, spec.Args[1:]...)
	conn, in, err := c.open(ctx, Request{Op: OpExec, Exec: &spec}, files[:])
	if err != nil {
		return nil, err
	}
	answer, err := receive(ctx, in)
	if err != nil {
		conn.Close()
		return nil, err
	}
	r := &Running{PID: answer.PID, conn: conn, ended: make(chan struct{})}
	r.stop = context.AfterFunc(ctx, func() { conn.Close() })
	go r.await(ctx, in)
	return r, nil
}

// call sends a request that has one answer.
func (c *Client) call(ctx context.Context, req Request) (Response, error) {
	conn, in, err := c.open(ctx, req, nil)
	if err != nil {
		return Response{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	return receive(ctx, in)
}

func (c *Client) open(ctx context.Context, req Request, files []*os.File) (*net.UnixConn, *json.Decoder, error) {
	conn, err := dial(ctx, c.path)
	if err != nil {
		return nil, nil, err
	}
	text, err := line(req)
	if err == nil {
		err = sendFiles(conn, text, files)
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, json.NewDecoder(conn), nil
}

// receive reads one answer and turns the error in it into one.
func receive(ctx context.Context, in *json.Decoder) (Response, error) {
	var answer Response
	if err := in.Decode(&answer); err != nil {
		if ctx.Err() != nil {
			return Response{}, ctx.Err()
		}
		return Response{}, fmt.Errorf("the sandbox went away: %w", err)
	}
	if answer.Error != "" {
		return Response{}, errors.New(answer.Error)
	}
	return answer, nil
}

// Running is a command that runs inside the sandbox.
type Running struct {
	// PID is its process inside.
	PID int

	conn  *net.UnixConn
	stop  func() bool
	mu    sync.Mutex
	ended chan struct{}
	exit  Exit
	err   error
}

func (r *Running) await(ctx context.Context, in *json.Decoder) {
	defer close(r.ended)
	defer r.conn.Close()
	defer r.stop()
	answer, err := receive(ctx, in)
	switch {
	case err != nil:
		r.err = err
	case answer.Exit == nil:
		r.err = errors.New("the sandbox gave no exit code")
	default:
		r.exit = *answer.Exit
	}
}

// Wait returns how the command ended. It is an error if the sandbox or ctx
// given to Exec ended first.
func (r *Running) Wait() (Exit, error) {
	<-r.ended
	return r.exit, r.err
}

// Ended is closed when the command has ended.
func (r *Running) Ended() <-chan struct{} {
	return r.ended
}

// Signal sends a signal to the command and to the processes of its group.
func (r *Running) Signal(sig unix.Signal) error {
	text, err := line(Request{Op: OpSignal, Signal: int(sig)})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.conn.Write(text); err != nil {
		return fmt.Errorf("sending %s to process %d inside: %w", unix.SignalName(sig), r.PID, err)
	}
	return nil
}
