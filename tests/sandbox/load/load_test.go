package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// closed returns options for a closed loop of n requests by one client, which
// makes the order of requests certain.
func closed(url string, n int64) Options {
	return Options{Targets: []Target{{URL: url}}, Clients: 1, MaxRequests: n, MaxDuration: time.Minute, Timeout: 5 * time.Second}
}

func finish(t *testing.T, opts Options) Window {
	t.Helper()
	r, err := Start(context.Background(), opts)
	require.NoError(t, err)
	<-r.Done()
	return r.Stop().Whole
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

// seen is what a server saw, to be compared with what the client counted.
type seen struct {
	android, everyone, posts, closes atomic.Int64
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	version := "v1"
	if r.Header.Get("User-Agent") == "android" {
		version = "v2"
		s.android.Add(1)
	} else {
		s.everyone.Add(1)
	}
	if body, _ := io.ReadAll(r.Body); r.Method == http.MethodPost && string(body) == "sluice-load" {
		s.posts.Add(1)
	}
	if r.Close {
		s.closes.Add(1)
	}
	if r.Host != "shop.example" {
		w.WriteHeader(http.StatusNotFound)
	}
	fmt.Fprintf(w, "version: %s\n", version)
}

func TestCountsVersionsCohortsAndKinds(t *testing.T) {
	var got seen
	srv := serve(t, got.ServeHTTP)
	opts := closed(srv.URL, 400)
	opts.Clients, opts.PostShare, opts.NewConnShare = 8, 0.5, 0.25
	opts.Targets = []Target{
		{Name: "android", URL: srv.URL, Host: "shop.example", Headers: map[string]string{"user-agent": "android"}},
		{Name: "everyone", URL: srv.URL, Host: "shop.example"},
	}
	w := finish(t, opts)

	require.EqualValues(t, 400, w.Requests)
	require.EqualValues(t, 400, w.Good)
	require.Zero(t, w.Lost())
	require.Zero(t, w.InFlight)
	require.Equal(t, map[int]int64{200: 400}, w.Statuses)
	require.Equal(t, got.android.Load(), w.Cohorts["android"].Requests)
	require.Equal(t, got.everyone.Load(), w.Cohorts["everyone"].Requests)
	require.Equal(t, map[string]int64{"v2": got.android.Load()}, w.Cohorts["android"].Versions)
	require.Equal(t, map[string]int64{"v1": got.everyone.Load(), "v2": got.android.Load()}, w.Versions)
	require.InDelta(t, float64(got.android.Load())/400, w.Share("v2"), 1e-9)
	require.InDelta(t, 1, w.Cohorts["android"].Share("v2"), 1e-9)
	require.Equal(t, got.posts.Load(), w.Kinds[PostKept].Requests+w.Kinds[PostNew].Requests)
	require.Equal(t, got.closes.Load(), w.Kinds[GetNew].Requests+w.Kinds[PostNew].Requests)
	// Shares of random choices: five standard deviations around the mean.
	require.InDelta(t, 200, got.android.Load(), 50)
	require.InDelta(t, 200, got.posts.Load(), 50)
	require.InDelta(t, 100, got.closes.Load(), 44)
}

func TestVersionsByHeader(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Pod", "demo-abc")
		fmt.Fprint(w, "version: v1")
	})
	options := closed(srv.URL, 10)
	options.Targets[0].VersionHeader = "X-Pod"
	require.Equal(t, map[string]int64{"demo-abc": 10}, finish(t, options).Versions)
}

func TestKeptConnectionsAreKept(t *testing.T) {
	var conns atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "version: v1")
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	w := finish(t, closed(srv.URL, 50))
	require.EqualValues(t, 50, w.Good)
	require.EqualValues(t, 1, conns.Load())
}

