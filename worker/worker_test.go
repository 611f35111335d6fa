package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config/settings"
)

// limit bounds what a test waits for.
const limit, tick = 10 * time.Second, time.Millisecond

// ask returns the status and the body of an answer.
func ask(t *testing.T, address, path string) (int, string) {
	t.Helper()
	answer, err := http.Get("http://" + address + path)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(body)
}

// TestHealthIsToldWhileTheWorkerStops: who asks between the signal to stop and the
// end learns that it lives and takes no work.
func TestHealthIsToldWhileTheWorkerStops(t *testing.T) {
	metrics, err := newTelemetry()
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var serving servers
	address, err := serving.serve(ctx, "health", "127.0.0.1:0", metrics.handler())
	require.NoError(t, err)
	at := address.String()
	status, _ := ask(t, at, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status, "before it takes work")

	var took sync.WaitGroup
	took.Go(func() { require.NoError(t, metrics.readyUntil(ctx, nil)) })
	require.Eventually(t, metrics.ready.Load, limit, tick)
	status, body := ask(t, at, "/readyz")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "ready\n", body)

	stop()
	took.Wait()
	status, body = ask(t, at, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "not taking work\n", body)
	status, _ = ask(t, at, "/healthz")
	require.Equal(t, http.StatusOK, status)
	status, body = ask(t, at, "/metrics")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "process_cpu_seconds_total")

	serving.close()
	_, err = http.Get("http://" + at + "/healthz")
	require.Error(t, err)
}

func TestAWorkerThatFailsIsNotReady(t *testing.T) {
	metrics, err := newTelemetry()
	require.NoError(t, err)
	fatal := make(chan error, 1)
	fatal <- errors.New("the namespace was deleted")
	require.EqualError(t, metrics.readyUntil(t.Context(), fatal), "working: the namespace was deleted")
	require.False(t, metrics.ready.Load())
}

// TestStopsRunSideBySide: each waits until all others have begun.
func TestStopsRunSideBySide(t *testing.T) {
	var begun sync.WaitGroup
	begun.Add(3)
	ended := make(chan string, 3)
	var stops []func()
	for _, name := range []string{"deciding", "acting", "watches"} {
		stops = append(stops, func() {
			begun.Done()
			begun.Wait()
			ended <- name
		})
	}
	together(stops)
	require.Len(t, ended, 3)
}

func TestAddressesAreServedOnce(t *testing.T) {
	for _, c := range []struct {
		in   settings.Worker
		want []string
	}{
		{in: settings.Worker{}},
		{in: settings.Worker{HealthAddress: ":1"}, want: []string{":1"}},
		{in: settings.Worker{HealthAddress: ":1", MetricsAddress: ":1"}, want: []string{":1"}},
		{in: settings.Worker{HealthAddress: ":1", MetricsAddress: ":2"}, want: []string{":2", ":1"}},
	} {
		require.Equal(t, c.want, addresses(c.in))
	}
}

func TestAnAddressThatIsTaken(t *testing.T) {
	var serving servers
	defer serving.close()
	address, err := serving.serve(t.Context(), "health", "127.0.0.1:0", http.NotFoundHandler())
	require.NoError(t, err)
	err = serving.open(t.Context(), settings.Worker{HealthAddress: address.String()}, &telemetry{})
	require.ErrorContains(t, err, "listening for health and metrics on \""+address.String()+"\"")
}

// TestSettingsAreReadBeforeAnythingIsStarted: a wrong one ends the program with
// what to write instead.
func TestSettingsAreReadBeforeAnythingIsStarted(t *testing.T) {
	for _, c := range []struct{ flag, want string }{
		{"--stop-timeout=0s", "worker.stopTimeout: must be longer than no time"},
		{"--gateway=nginx", "write class=kind"},
		{"--health-address=8081", "write host:port or :port"},
		{"--config=there-is-none.yaml", "reading settings file there-is-none.yaml"},
	} {
		cmd := newCommand()
		cmd.SetArgs([]string{c.flag})
		cmd.SetErr(io.Discard)
		require.ErrorContains(t, cmd.ExecuteContext(t.Context()), c.want)
	}
}

func TestClustersThatCannotBeReached(t *testing.T) {
	s := settings.Settings{Kubeconfig: "there-is-none"}
	err := run(t.Context(), s, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "there-is-none")
}

func TestTheReferenceIsUpToDate(t *testing.T) {
	want, err := os.ReadFile("../docs/worker.md")
	require.NoError(t, err)
	require.Equal(t, string(want), reference(), "run go generate ./worker")
}
