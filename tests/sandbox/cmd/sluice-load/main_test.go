package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/sandbox/load"
)

func TestParse(t *testing.T) {
	cfg, err := parse([]string{
		"--url", "http://192.0.2.21/", "--url", "http://192.0.2.22/", "--host", "shop",
		"--cohort", "everyone", "--cohort", "vip:cookie=vip=always:x-a=b",
		"--rate", "120", "--duration", "30s", "--post", "0.5", "--new", "0", "--clients", "3",
		"--requests", "9", "--timeout", "2s", "--slow", "100ms", "--seed", "4", "--control", "/tmp/s", "-o", "json",
	}, &bytes.Buffer{})
	require.NoError(t, err)
	vip := map[string]string{"cookie": "vip=always", "x-a": "b"}
	require.Equal(t, load.Options{
		Targets: []load.Target{
			{Name: "everyone", URL: "http://192.0.2.21/", Host: "shop", Headers: map[string]string{}},
			{Name: "everyone", URL: "http://192.0.2.22/", Host: "shop", Headers: map[string]string{}},
			{Name: "vip", URL: "http://192.0.2.21/", Host: "shop", Headers: vip},
			{Name: "vip", URL: "http://192.0.2.22/", Host: "shop", Headers: vip},
		},
		Clients: 3, Rate: 120, PostShare: 0.5, Timeout: 2 * time.Second, Slow: 100 * time.Millisecond,
		MaxDuration: 30 * time.Second, MaxRequests: 9, Seed: 4,
	}, cfg.options)
	require.Equal(t, "/tmp/s", cfg.control)
}

func TestParseRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"--url: at least one":    {},
		"unexpected argument":    {"--url", "u", "extra"},
		`-o "xml"`:               {"--url", "u", "-o", "xml"},
		"want NAME or NAME:":     {"--url", "u", "--cohort", "a:b"},
		"the name is empty":      {"--url", "u", "--cohort", ":a=b"},
		"not defined: -nonsense": {"--nonsense"},
	} {
		_, err := parse(args, &bytes.Buffer{})
		require.ErrorContains(t, err, want)
	}
	var out bytes.Buffer
	_, err := parse([]string{"--help"}, &out)
	require.True(t, errors.Is(err, flag.ErrHelp))
	require.Contains(t, out.String(), "usage: sluice-load")
	require.Contains(t, out.String(), "-cohort")
}

// TestRun runs the command against a server and stops it through its socket.
func TestRun(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(w, "version: v1")
	}))
	defer srv.Close()
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "out"))
	require.NoError(t, err)
	defer out.Close() //nolint:errcheck // read by its name
	socket := filepath.Join(dir, "s")
	cfg, err := parse([]string{"--url", srv.URL, "--duration", "1m", "--rate", "500", "--post", "0.5", "--control", socket, "-o", "json"}, &bytes.Buffer{})
	require.NoError(t, err)

	var printedBy load.Report
	ended := make(chan error, 1)
	go func() {
		var err error
		printedBy, err = run(context.Background(), cfg, out)
		ended <- err
	}()
	var c *load.Control
	require.Eventually(t, func() bool {
		c, err = load.Dial(socket)
		return err == nil
	}, 5*time.Second, time.Millisecond)
	require.Eventually(t, func() bool {
		w, err := c.Window(context.Background(), "")
		return err == nil && w.Good > 0 && w.Lost() > 0
	}, 5*time.Second, time.Millisecond)
	rep, err := c.Stop(context.Background())
	require.NoError(t, err)
	c.Close()
	require.NoError(t, <-ended)
	require.Equal(t, rep.Whole.Requests, printedBy.Whole.Requests)
	require.Equal(t, rep.Whole.Server5xx, rep.Whole.Lost())

	text, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	var printed load.Report
	require.NoError(t, json.Unmarshal(text, &printed))
	require.Equal(t, rep.Whole.Statuses, printed.Whole.Statuses)
	require.Equal(t, printed.Whole.Server5xx, printed.Ledger["v1"].Bad)
	require.NoFileExists(t, socket)
}

func TestListen(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := listen(socket)
	require.NoError(t, err)
	_, err = listen(socket)
	require.ErrorIs(t, err, syscall.EADDRINUSE, "somebody answers there")
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as if it were killed
	require.NoError(t, l.Close())
	l, err = listen(socket)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func TestText(t *testing.T) {
	from := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	w := load.Window{
		From: from, To: from.Add(10 * time.Second), Requests: 1000, Good: 990, Server5xx: 6, TransportErrors: 3,
		Versions: map[string]int64{"v1": 891, "v2": 98, "": 1}, Statuses: map[int]int64{200: 990, 502: 6, 404: 1},
		Errors:  map[string]int64{"timeout": 3},
		Cohorts: map[string]load.Group{"android": {Requests: 10, Good: 9, Versions: map[string]int64{"v2": 9}}},
		Kinds:   map[load.Kind]load.Group{load.GetNew: {Requests: 1000, Good: 990, Versions: map[string]int64{"v1": 990}}},
		Examples: []load.Failure{
			{At: from, Took: time.Millisecond, Cohort: "android", Kind: load.GetNew, Status: 502},
			{At: from, Took: time.Second, Cohort: "android", Kind: load.PostNew, Error: "timeout: too long"},
		},
		Gap:     load.Gap{Longest: 1234567 * time.Microsecond, At: from},
		Latency: load.Latency{P50: 1234 * time.Microsecond, P99: 45678 * time.Microsecond, Max: 12345 * time.Millisecond},
	}
	var out bytes.Buffer
	require.NoError(t, printText(&out, load.Report{Whole: w, Marks: []load.Window{{Name: "step 1", Requests: 5, Good: 5, Versions: map[string]int64{"v2": 5}}}}))
	require.Equal(t, `requests        1000 in 10.0 s (100.0 a second), 10 lost
failures        6 answers 5xx, 3 transport errors, 1 other answers that are not 2xx
longest gap     1.235s from 15:04:05.000
latency         p50 1.23ms, p99 46ms, at most 12.3s; sent at most 0s late
answers         no version 1 (0.1 %), v1 891 (90.0 %), v2 98 (9.9 %)
status          200: 990, 404: 1, 502: 6
errors          timeout: 3
cohort android  10 requests    1 lost   v2 9 (100.0 %)
kind get/new    1000 requests  10 lost  v1 990 (100.0 %)
since "step 1"  5 requests     0 lost   gap 0s  v2 5 (100.0 %)
first failures:
  15:04:05.000  android  get/new  after 1ms  status 502
  15:04:05.000  android  post/new  after 1s  timeout: too long
`, out.String())
	require.Less(t, len(liveLine(w)), 80)
	require.Contains(t, liveLine(w), "lost 10")
}
