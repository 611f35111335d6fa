// Package forward copies TCP connections that were accepted outside the
// sandbox's network to addresses inside it. The listener is created outside
// and handed in: a socket stays in the network that it was created in,
// whoever accepts on it.
package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// dialTimeout bounds one attempt to reach a target.
	dialTimeout = 2 * time.Second
	// acceptPause keeps a lack of file descriptors from becoming a busy loop.
	acceptPause = 50 * time.Millisecond
)

// Serve accepts connections until ctx ends and copies each to one of the
// targets (host:port), which take turns; a target that refuses is passed
// over. It closes the listener and every connection before it returns.
func Serve(ctx context.Context, listener net.Listener, targets []string, log *slog.Logger) error {
	if len(targets) == 0 {
		return errors.New("forwarding needs at least one target")
	}
	f := &forwarder{targets: targets, log: log}
	// Closing the listener is what ends Accept.
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	var wait sync.WaitGroup
	defer wait.Wait()
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return ctx.Err()
			}
			log.Warn("accepting a forwarded connection", "error", err)
			time.Sleep(acceptPause)
			continue
		}
		wait.Go(func() { f.carry(ctx, conn) })
	}
}

type forwarder struct {
	targets []string
	next    atomic.Uint64
	log     *slog.Logger
}

// carry copies one connection in both directions until both have ended.
func (f *forwarder) carry(ctx context.Context, outside net.Conn) {
	defer outside.Close()
	inside, err := f.dial(ctx)
	if err != nil {
		f.log.Debug("forwarding a connection", "error", err)
		reset(outside)
		return
	}
	defer inside.Close()
	stop := context.AfterFunc(ctx, func() {
		outside.Close()
		inside.Close()
	})
	defer stop()
	var wait sync.WaitGroup
	wait.Go(func() { pipe(inside, outside) })
	wait.Go(func() { pipe(outside, inside) })
	wait.Wait()
}

// dial connects to the next target that accepts.
func (f *forwarder) dial(ctx context.Context) (net.Conn, error) {
	first := f.next.Add(1)
	dialer := net.Dialer{Timeout: dialTimeout}
	var errs []error
	for i := range f.targets {
		target := f.targets[(first+uint64(i))%uint64(len(f.targets))]
		conn, err := dialer.DialContext(ctx, "tcp", target)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, fmt.Errorf("dialling %s: %w", target, err))
	}
	return nil, errors.Join(errs...)
}

// pipe copies one direction and hands the end of it on, so that half-closed
// connections work. A broken side breaks the other.
func pipe(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		reset(to)
		reset(from)
		return
	}
	if tcp, ok := to.(*net.TCPConn); ok {
		// An error means that the other side is gone, which its own copy sees.
		_ = tcp.CloseWrite()
	}
}

// reset closes a connection so that its peer sees an error, not an end.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
