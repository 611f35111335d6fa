package prom_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis/prom"
	"sluice.dev/sluice/config"
)

var at = time.Unix(1_700_000_000, 0)

// answer is a body of Prometheus' API.
func answer(kind, result string) string {
	return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s}}`, kind, result)
}

// sample of a vector.
func sample(labels, value string) string {
	return fmt.Sprintf(`{"metric":{%s},"value":[1700000000,%q]}`, labels, value)
}

// server answers every request with a status and a body.
func server(t *testing.T, status int, body string) config.Prometheus {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

func serve(t *testing.T, handle http.HandlerFunc) config.Prometheus {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return config.Prometheus{Name: "main", Address: s.URL, Timeout: config.Duration(5 * time.Second), MaxBytes: 4096}
}

func client(t *testing.T, s config.Prometheus) *prom.Client {
	t.Helper()
	made, err := prom.New(t.Context(), s, secrets)
	require.NoError(t, err)
	return made
}

// secrets knows one Secret.
func secrets(_ context.Context, c config.Credential) (string, error) {
	if c.Secret == "prom" {
		return "the " + c.Key + "\n", nil
	}
	return "", errors.New("no such Secret")
}

func TestValue(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   float64
		empty  bool
		reason string
	}{
		"one series":       {200, answer("vector", "["+sample("", "0.25")+"]"), 0.25, false, ""},
		"scalar":           {200, answer("scalar", `[1700000000,"2"]`), 2, false, ""},
		"no series":        {200, answer("vector", "[]"), 0, true, "no series"},
		"several series":   {200, answer("vector", "["+sample(`"pod":"a"`, "1")+","+sample(`"pod":"b"`, "2")+"]"), 0, false, "2 series instead of one"},
		"text":             {200, answer("string", `[1700000000,"x"]`), 0, false, `unexpected value type "string"`},
		"matrix":           {200, answer("matrix", `[]`), 0, false, "a matrix instead of a number"},
		"wrong query":      {400, `{"status":"error","errorType":"bad_data","error":"parse error"}`, 0, false, "bad_data: parse error"},
		"too much work":    {422, `{"status":"error","errorType":"execution","error":"too many samples"}`, 0, false, "execution: too many samples"},
		"overloaded":       {429, "slow down", 0, false, "answered 429 Too Many Requests"},
		"failed":           {500, "oh", 0, false, "answered 500 Internal Server Error"},
		"away":             {503, "starting", 0, false, "answered 503 Service Unavailable"},
		"forbidden":        {403, "no", 0, false, "client error: 403"},
		"no Prometheus":    {200, "<html>welcome</html>", 0, false, "bad_response"},
		"answer too large": {200, answer("vector", "["+sample(`"a":"`+strings.Repeat("x", 5000)+`"`, "1")+"]"), 0, false, "longer than 4096 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := client(t, server(t, test.status, test.body)).Value(t.Context(), "q", at)
			if test.reason == "" {
				require.NoError(t, err)
				require.InDelta(t, test.want, got, 1e-9)
				return
			}
			var failure *prom.Failure
			require.ErrorAs(t, err, &failure)
			require.Equal(t, test.empty, failure.Empty)
			require.Contains(t, failure.Reason, test.reason)
		})
	}
}

func TestNotANumberIsReturned(t *testing.T) {
	for _, text := range []string{"NaN", "+Inf", "-Inf"} {
		got, err := client(t, server(t, 200, answer("vector", "["+sample("", text)+"]"))).Value(t.Context(), "q", at)
		require.NoError(t, err)
		require.Equal(t, text, strings.Replace(fmt.Sprintf("%+f", got), "+NaN", "NaN", 1))
	}
}

func TestSeries(t *testing.T) {
	c := client(t, server(t, 200, answer("vector", "["+sample(`"pod":"a"`, "10")+","+sample(`"pod":"b"`, "20")+"]")))
	series, err := c.Series(t.Context(), "q", at)
	require.NoError(t, err)
	require.Len(t, series, 2)
	again, err := c.Series(t.Context(), "q", at)
	require.NoError(t, err)
	require.Equal(t, series, again, "the same series have the same names")

	series, err = client(t, server(t, 200, answer("vector", "[]"))).Series(t.Context(), "q", at)
	require.NoError(t, err)
	require.Empty(t, series)

	_, err = client(t, server(t, 200, answer("scalar", `[1700000000,"2"]`))).Series(t.Context(), "q", at)
	require.ErrorContains(t, err, "no counter")
	for _, text := range []string{"NaN", "+Inf", "-Inf"} {
		_, err = client(t, server(t, 200, answer("vector", "["+sample(`"pod":"a"`, text)+"]"))).Series(t.Context(), "q", at)
		require.ErrorContains(t, err, "which is no counter", text)
	}
}

func TestServerThatIsSlow(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	s.Timeout = config.Duration(20 * time.Millisecond)
	_, err := client(t, s).Value(t.Context(), "q", at)
	require.ErrorContains(t, err, "has not answered within 20ms")
}

func TestServerThatIsDown(t *testing.T) {
	s := server(t, 200, "")
	s.Address = "http://127.0.0.1:1"
	_, err := client(t, s).Value(t.Context(), "q", at)
	require.ErrorContains(t, err, "no connection")
}

func TestCancelledIsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client(t, server(t, 200, answer("vector", "[]"))).Value(ctx, "q", at)
	require.ErrorIs(t, err, context.Canceled)
}

// TestRequest looks at what is sent.
func TestRequest(t *testing.T) {
	credential := func(key string) *config.Credential { return &config.Credential{Secret: "prom", Key: key} }
	tests := map[string]struct {
		change func(*config.Prometheus)
		header string
		want   string
	}{
		"tenant": {func(s *config.Prometheus) { s.Headers = map[string]string{"X-Scope-OrgID": "shop"} }, "X-Scope-OrgID", "shop"},
		"bearer": {func(s *config.Prometheus) { s.Bearer = credential("token") }, "Authorization", "Bearer the token"},
		"basic":  {func(s *config.Prometheus) { s.Username, s.Password = "ann", credential("password") }, "Authorization", "Basic YW5uOnRoZSBwYXNzd29yZA=="},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got http.Header
			var query, when string
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				got, query, when = r.Header, r.FormValue("query"), r.FormValue("time")
				fmt.Fprint(w, answer("vector", "[]"))
			})
			test.change(&s)
			_, err := client(t, s).Series(t.Context(), "up", at)
			require.NoError(t, err)
			require.Equal(t, test.want, got.Get(test.header))
			require.Equal(t, "up", query)
			require.Equal(t, "1700000000", when)
		})
	}
}

func TestSecretThatIsMissing(t *testing.T) {
	s := server(t, 200, "")
	s.Bearer = &config.Credential{Secret: "other", Key: "token"}
	_, err := prom.New(t.Context(), s, secrets)
	require.ErrorContains(t, err, "preparing the connection to Prometheus main: no such Secret")
	s.Bearer, s.TLS = nil, &config.TLS{CA: &config.Credential{Secret: "prom", Key: "ca"}}
	_, err = prom.New(t.Context(), s, secrets)
	require.ErrorContains(t, err, "holds no certificate")
}

func TestTLS(t *testing.T) {
	backend := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, answer("scalar", `[1700000000,"2"]`))
	}))
	defer backend.Close()
	s := config.Prometheus{Name: "main", Address: backend.URL, Timeout: config.Duration(5 * time.Second), MaxBytes: 4096}
	_, err := client(t, s).Value(t.Context(), "q", at)
	require.ErrorContains(t, err, "certificate")
	s.TLS = &config.TLS{Insecure: true}
	_, err = client(t, s).Value(t.Context(), "q", at)
	require.NoError(t, err)
}

// TestCredentialsStayWithTheirServer: an answer cannot lead them elsewhere.
func TestCredentialsStayWithTheirServer(t *testing.T) {
	stranger := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the stranger was asked, with %v", r.Header)
	})
	for _, status := range []int{http.StatusMovedPermanently, http.StatusTemporaryRedirect} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, stranger.Address+r.URL.Path, status)
		})
		s.Bearer = &config.Credential{Secret: "prom", Key: "token"}
		_, err := client(t, s).Value(t.Context(), "up", at)
		require.ErrorContains(t, err, "redirects to "+stranger.Address+", which is not asked")
	}
}
