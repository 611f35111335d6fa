package analysis_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/expression"
)

// one answers each query with one series of a value.
func one(value string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var series []string
		for _, part := range partsOf(r.FormValue("query")) {
			series = append(series, fmt.Sprintf(`{"metric":%s,"value":[1,%q]}`, part.labels(), value))
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, strings.Join(series, ","))
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

// TestCredentialThatCannotBeRead while a rollout goes on is an error of the
// measurement, with its own policy; the measurement goes on when it can be read.
func TestCredentialThatCannotBeRead(t *testing.T) {
	secrets := schema.GroupResource{Resource: "secrets"}
	tests := map[string]struct {
		credential config.Credential
		failure    error
		reason     string
	}{
		"deleted":        {config.Credential{Secret: "prom", Key: "token"}, apierrors.NewNotFound(secrets, "prom"), `Prometheus main: reading Secret shop/prom: secrets "prom" not found`},
		"forbidden":      {config.Credential{Secret: "prom", Key: "token"}, apierrors.NewForbidden(secrets, "prom", errors.New("no rule")), "Prometheus main: reading Secret shop/prom: secrets \"prom\" is forbidden: no rule: grant get on the Secret prom in namespace shop"},
		"API away":       {config.Credential{Secret: "prom", Key: "token"}, errors.New("connection refused"), "Prometheus main: reading Secret shop/prom: connection refused"},
		"key is missing": {config.Credential{Secret: "prom", Key: "other"}, nil, "reading Secret shop/prom: it has no key other"},
		"no such file":   {config.Credential{File: "gone"}, nil, "reading a credential from "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPrometheus(t, map[string][]vector{"sum(canary)": {{"": 0.01}}})
			b := newBench(t, nil)
			cluster := fake.NewClientset(&corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "prom"}, Data: map[string][]byte{"token": []byte("abc")},
			})
			looks := 0
			cluster.PrependReactor("get", "secrets", func(k8stesting.Action) (bool, runtime.Object, error) {
				looks++
				return test.failure != nil && looks <= 2, nil, test.failure
			})
			b.a.Kube, b.a.Credentials = cluster, t.TempDir()
			server := p.server()
			server.Name, server.Bearer = "main", &test.credential
			req := analysis.Request{Metrics: []config.Metric{valueMetric(nil)}, Servers: []config.Prometheus{server}}
			result, err := b.analyse(req)
			require.NoError(t, err)
			require.Equal(t, verdict.Pause, result.Decision.Action, "as the policy says")
			require.Equal(t, verdict.Error, result.Decision.Outcome)
			require.Contains(t, result.Decision.Reason, test.reason)
			require.NotContains(t, result.Decision.Reason, "retryable")
			if test.failure == nil {
				return
			}
			looks = 0
			req.Metrics[0].OnError = config.GapWait
			result, err = b.analyse(req)
			require.NoError(t, err)
			require.Equal(t, verdict.Promote, result.Decision.Action, result.Decision.Reason)
			require.Equal(t, 2, result.State.Metrics[0].Errors)
		})
	}
}

// TestOldSamplesAreNoData: a Prometheus that has scraped nothing for longer than
// the window, as after its restart, still has values for plain selectors.
func TestOldSamplesAreNoData(t *testing.T) {
	p := newPrometheus(t, nil)
	p.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if expression.ReadsLatest(r.FormValue("query")) {
			one("0.1")(w, r)
			return
		}
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	})
	for _, template := range config.ReadyTemplates() {
		rollouts, err := config.Parse([]byte(strings.Replace(ofTraefik, "traefik/success-rate", template, 1)), config.Options{})
		require.NoError(t, err)
		m := rollouts[0].Steps[0].Analysis.Metrics[0]
		if m.Counts() {
			continue // counters that stand still are no requests
		}
		m.Interval, m.Limits.ConsecutiveNoData, m.OnNoData = config.Duration(1), 1, config.GapPause
		result, err := newBench(t, p).analyse(analysis.Request{Metrics: []config.Metric{m}})
		require.NoError(t, err)
		require.Equal(t, verdict.NoData, result.Decision.Outcome, template)
	}
}

// TestScrapeBetweenQuestions stores a scrape after every third question: the requests
// of a scrape are all counted or none of them.
func TestScrapeBetweenQuestions(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one(strconv.Itoa(1000*(1+asked/3)))(w, r)
		asked++
	}))
	t.Cleanup(server.Close)
	b := newBench(t, nil)
	b.a.Default = config.Prometheus{Name: "default", Address: server.URL, Timeout: config.Duration(5 * time.Second), MaxBytes: 1 << 20}
	result, err := b.analyse(analysis.Request{Metrics: []config.Metric{countMetric(func(m *config.Metric) {
		m.Bad, m.Good, m.Count = "", "good_{{side}}", 20
		m.Limits.ConsecutiveNoData = 3 // of three samples two see nothing new
	})}})
	require.NoError(t, err)
	require.Equal(t, verdict.Promote, result.Decision.Action, result.Decision.Reason)
	counted := result.State.Metrics[0].Test
	require.Zero(t, counted.Canary.Bad)
	require.Zero(t, counted.Stable.Bad)
	require.InDelta(t, counted.Stable.Requests, counted.Canary.Requests, 0)
}
