package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
)

// TestTriesThatFailAreCounted: which errors end a try, and which the operation.
func TestTriesThatFailAreCounted(t *testing.T) {
	cases := map[string]struct {
		err  error
		want string
	}{
		"the API server is away": {errors.New("connection refused"), "sluice_operations_failing 1\n"},
		"done":                   {nil, "sluice_operations_failing 0\n"},
		"failed for good":        {temporal.NewNonRetryableApplicationError("refused", "Refused", nil), "sluice_operations_failing 0\n"},
		"waits":                  {activity.ErrResultPending, "sluice_operations_failing 0\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			metrics, err := newTelemetry()
			require.NoError(t, err)
			var suite testsuite.WorkflowTestSuite
			suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
			env := suite.NewTestActivityEnvironment()
			env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{metrics.tries}})
			env.RegisterActivityWithOptions(func(context.Context) error { return c.err }, activity.RegisterOptions{Name: "RestoreTemplate"})
			_, _ = env.ExecuteActivity("RestoreTemplate")
			text := scrape(t, metrics)
			require.Contains(t, text, c.want)
			require.Equal(t, strings.Contains(c.want, " 1"), strings.Contains(text, `sluice_operation_failures_total{operation="RestoreTemplate"} 1`))
		})
	}
}

// TestOperationThatFailsOverMinutes is seen from outside, with the time since when it
// was asked for, until it succeeds or another worker has it.
func TestOperationThatFailsOverMinutes(t *testing.T) {
	metrics, err := newTelemetry()
	require.NoError(t, err)
	asked := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now := asked
	metrics.tries.now = func() time.Time { return now }
	op := operation{run: "one", activity: "7"}
	info := activity.Info{ScheduledTime: asked, ActivityType: activity.Type{Name: "RestoreTemplate"}}
	for range 30 {
		metrics.tries.begin(op)
		now = now.Add(5 * time.Second)
		metrics.tries.end(op, info, true)
	}
	text := scrape(t, metrics)
	require.Contains(t, text, "sluice_operations_failing 1\n")
	require.Contains(t, text, "sluice_operation_failing_seconds 150\n")
	require.Contains(t, text, `sluice_operation_failures_total{operation="RestoreTemplate"} 30`)

	metrics.tries.begin(op)
	now = now.Add(2 * elsewhere)
	require.Contains(t, scrape(t, metrics), "sluice_operations_failing 1\n", "the try goes on")
	metrics.tries.end(op, info, false)
	text = scrape(t, metrics)
	require.Contains(t, text, "sluice_operations_failing 0\n")
	require.Contains(t, text, "sluice_operation_failing_seconds 0\n")

	metrics.tries.end(op, info, true)
	now = now.Add(elsewhere + time.Second)
	require.Contains(t, scrape(t, metrics), "sluice_operations_failing 0\n", "another worker has it")
}

// TestNamesOfCounters: the reference names them as Prometheus sees them.
func TestNamesOfCounters(t *testing.T) {
	metrics, err := newTelemetry()
	require.NoError(t, err)
	metrics.metrics.Counter("sluice_compensation_failures").Inc(1)
	require.Regexp(t, `(?m)^sluice_compensation_failures(\{.*\})? 1$`, scrape(t, metrics))
	require.Contains(t, reference(), "`sluice_compensation_failures`")
}

// scrape returns the metrics as Prometheus reads them.
func scrape(t *testing.T, metrics *telemetry) string {
	t.Helper()
	answer := httptest.NewRecorder()
	metrics.handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(text)
}
