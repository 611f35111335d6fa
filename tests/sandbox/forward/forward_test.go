package forward_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/sandbox/forward"
)

// patience is how long anything may take on a busy machine.
const patience = 20 * time.Second

func TestHalfClosedConnectionsWork(t *testing.T) {
	conn := dial(t, serve(t, upper(t, "")))
	_, err := io.WriteString(conn, "hello")
	require.NoError(t, err)
	require.NoError(t, conn.CloseWrite())
	require.Equal(t, "hello!", readAll(t, conn))
}

func TestTargetsTakeTurnsAndDeadOnesArePassedOver(t *testing.T) {
	address := serve(t, upper(t, "a"), closed(t), upper(t, "b"))
	seen := map[string]int{}
	for range 12 {
		conn := dial(t, address)
		require.NoError(t, conn.CloseWrite())
		seen[readAll(t, conn)]++
	}
	require.Len(t, seen, 2)
	require.GreaterOrEqual(t, seen["a!"], 4)
	require.GreaterOrEqual(t, seen["b!"], 4)
}

func TestNobodyThereIsAnError(t *testing.T) {
	conn, err := net.Dial("tcp", serve(t, closed(t)))
	if err == nil { // else the reset was faster
		defer conn.Close()
		_, err = io.ReadAll(conn)
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestEndOfContextClosesConnections(t *testing.T) {
	listener := listen(t)
	target := upper(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- forward.Serve(ctx, listener, []string{target}, slog.New(slog.DiscardHandler))
	}()
	conn := dial(t, listener.Addr().String())
	// Something must have come through, or the connection may not be carried yet.
	_, err := io.WriteString(conn, "x")
	require.NoError(t, err)
	_, err = io.ReadFull(conn, make([]byte, 1))
	require.NoError(t, err)
	cancel()
	require.ErrorIs(t, <-served, context.Canceled)
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
}

func TestNoTargets(t *testing.T) {
	err := forward.Serve(t.Context(), listen(t), nil, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "at least one target")
}

// serve forwards to the targets and returns where.
func serve(t *testing.T, targets ...string) string {
	t.Helper()
	listener := listen(t)
	go func() {
		// Ends with the test; what it returns then says nothing.
		_ = forward.Serve(t.Context(), listener, targets, slog.New(slog.DiscardHandler))
	}()
	return listener.Addr().String()
}

// upper is a server that says its name, repeats what it hears, and ends with
// an exclamation mark when its client does.
func upper(t *testing.T, name string) string {
	t.Helper()
	listener := listen(t)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, name)
				_, _ = io.Copy(conn, conn)
				_, _ = io.WriteString(conn, "!")
			}()
		}
	}()
	return listener.Addr().String()
}

// closed returns an address that nobody listens on.
func closed(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return conn.(*net.TCPConn)
}

func readAll(t *testing.T, conn net.Conn) string {
	t.Helper()
	text, err := io.ReadAll(conn)
	require.NoError(t, err)
	return string(text)
}