func TestNotGoodAnswersAreLost(t *testing.T) {
	var n atomic.Int64
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) % 4 {
		case 0:
			w.WriteHeader(http.StatusBadGateway)
		case 1:
			w.WriteHeader(http.StatusNotFound)
		default:
			fmt.Fprint(w, "version: v1")
		}
	})
	w := finish(t, closed(srv.URL, 100))
	require.EqualValues(t, 100, w.Requests)
	require.EqualValues(t, 25, w.Server5xx)
	require.EqualValues(t, 50, w.Lost())
	require.Zero(t, w.TransportErrors)
	require.Equal(t, map[int]int64{200: 50, 404: 25, 502: 25}, w.Statuses)
	require.Len(t, w.Examples, 10)
	require.Equal(t, http.StatusNotFound, w.Examples[0].Status)
	require.Equal(t, http.StatusBadGateway, w.Examples[1].Status)
}

// answerThenClose answers the first request of each connection and closes the
// connection, without a word, when it has read the second.
func answerThenClose(c net.Conn, seen *atomic.Int64) {
	defer c.Close() //nolint:errcheck // closing is the point
	in := bufio.NewReader(c)
	for i := 0; ; i++ {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		seen.Add(1)
		if i == 1 {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nversion: v1")
	}
}

func listen(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() }) //nolint:errcheck // closed twice at worst
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go handle(c)
		}
	}()
	return "http://" + l.Addr().String()
}

func TestARequestIsNeverSentTwice(t *testing.T) {
	for _, post := range []float64{0, 1} {
		t.Run(fmt.Sprintf("post share %v", post), func(t *testing.T) {
			var seen atomic.Int64
			opts := closed(listen(t, func(c net.Conn) { answerThenClose(c, &seen) }), 20)
			opts.PostShare = post
			w := finish(t, opts)
			require.EqualValues(t, 20, w.Requests)
			require.EqualValues(t, 20, seen.Load(), "each request reached the server once")
			require.EqualValues(t, 10, w.Good)
			require.EqualValues(t, 10, w.TransportErrors)
			require.Equal(t, map[string]int64{"closed without an answer on a kept connection": 10}, w.Errors)
			require.Contains(t, w.Examples[0].Error, "closed without an answer on a kept connection: ")
			require.False(t, w.Examples[0].At.IsZero())
		})
	}
}

func TestClosingWithNoticeIsNoError(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, "version: v1")
	})
	w := finish(t, closed(srv.URL, 30))
	require.EqualValues(t, 30, w.Good)
	require.Zero(t, w.TransportErrors)
}

func TestTransportErrorsByClass(t *testing.T) {
	raw := func(answer string) func(net.Conn) {
		return func(c net.Conn) {
			defer c.Close() //nolint:errcheck // closing is the point
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.WriteString(c, answer)
			}
		}
	}
	for name, tc := range map[string]struct {
		handle func(net.Conn)
		class  string
	}{
		"no answer":  {raw(""), "closed without an answer on a new connection"},
		"short body": {raw("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nversion: v1"), "answer cut short or malformed"},
		"short head": {raw("HTTP/1.1 200 O"), "answer cut short or malformed"},
		"no HTTP":    {raw("hello\r\n\r\n"), "answer cut short or malformed"},
		"reset":      {reset, "connection reset on a new connection"},
		// A connection that nobody holds any more is closed by the garbage collector.
		"silence":     {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, "timeout"},
		"endless":     {raw("HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", maxBody+1)), "answer too long"},
		"good at all": {raw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			opts := closed(listen(t, tc.handle), 1)
			if tc.class == "timeout" {
				opts.Timeout = 50 * time.Millisecond
			}
			w := finish(t, opts)
			require.EqualValues(t, 1, w.Requests)
			if tc.class == "" {
				require.EqualValues(t, 1, w.Good)
				return
			}
			require.Equal(t, map[string]int64{tc.class: 1}, w.Errors)
			require.Zero(t, w.Good)
			require.Empty(t, w.Statuses, "an answer that was cut short has no status")
		})
	}
}

func reset(c net.Conn) {
	_, _ = http.ReadRequest(bufio.NewReader(c))
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	w := finish(t, closed("http://"+addr, 3))
	require.Equal(t, map[string]int64{"connection refused": 3}, w.Errors)
}
