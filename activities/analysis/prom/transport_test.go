package prom

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config"
)

// TestCertificatesAreReadAgain as tokens are: what is renewed while an analysis goes on
// is used, and what is taken away is an error.
func TestCertificatesAreReadAgain(t *testing.T) {
	backend := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer backend.Close()
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: backend.Certificate().Raw}))
	files, reads := map[string]string{"ca": authority}, 0
	server := config.Prometheus{Address: backend.URL, MaxBytes: 4096, TLS: &config.TLS{CA: &config.Credential{File: "ca"}}}
	transport, err := newTransport(t.Context(), server, func(_ context.Context, c config.Credential) (string, error) {
		reads++
		if files[c.File] == "" {
			return "", errors.New("no such file")
		}
		return files[c.File], nil
	})
	require.NoError(t, err)
	ask := func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, backend.URL, nil)
		require.NoError(t, err)
		response, err := transport.RoundTrip(request)
		if err == nil {
			require.NoError(t, response.Body.Close())
		}
		return err
	}
	later := func() { transport.nextUntil = time.Now() }
	require.NoError(t, ask())
	require.NoError(t, ask())
	require.Equal(t, 1, reads, "not for each request")
	same := transport.next
	later()
	require.NoError(t, ask())
	require.Equal(t, 2, reads)
	require.Same(t, same, transport.next, "what is the same needs no new connection")

	files["ca"] = authority + selfSigned(t)
	later()
	require.NoError(t, ask())
	require.NotSame(t, same, transport.next)
	files["ca"] = ""
	later()
	require.ErrorContains(t, ask(), "reading tls.ca: no such file")
	files["ca"] = selfSigned(t)
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, ask(), &unknown)
}

// selfSigned is a certificate of nobody.
func selfSigned(t *testing.T) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, public, private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
