package prom_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
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
			got, _, err := client(t, server(t, test.status, test.body)).Value(t.Context(), "q", at)
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

// warned is an answer of one series with warnings, as JSON.
func warned(result string, warnings ...string) string {
	text, _ := json.Marshal(warnings)
	return fmt.Sprintf(`{"status":"success","data":{"resultType":"vector","result":[%s]},"warnings":%s}`, result, text)
}

// TestWarnings: an answer to which not all servers have contributed is no answer;
// what is remarked about the query is told beside the number.
func TestWarnings(t *testing.T) {
	const (
		remark  = `PromQL warning: bucket label "le" is missing or has a malformed value of ""`
		omitted = "3 more warning annotations omitted"
		store   = "receive series from Addr: store-1:10901: rpc error: code = Unavailable"
	)
	for name, test := range map[string]struct {
		result, note, reason string
		warnings             []string
	}{
		"none":                {sample("", "1"), "", "", nil},
		"remark":              {sample("", "1"), remark, "", []string{remark}},
		"many remarks":        {sample("", "1"), remark + "; " + omitted, "", []string{remark, omitted}},
		"partial":             {sample("", "1"), "", "Prometheus main: the answer may lack data: " + store, []string{store}},
		"partial beside":      {sample("", "1"), "", "may lack data: " + store, []string{remark, store}},
		"partial and empty":   {"", "", "may lack data: " + store, []string{store}},
		"remark to no series": {"", "", "no series: nothing was scraped yet, or the query fits no series; " + remark, []string{remark}},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, server(t, 200, warned(test.result, test.warnings...)))
			value, note, err := c.Value(t.Context(), "q", at)
			if test.reason != "" {
				var failure *prom.Failure
				require.ErrorAs(t, err, &failure)
				require.Equal(t, name == "remark to no series", failure.Empty)
				require.Contains(t, failure.Reason, test.reason)
			} else {
				require.NoError(t, err)
				require.InDelta(t, 1, value, 0)
				require.Equal(t, test.note, note)
			}
			if test.result == "" {
				return
			}
			c = client(t, server(t, 200, warned(strings.Replace(test.result, `"metric":{`, `"metric":{"sluice_part":"0"`, 1), test.warnings...)))
			_, note, err = c.Counters(t.Context(), []string{"q"}, at, 500)
			require.Equal(t, test.reason == "", err == nil)
			require.Equal(t, test.note, note)
		})
	}
}

// TestPartialAnswer of a cluster of VictoriaMetrics, which says so beside the data.
func TestPartialAnswer(t *testing.T) {
	for text, reason := range map[string]string{"true": "Prometheus main: the answer may lack data: isPartial", "false": ""} {
		whole := answer("vector", "["+sample("", "1")+"]")
		c := client(t, server(t, 200, `{"isPartial":`+text+","+strings.TrimPrefix(whole, "{")))
		value, _, err := c.Value(t.Context(), "q", at)
		if reason == "" {
			require.NoError(t, err)
			require.InDelta(t, 1, value, 0)
			continue
		}
		var failure *prom.Failure
		require.ErrorAs(t, err, &failure)
		require.False(t, failure.Empty)
		require.Contains(t, failure.Reason, reason)
	}
}

func TestNotANumberIsReturned(t *testing.T) {
	for _, text := range []string{"NaN", "+Inf", "-Inf"} {
		got, _, err := client(t, server(t, 200, answer("vector", "["+sample("", text)+"]"))).Value(t.Context(), "q", at)
		require.NoError(t, err)
		require.Equal(t, text, strings.Replace(fmt.Sprintf("%+f", got), "+NaN", "NaN", 1))
	}
}

func TestServerThatIsSlow(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	s.Timeout = config.Duration(20 * time.Millisecond)
	_, _, err := client(t, s).Value(t.Context(), "q", at)
	require.ErrorContains(t, err, "has not answered within 20ms")
}

func TestServerThatIsDown(t *testing.T) {
	s := server(t, 200, "")
	s.Address = "http://127.0.0.1:1"
	_, _, err := client(t, s).Value(t.Context(), "q", at)
	require.ErrorContains(t, err, "no connection")
}

func TestCancelledIsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := client(t, server(t, 200, answer("vector", "[]"))).Value(ctx, "q", at)
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
			var query, when, timeout string
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				got, query, when, timeout = r.Header, r.FormValue("query"), r.FormValue("time"), r.FormValue("timeout")
				fmt.Fprint(w, answer("vector", "["+sample("", "1")+"]"))
			})
			test.change(&s)
			_, _, err := client(t, s).Value(t.Context(), "up", at)
			require.NoError(t, err)
			require.Equal(t, test.want, got.Get(test.header))
			require.Equal(t, "up", query)
			require.Equal(t, "1700000000", when)
			require.Equal(t, "5s", timeout, "Prometheus need not go on when nobody waits any more")
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
	_, _, err := client(t, s).Value(t.Context(), "q", at)
	require.ErrorContains(t, err, "certificate")
	s.TLS = &config.TLS{Insecure: true}
	_, _, err = client(t, s).Value(t.Context(), "q", at)
	require.NoError(t, err)
}

// pair is a certificate and its key in PEM form, signed by nobody else.
func pair(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// TestMutualTLS: the server has a name that its address does not have, is known by
// its own authority, and wants to know who asks.
func TestMutualTLS(t *testing.T) {
	serverCert, serverKey := pair(t, "prometheus.monitoring")
	cert, key := pair(t, "sluice")
	own, err := tls.X509KeyPair(serverCert, serverKey)
	require.NoError(t, err)
	known := x509.NewCertPool()
	known.AppendCertsFromPEM(cert)
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "sluice", r.TLS.PeerCertificates[0].DNSNames[0])
		fmt.Fprint(w, answer("scalar", `[1700000000,"2"]`))
	}))
	backend.Config.ErrorLog = log.New(io.Discard, "", 0)
	backend.TLS = &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: known}
	backend.StartTLS()
	defer backend.Close()
	files := map[string]string{"ca": string(serverCert), "cert": string(cert), "key": string(key), "none": "no PEM"}
	file := func(name string) *config.Credential { return &config.Credential{File: name} }
	whole := config.TLS{CA: file("ca"), Cert: file("cert"), PrivateKey: file("key"), ServerName: "prometheus.monitoring"}
	for name, test := range map[string]struct {
		change func(*config.TLS)
		reason string
	}{
		"as it should be":  {func(*config.TLS) {}, ""},
		"no certificate":   {func(c *config.TLS) { c.Cert, c.PrivateKey = nil, nil }, "certificate required"},
		"another name":     {func(c *config.TLS) { c.ServerName = "" }, "127.0.0.1"},
		"wrong name":       {func(c *config.TLS) { c.ServerName = "other" }, "not other"},
		"other authority":  {func(c *config.TLS) { c.CA = file("cert") }, "unknown authority"},
		"no key":           {func(c *config.TLS) { c.PrivateKey = file("none") }, "reading tls.cert and tls.privateKey"},
		"key of another":   {func(c *config.TLS) { c.Cert = file("ca") }, "reading tls.cert and tls.privateKey"},
		"no such key":      {func(c *config.TLS) { c.PrivateKey = file("away") }, "reading tls.privateKey: no such file"},
		"no such cert":     {func(c *config.TLS) { c.Cert = file("away") }, "reading tls.cert: no such file"},
		"no authority yet": {func(c *config.TLS) { c.CA = file("away") }, "reading tls.ca: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := whole
			test.change(&changed)
			s := config.Prometheus{Name: "main", Address: backend.URL, Timeout: config.Duration(5 * time.Second), MaxBytes: 4096, TLS: &changed}
			c, err := prom.New(t.Context(), s, func(_ context.Context, c config.Credential) (string, error) {
				if text, ok := files[c.File]; ok {
					return text, nil
				}
				return "", errors.New("no such file")
			})
			if err == nil {
				_, _, err = c.Value(t.Context(), "q", at)
			}
			if test.reason == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.reason)
		})
	}
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
		_, _, err := client(t, s).Value(t.Context(), "up", at)
		require.ErrorContains(t, err, "redirects to "+stranger.Address+", which is not asked")
	}
}
