package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// maxBody bounds what is read of one answer.
const maxBody = 1 << 20

// conn is a connection of one client and never shared.
type conn struct {
	net.Conn
	in   *bufio.Reader
	used bool // it has carried a request before
}

// answer is what came back for a request: a status, or an error.
type answer struct {
	status  int
	version string
	err     error
	reused  bool // the request went over a connection that had been used before
}

// exchange sends raw once and reads one answer. It returns the connection if it
// can carry another request, and nil if it is closed.
func exchange(c *conn, p prepared, kind Kind, deadline time.Time) (*conn, answer) {
	if c == nil {
		dialer := net.Dialer{Deadline: deadline, KeepAlive: -1}
		nc, err := dialer.Dial("tcp", p.addr.String())
		if err != nil {
			return nil, answer{err: err}
		}
		c = &conn{Conn: nc, in: bufio.NewReaderSize(nc, 4096)}
	}
	a := answer{reused: c.used}
	c.used = true
	open, err := c.roundTrip(p, kind, deadline, &a)
	if err != nil {
		a.status, a.err = 0, err
	}
	if err != nil || !open || kind == GetNew || kind == PostNew {
		c.Close() //nolint:errcheck // the exchange is over, with its own result
		return nil, a
	}
	return c, a
}

// roundTrip reports whether the server left the connection open.
func (c *conn) roundTrip(p prepared, kind Kind, deadline time.Time, a *answer) (bool, error) {
	if err := c.SetDeadline(deadline); err != nil {
		return false, err
	}
	if _, err := c.Write(p.raw[kind]); err != nil {
		return false, err
	}
	req := &http.Request{Method: http.MethodGet}
	if kind == PostKept || kind == PostNew {
		req.Method = http.MethodPost
	}
	resp, err := readFinal(c.in, req)
	if err != nil {
		return false, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return false, fmt.Errorf("%w: %w", errCut, err)
	}
	if len(body) > maxBody {
		return false, errLong
	}
	a.status, a.version = resp.StatusCode, versionOf(body)
	if p.header != "" {
		a.version = resp.Header.Get(p.header)
	}
	return !resp.Close, nil
}

// readFinal skips informational answers.
func readFinal(in *bufio.Reader, req *http.Request) (*http.Response, error) {
	for {
		if _, err := in.Peek(1); err != nil {
			return nil, fmt.Errorf("%w: %w", errClosed, err)
		}
		resp, err := http.ReadResponse(in, req)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errCut, err)
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
	}
}

var (
	errClosed = errors.New("waiting for an answer")
	errCut    = errors.New("reading the answer")
	errLong   = fmt.Errorf("reading the answer: longer than %d bytes", maxBody)
)

// classify puts an error into one of few classes, so that they can be counted.
func classify(a answer) string {
	var timeout net.Error
	var opError *net.OpError
	dialling := errors.As(a.err, &opError) && opError.Op == "dial"
	switch {
	case errors.As(a.err, &timeout) && timeout.Timeout(), errors.Is(a.err, os.ErrDeadlineExceeded):
		if dialling {
			return "timeout while connecting"
		}
		return "timeout"
	case errors.Is(a.err, syscall.ECONNREFUSED):
		return "connection refused"
	case dialling:
		return "cannot connect"
	}
	on := " on a new connection"
	if a.reused {
		on = " on a kept connection"
	}
	switch {
	case errors.Is(a.err, syscall.ECONNRESET), errors.Is(a.err, syscall.EPIPE):
		return "connection reset" + on
	case errors.Is(a.err, errClosed) && errors.Is(a.err, io.EOF):
		return "closed without an answer" + on
	case errors.Is(a.err, errCut):
		return "answer cut short or malformed"
	case errors.Is(a.err, errLong):
		return "answer too long"
	default:
		return "other"
	}
}

// versionOf returns what follows "version:" in an answer, or "".
func versionOf(body []byte) string {
	_, rest, ok := bytes.Cut(body, []byte("version:"))
	if !ok {
		return ""
	}
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return ""
	}
	return string(fields[0])
}
