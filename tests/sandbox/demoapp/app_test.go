package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ask sends one request to an application with the configuration c that was
// started an hour ago, and returns the answer.
func ask(c config, path string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	newApp(c, time.Now().Add(-time.Hour)).ServeHTTP(w, r)
	return w
}

func TestAnswersVersion(t *testing.T) {
	for _, path := range []string{"/", "/version", "/a/b?c=d"} {
		w := ask(config{version: "v1", pod: "demo-abc"}, path, nil)
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "version: v1\n", w.Body.String())
		require.Equal(t, "v1", w.Header().Get("X-Version"))
		require.Equal(t, "demo-abc", w.Header().Get("X-Pod"))
	}
}

func TestFails(t *testing.T) {
	android := http.Header{"User-Agent": {"android"}}
	tests := map[string]struct {
		config config
		header http.Header
		want   int
	}{
		"never":                    {config{failShare: 0}, nil, 200},
		"always":                   {config{failShare: 1}, nil, 500},
		"with the header":          {config{failShare: 1, failHeader: "user-agent", failValue: "android"}, android, 500},
		"without the header":       {config{failShare: 1, failHeader: "user-agent", failValue: "android"}, nil, 200},
		"after the time":           {config{failShare: 1, failAfter: time.Minute}, nil, 500},
		"not before the time":      {config{failShare: 1, failAfter: 2 * time.Hour}, nil, 200},
		"before the file is there": {config{failShare: 1, failFile: "no such file"}, nil, 200},
		"after the file is there":  {config{failShare: 1, failFile: "app_test.go"}, nil, 500},
		"another header value":     {config{failShare: 1, failHeader: "user-agent", failValue: "ios"}, android, 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, ask(test.config, "/version", test.header).Code)
		})
	}
}

func TestFailShare(t *testing.T) {
	app := newApp(config{failShare: 0.2}, time.Now())
	failed := 0
	for range 5000 {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("x")))
		if w.Code == http.StatusInternalServerError {
			failed++
		}
	}
	// Six standard deviations of the binomial distribution to either side.
	require.InDelta(t, 1000, failed, 170)
}

func TestLatency(t *testing.T) {
	began := time.Now()
	ask(config{latency: 30 * time.Millisecond, latencyShare: 1}, "/", nil)
	require.GreaterOrEqual(t, time.Since(began), 30*time.Millisecond)
	began = time.Now()
	ask(config{latency: time.Hour, latencyShare: 0}, "/", nil)
	require.Less(t, time.Since(began), time.Minute)
}

func TestLatencyEndsWithTheClient(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := httptest.NewRecorder()
	newApp(config{latency: time.Hour, latencyShare: 1}, time.Now()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
	require.Empty(t, w.Body.String())
}

func TestProbes(t *testing.T) {
	require.Equal(t, 200, ask(config{failShare: 1}, "/healthz", nil).Code)
	require.Equal(t, 200, ask(config{failShare: 1}, "/readyz", nil).Code)
	require.Equal(t, 200, ask(config{neverReady: neverReadyProbe}, "/healthz", nil).Code)
	require.Equal(t, 503, ask(config{neverReady: neverReadyProbe}, "/readyz", nil).Code)
	require.Equal(t, 200, ask(config{neverReady: neverReadyProbe}, "/version", nil).Code)
}

func TestMetrics(t *testing.T) {
	m := newMetrics("v1")
	m.observe(200, 3*time.Millisecond)
	m.observe(200, 300*time.Millisecond)
	m.observe(500, 20*time.Second)
	var text strings.Builder
	m.write(&text)
	for _, line := range []string{
		`http_requests_total{code="200",version="v1"} 2`,
		`http_requests_total{code="500",version="v1"} 1`,
		`http_request_duration_seconds_bucket{version="v1",le="0.005"} 1`,
		`http_request_duration_seconds_bucket{version="v1",le="0.25"} 1`,
		`http_request_duration_seconds_bucket{version="v1",le="0.5"} 2`,
		`http_request_duration_seconds_bucket{version="v1",le="10"} 2`,
		`http_request_duration_seconds_bucket{version="v1",le="+Inf"} 3`,
		`http_request_duration_seconds_sum{version="v1"} 20.303`,
		`http_request_duration_seconds_count{version="v1"} 3`,
	} {
		require.Contains(t, text.String(), line+"\n")
	}
}

func TestMetricsCountOnlyTheApplication(t *testing.T) {
	server := httptest.NewServer(newApp(config{version: "v2"}, time.Now()))
	defer server.Close()
	for _, path := range []string{"/version", "/healthz", "/readyz", "/metrics"} {
		resp, err := http.Get(server.URL + path)
		require.NoError(t, err)
		resp.Body.Close()
	}
	resp, err := http.Get(server.URL + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), `http_requests_total{code="200",version="v2"} 1`+"\n")
}
