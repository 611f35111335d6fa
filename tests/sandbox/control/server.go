package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox/proc"
)

// Backend is what a Server needs of the sandbox.
type Backend interface {
	// Status asks every part how it is.
	Status(ctx context.Context) proc.Status
	// Snapshot returns what is known without asking, and a channel that is
	// closed at the next change.
	Snapshot() (proc.Status, <-chan struct{})
	Start(ctx context.Context, part string) error
	Stop(ctx context.Context, part string, kill bool) error
	Freeze(part string) error
	Thaw(part string) error
}

// Server answers requests to a sandbox.
type Server struct {
	backend Backend
	env     []string
	log     *slog.Logger
}

// NewServer returns a Server for a sandbox whose commands get env (NAME=VALUE)
// added to their own environment.
func NewServer(backend Backend, env []string, log *slog.Logger) *Server {
	return &Server{backend: backend, env: env, log: log}
}

// Serve answers connections until ctx ends, then closes the listener and ends
// the commands that still run.
func (s *Server) Serve(ctx context.Context, listener *net.UnixListener) error {
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	var wait sync.WaitGroup
	defer wait.Wait()
	for {
		conn, err := listener.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accepting on the control socket: %w", err)
		}
		wait.Go(func() { s.handle(ctx, conn) })
	}
}

// session is one client's connection.
type session struct {
	conn  *net.UnixConn
	in    *json.Decoder
	files []*os.File
	mu    sync.Mutex
}

// send writes one answer. That the client is gone is seen by whoever reads.
func (c *session) send(r Response) {
	text, err := line(r)
	if err != nil {
		text = []byte(`{"error":"encoding the answer"}` + "\n")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = c.conn.Write(text)
}

func (s *Server) handle(ctx context.Context, conn *net.UnixConn) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	first, files, err := receiveFiles(conn)
	defer closeAll(files)
	if err != nil {
		s.log.Debug("reading a request", "error", err)
		return
	}
	c := &session{conn: conn, in: json.NewDecoder(io.MultiReader(bytes.NewReader(first), conn)), files: files}
	var req Request
	if err := c.in.Decode(&req); err != nil {
		c.send(Response{Error: fmt.Sprintf("reading the request: %v", err)})
		return
	}
	if req.Op == OpExec {
		s.exec(c, req.Exec)
		return
	}
	go func() {
		// Nothing more is sent by the client: an end or an error of reading
		// means that it is gone, and its request with it.
		_, _ = io.Copy(io.Discard, conn)
		cancel()
	}()
	c.send(s.answer(ctx, c, req))
}

// answer does what a request asks, other than to run a command.
func (s *Server) answer(ctx context.Context, c *session, req Request) Response {
	var err error
	switch req.Op {
	case OpStatus:
		status := s.backend.Status(ctx)
		return Response{Status: &status}
	case OpWatch:
		return s.watch(ctx, c)
	case OpSignal:
		err = kill(req.PID, unix.Signal(req.Signal))
	case OpStop:
		err = s.backend.Stop(ctx, req.Part, req.Kill)
	case OpStart:
		err = s.backend.Start(ctx, req.Part)
	case OpFreeze:
		err = s.backend.Freeze(req.Part)
	case OpThaw:
		err = s.backend.Thaw(req.Part)
	default:
		err = fmt.Errorf("unknown operation %q", req.Op)
	}
	if err != nil {
		return Response{Error: err.Error()}
	}
	return Response{Done: true}
}

// watch sends the status at every change until the client goes away.
func (s *Server) watch(ctx context.Context, c *session) Response {
	for {
		status, changed := s.backend.Snapshot()
		c.send(Response{Status: &status})
		select {
		case <-changed:
		case <-ctx.Done():
			return Response{Error: "the sandbox is shutting down"}
		}
	}
}

// kill signals one process of the sandbox. Process 1 and groups are refused:
// they are the sandbox itself.
func kill(pid int, sig unix.Signal) error {
	if pid <= 1 || pid == os.Getpid() {
		return fmt.Errorf("process %d is not one that may be signalled", pid)
	}
	if err := unix.Kill(pid, sig); err != nil {
		return fmt.Errorf("sending %s to process %d: %w", unix.SignalName(sig), pid, err)
	}
	return nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		// The command has its own copies; nothing was written here.
		_ = f.Close()
	}
}

// ended tells whether reading stopped because the other side is gone.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, unix.ECONNRESET)
}
