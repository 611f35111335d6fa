package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/sandbox/certs"
)

func TestAuthorityIsKept(t *testing.T) {
	dir := t.TempDir()
	first, err := certs.Open(dir)
	require.NoError(t, err)
	second, err := certs.Open(dir)
	require.NoError(t, err)
	require.Equal(t, first.PEM, second.PEM)

	// What the second issues is trusted by whoever trusts the first.
	pair, err := second.Server("apiserver", "127.0.0.1", "kubernetes.default.svc")
	require.NoError(t, err)
	leaf := parse(t, pair)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(first.PEM))
	for _, host := range []string{"127.0.0.1", "kubernetes.default.svc"} {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: host})
		require.NoError(t, err, host)
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "192.0.2.99"})
	require.Error(t, err)
}

func TestClientCarriesUserAndGroups(t *testing.T) {
	authority, err := certs.Open(t.TempDir())
	require.NoError(t, err)
	pair, err := authority.Client("system:node:node-1", "system:nodes")
	require.NoError(t, err)
	leaf := parse(t, pair)
	require.Equal(t, "system:node:node-1", leaf.Subject.CommonName)
	require.Equal(t, []string{"system:nodes"}, leaf.Subject.Organization)
	require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, leaf.ExtKeyUsage)
}

func TestDamagedAuthorityIsAnError(t *testing.T) {
	dir := t.TempDir()
	_, err := certs.Open(dir)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.key"), []byte("no key"), 0o600))
	_, err = certs.Open(dir)
	require.ErrorContains(t, err, "not PEM")
}

func TestEnsureKeyKeepsTheKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sa.key")
	require.NoError(t, certs.EnsureKey(file))
	first, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, certs.EnsureKey(file))
	second, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, first, second)
}

func parse(t *testing.T, pair certs.Pair) *x509.Certificate {
	t.Helper()
	both, err := tls.X509KeyPair(pair.Cert, pair.Key)
	require.NoError(t, err)
	return both.Leaf
}
