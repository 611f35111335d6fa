package analysis_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
)

// one answers with one series of a value.
func one(value string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,%q]}]}}`, value)
	}
}

// says answers with a status.
func says(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// TestTroubleIsNoPass lets a server answer in every way that is no number: each is
// a verdict of its own, for values and for counters, and none of them promotes.
func TestTroubleIsNoPass(t *testing.T) {
	none := `{"status":"success","data":{"resultType":"vector","result":[]}}`
	over := make(chan struct{})
	defer close(over)
	tests := map[string]struct {
		answer        http.HandlerFunc
		value, counts verdict.Outcome
		reason        string
	}{
		"NaN":         {one("NaN"), verdict.NoData, verdict.Error, "NaN"},
		"infinite":    {one("+Inf"), verdict.Error, verdict.Error, "nf"},
		"no series":   {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, none) }, verdict.NoData, verdict.NoData, "no series"},
		"429":         {says(http.StatusTooManyRequests), verdict.Error, verdict.Error, "answered 429"},
		"500":         {says(http.StatusInternalServerError), verdict.Error, verdict.Error, "answered 500"},
		"503":         {says(http.StatusServiceUnavailable), verdict.Error, verdict.Error, "answered 503"},
		"401":         {says(http.StatusUnauthorized), verdict.Error, verdict.Error, "answered 401"},
		"slow":        {func(http.ResponseWriter, *http.Request) { <-over }, verdict.Error, verdict.Error, "has not answered within 20ms"},
		"nonsense":    {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, verdict.Error, verdict.Error, "bad_response"},
		"hangs up":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, verdict.Error, verdict.Error, "EOF"},
		"not scraped": {one("7"), "", verdict.NoData, "no requests since the last sample"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.answer)
			t.Cleanup(server.CloseClientConnections)
			b := newBench(t, nil)
			b.a.Default = config.Prometheus{Name: "default", Address: server.URL, Timeout: config.Duration(5 * time.Second), MaxBytes: 1 << 20}
			if name == "slow" {
				b.a.Default.Timeout = config.Duration(20 * time.Millisecond)
			}
			judge := func(want verdict.Outcome, m config.Metric) {
				if want == "" {
					return
				}
				result, err := b.analyse(analysis.Request{Metrics: []config.Metric{m}})
				require.NoError(t, err)
				require.Equal(t, verdict.Pause, result.Decision.Action, "as the policy says")
				require.Equal(t, want, result.Decision.Outcome)
				require.Contains(t, result.Decision.Reason, test.reason)
			}
			judge(test.value, valueMetric(nil))
			judge(test.counts, countMetric(nil))
		})
	}
}
